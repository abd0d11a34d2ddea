import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rpganify.analysis.code_version import _modules_below, code_version

FILES = {
    "__init__.py": "",
    "analyzer.py": "from mypackage.one import f\nfrom . import two\n",
    "one.py": "def f():\n    from mypackage.inner.deep import g\n    return g\n",
    "two.py": "from .inner import (\n    other,  # a comment\n)\nimport json\n",
    "apart.py": "X = 1\n",
    "inner/__init__.py": "",
    "inner/deep.py": "from ..three import X\n",
    "inner/other.py": "",
    "three.py": "import mypackage.four as four\nX = 3\n",
    "four.py": "from mypackage import analyzer\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """A package of modules that import each other in all ways; gives the version of its analyzer."""
    for name, text in FILES.items():
        (tmp_path / "mypackage" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mypackage" / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("mypackage")

    def version() -> str:
        code_version.cache_clear()
        return code_version("mypackage.analyzer")

    yield version
    for name in [name for name in sys.modules if name.split(".")[0] == "mypackage"]:
        del sys.modules[name]
    code_version.cache_clear()


IMPORTED = ["analyzer", "one", "two", "inner/__init__", "inner/deep", "inner/other", "three", "four"]


@pytest.mark.parametrize("changed", IMPORTED)
def test_a_change_in_what_is_imported_is_another_version(package: Callable[[], str], tmp_path: Path, changed: str):
    before = package()
    assert package() == before and before.startswith("mypackage.analyzer unreleased ")
    with (tmp_path / "mypackage" / f"{changed}.py").open("a") as file:
        file.write("\n# changed\n")
    assert package() != before


def test_a_change_elsewhere_in_the_package_is_not(package: Callable[[], str], tmp_path: Path):
    before = package()
    (tmp_path / "mypackage" / "apart.py").write_text("X = 2\n")
    (tmp_path / "mypackage" / "new.py").write_text("")
    assert package() == before


def test_a_module_without_source_has_a_version_by_its_name():
    assert code_version("builtins").startswith("builtins unreleased ")


def test_what_a_plugin_imports_of_rpganify_counts_too(package: Callable[[], str], tmp_path: Path):
    found = set(_modules_below("mypackage.analyzer"))
    (tmp_path / "mypackage" / "four.py").write_text("from rpganify.report.report import Report\n")
    assert {name for name in set(_modules_below("mypackage.analyzer")) - found} >= {
        "rpganify.report.report",
        "rpganify.errors",
    }


def test_the_house_finds_its_own_modules():
    assert code_version("rpganify.analysis.diversity.analyzer") != code_version("rpganify.analysis.variations.analyzer")
