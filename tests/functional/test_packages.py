"""What all packages in plugins/ have in common."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
FOLDERS = sorted(path.parent for path in PLUGINS.glob("*/pyproject.toml"))


def project(folder: Path) -> dict:
    return tomllib.loads((folder / "pyproject.toml").read_text())["project"]


def test_there_are_the_packages_that_the_readme_promises() -> None:
    assert {folder.name for folder in FOLDERS} >= {
        f"rpganify-{name}" for name in ("stylegan2", "biggan", "wavegan", "medmnist", "relativistic")
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_package_is_called_as_its_folder_depends_on_rpganify_and_has_readme_types_and_tests(folder: Path) -> None:
    told = project(folder)
    assert told["name"] == folder.name and told["readme"] == "README.md"
    assert any(dependency.startswith("rpganify>=") for dependency in told["dependencies"])
    package = folder.name.replace("-", "_")
    assert list(told["entry-points"]["rpganify"].values()) == [f"{package}.plugin"]
    assert (folder / "src" / package / "py.typed").exists() and list((folder / "tests").glob("test_*.py"))


def test_listing_what_they_offer_loads_neither_torch_nor_what_they_depend_on() -> None:
    modules = [point for folder in FOLDERS for point in project(folder)["entry-points"]["rpganify"].values()]
    heavy = ("torch", "numpy", "scipy", "matplotlib", "medmnist", "pandas")
    code = (
        f"import sys; sys.path[:0] = {[str(folder / 'src') for folder in FOLDERS]!r}\n"
        f"for name in {modules!r}:\n"
        "    module = __import__(name, fromlist=['x'])\n"
        "    hooks = [f for n, f in vars(module).items() if n.startswith('rpganify_')]\n"
        "    assert hooks and all(hook() for hook in hooks), name\n"
        f"print(*sorted(set({heavy!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_name_that_a_package_offers_is_in_its_readme(folder: Path) -> None:
    sys.path.insert(0, str(folder / "src"))
    try:
        module = __import__(f"{folder.name.replace('-', '_')}.plugin", fromlist=["x"])
    finally:
        sys.path.remove(str(folder / "src"))
    readme = (folder / "README.md").read_text()
    for hook in (function for name, function in vars(module).items() if name.startswith("rpganify_")):
        for entry in hook():
            assert f"`{entry.name}" in readme or f" {entry.name} " in readme, entry.name
