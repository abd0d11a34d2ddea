"""Every hook is documented, has an example that runs, a check, tests of that check, and a use in this repository."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from rpganify.entries import Entry
from rpganify.registry import KINDS, Kind, Registry, resolve
from rpganify.registry.finding import Selection
from rpganify.testing import check, check_routed_layer
from tests.hooks import example_of, hooks_there_are, lacks, spec_of, summary_of

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.word)


def file_of(kind: Kind) -> str:
    return f"example_of_{kind.word.replace('-', '_')}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the example of every hook as a one-file plugin."""
    directory, before = tmp_path_factory.mktemp("plugins"), list(sys.path)
    for kind in KINDS:
        (directory / f"{file_of(kind)}.py").write_text(example_of(spec_of(kind)), encoding="utf-8")
    yield directory
    sys.path[:] = before
    for kind in KINDS:
        sys.modules.pop(file_of(kind), None)


def only(kind: Kind, folder: Path) -> tuple[Registry, Entry]:
    """A registry with the example of one kind, and the entry that it offers."""
    registry = Registry(Selection(directories=(folder,), only=(file_of(kind),)))
    (entry,) = (e for e in registry.all(kind.entry).values() if registry.provider(e).name == file_of(kind))
    return registry, entry


def test_the_kinds_are_the_hooks_there_are() -> None:
    assert [kind.hook for kind in KINDS] == hooks_there_are()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.word)
def test_a_hook_lacks_nothing(kind: Kind) -> None:
    assert lacks(kind, spec_of(kind)) == []


@kinds
def test_the_example_of_a_hook_keeps_the_laws_of_its_kind(kind: Kind, folder: Path) -> None:
    registry, entry = only(kind, folder)
    if kind.word == "routed-layer":
        made = resolve(entry.factory)()
        check_routed_layer(made, nn.Bilinear(3, 2, 4), torch.randn(5, 3), torch.randn(5, 2))
        check_routed_layer(made, nn.Bilinear(3, 2, 4, bias=False), torch.randn(5, 3), torch.randn(5, 2))
    else:
        check(entry, registry=registry)


def test_all_examples_together_are_listed_without_torch(folder: Path) -> None:
    listing = (
        "import sys; from pathlib import Path; from rpganify.registry import KINDS, Registry, Selection;"
        "registry = Registry(Selection(directories=(Path(sys.argv[1]),), only=tuple(sys.argv[2:])));"
        "print(sum(registry.provider(e).name in sys.argv for kind in KINDS for e in registry.all(kind.entry).values()));"
        "print('torch' in sys.modules)"
    )
    arguments = [str(folder), *map(file_of, KINDS)]
    done = subprocess.run([sys.executable, "-c", listing, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(len(KINDS)), "False"]


@dataclass(frozen=True, slots=True)
class PetEntry:
    name: str
    help: str
    factory: str


PET = Kind("pet", "rpganify_pets", PetEntry, "pet", "pets")


def documented() -> Any:
    """Pets.

    Example:
        def rpganify_pets(): ...
    """


def undocumented() -> Any: ...


def without_example() -> Any:
    """Pets."""


@pytest.fixture
def pets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry that knows of pets, and has none."""
    monkeypatch.setattr("tests.hooks.built_ins_of", lambda kind: [])


@pytest.mark.usefixtures("pets")
@pytest.mark.parametrize(
    ("spec", "missing"),
    [
        (undocumented, ["a line of documentation", "an example"]),
        (without_example, ["an example"]),
        (documented, []),
    ],
)
def test_a_hook_without_documentation_is_noticed(spec: Callable[[], Any], missing: list[str], tmp_path: Path) -> None:
    found = lacks(PET, spec, packages=tmp_path, tests=tmp_path)
    assert [what for what in found if what in ("a line of documentation", "an example")] == missing


@pytest.mark.usefixtures("pets")
def test_a_hook_that_nothing_checks_tests_or_uses_is_noticed(tmp_path: Path) -> None:
    assert lacks(PET, documented, packages=tmp_path, tests=tmp_path) == [
        "a check in rpganify.testing",
        "a test of its check that passes",
        "a test of its check that fails",
        "a use by a built-in or a package in plugins/",
    ]
    module = tmp_path / "rpganify-zoo" / "src" / "rpganify_zoo"
    module.mkdir(parents=True)
    (module / "plugin.py").write_text("def rpganify_pets():\n    return []\n")
    (tmp_path / "test_pet.py").write_text("def test_pets_pass():\n    check_pet()\n")
    missing = ["a check in rpganify.testing", "a test of its check that fails"]
    assert lacks(PET, documented, packages=tmp_path, tests=tmp_path) == missing


def test_an_example_is_the_text_behind_its_heading() -> None:
    assert summary_of(documented) == "Pets."
    assert example_of(documented) == "def rpganify_pets(): ...\n"
    assert example_of(without_example) == ""
