"""The README's chapter on plugins is what the code says, and its first plugin works."""

import pytest

from rpganify.entries import Architecture
from rpganify.registry import Registry
from rpganify.registry.finding import Selection
from rpganify.testing import check_architecture
from tests.plugin_chapter import BEGIN, END, FIRST_PLUGIN, README, first_plugin, rendered


def test_the_chapter_is_up_to_date():
    readme = README.read_text(encoding="utf-8")
    assert rendered(readme) == readme, "run `python -m tests.plugin_chapter`"


def test_a_chapter_that_differs_is_replaced_and_the_rest_of_the_readme_kept():
    readme = f"# mine\n{BEGIN}old text\n{END}the rest\n"
    made = rendered(readme)
    assert made.startswith(f"# mine\n{BEGIN}\nEverything that has a name") and made.endswith(f"\n\n{END}the rest\n")
    assert "old text" not in made and rendered(made) == made


@pytest.mark.parametrize("readme", ["", BEGIN, END + BEGIN, f"{BEGIN}{END}{BEGIN}", f"{BEGIN}{END}{END}"])
def test_a_readme_without_its_marks_is_refused(readme):
    with pytest.raises(ValueError, match=r"README\.md holds .* once each, in this order"):
        rendered(readme)


def test_the_first_plugin_has_ten_lines():
    assert len([line for line in first_plugin().splitlines() if line]) <= 10


def test_the_first_plugin_keeps_the_laws_of_its_kind():
    registry = Registry(Selection(directories=(FIRST_PLUGIN.parent,), only=("dense",)))
    check_architecture(registry.get(Architecture, "dense"), registry=registry)


def test_the_first_plugin_is_converted_by_name_and_listed(shell):
    directory = ("--plugins-dir", str(FIRST_PLUGIN.parent))
    shell.succeeds(*directory, "convert", "dense", "--blocks", "20")
    assert (shell.directory / "dense.rpgan" / "graph.json").is_file()
    listed = shell.succeeds(*directory, "plugins").stdout
    assert "two dense layers, 28x28" in listed
