"""The package that `rpganify plugins new` writes."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from rpganify.cli.plugin_package import package_files, write_package
from rpganify.errors import RegistryError
from rpganify.registry import KINDS, Kind, Registry, resolve

kinds = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.word)


@pytest.fixture
def package(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A written package whose modules can be imported."""
    folder = tmp_path / "written"
    write_package(kind, "of-mine", folder)
    monkeypatch.syspath_prepend(str(folder / "src"))
    yield folder
    for name in [name for name in sys.modules if name.startswith("rpganify_of_mine")]:
        del sys.modules[name]


@kinds
def test_its_test_passes_as_written(kind: Kind, package: Path) -> None:
    (file,) = (package / "tests").glob("test_*.py")
    spec = importlib.util.spec_from_file_location("written_test", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    assert tests
    for test in tests:
        test()


@kinds
def test_its_plugin_offers_the_name_and_a_factory_that_is_there(kind: Kind, package: Path) -> None:
    plugin = importlib.import_module("rpganify_of_mine.plugin")
    registry = Registry()
    registry.register(plugin)
    entry = registry.get(kind.entry, "of-mine")
    assert resolve(entry.factory).__module__ == "rpganify_of_mine.of_mine"
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    assert project["name"] == "rpganify-of-mine"
    assert project["entry-points"]["rpganify"] == {"of-mine": "rpganify_of_mine.plugin"}


@kinds
def test_its_plugin_module_imports_only_the_hooks(kind: Kind) -> None:
    tree = ast.parse(package_files(kind, "of-mine")["src/rpganify_of_mine/plugin.py"])
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"__future__", "rpganify.hookspecs"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]


@kinds
def test_its_readme_names_a_command_or_field_that_uses_it(kind: Kind) -> None:
    readme = package_files(kind, "of-mine")["README.md"]
    assert f"Use it: `{'Architecture(' if kind.word == 'routed-layer' else 'rpganify '}" in readme
    assert "$" not in readme and "of-mine" in readme.split("Use it: ")[1]


@pytest.mark.parametrize(
    ("word", "name", "made"),
    [
        ("loss", "least-squares", "LeastSquaresLoss"),
        ("loss", "hinge-loss", "HingeLoss"),
        ("callback", "callback", "CallbackCallback"),
        ("architecture", "tensor", "TensorGenerator"),
        ("routed-layer", "gain", "GainLayer"),
    ],
)
def test_classes_are_called_after_the_name_and_hide_nothing_that_is_imported(word: str, name: str, made: str) -> None:
    kind = next(kind for kind in KINDS if kind.word == word)
    code = package_files(kind, name)[f"src/rpganify_{name.replace('-', '_')}/{name.replace('-', '_')}.py"]
    assert f"class {made}" in code


@pytest.mark.parametrize("name", ["lambda", "plugin"])
def test_a_name_that_no_module_can_have_gets_another_module(name: str) -> None:
    files = package_files(KINDS[1], name)
    assert f"src/rpganify_{name}/{name}_.py" in files
    assert f"from rpganify_{name}.{name}_ import" in files[f"tests/test_{name}.py"]


def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(
        RegistryError, match=r"exists already, and nothing in it is replaced\. Choose another name or -o"
    ):
        write_package(KINDS[0], "x", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_the_code_is_formatted_and_clean(tmp_path: Path) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    if not ruff.exists():
        pytest.skip("ruff is not installed beside this interpreter")
    for kind in KINDS:
        for name in ("x", "a-much-longer-name"):
            write_package(kind, name, tmp_path / f"{kind.word}-{name}")
    style = ["--isolated", "--no-cache", "--line-length", "120", "--target-version", "py311"]
    for command in (["format", "--check", *style], ["check", *style, "--select", "E,F,UP,B,SIM"]):
        result = subprocess.run([str(ruff), *command, "."], cwd=tmp_path, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout
