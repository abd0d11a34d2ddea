"""Renders the README's chapter on plugins from the code; `python -m tests.plugin_chapter` writes it into the README."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Callable
from inspect import getdoc
from typing import Any

from rpganify.cli import plugins
from rpganify.cli.plugin_package import RECIPES
from rpganify.registry import KINDS, Kind
from rpganify.registry.finding import DIRECTORY_VARIABLE, ENTRY_POINT_GROUP, LOAD_VARIABLE
from rpganify.testing import CHECKS, BrokenLaw, Unavailable, check_loss
from tests.hooks import ROOT, built_ins_of, packages_of, spec_of, summary_of
from tests.readme_chapter import README, folded, table, with_chapter

FIRST_PLUGIN = ROOT / "examples" / "plugins" / "dense.py"
BEGIN = "<!-- Written by `python -m tests.plugin_chapter`; change that, not this. -->\n"
END = "<!-- Up to here. -->\n"


class UpsideDown:
    """The loss whose mistake the chapter shows: its generator makes its images look worse."""

    wants_spectral_norm = True

    def discriminator(self, real_scores: Any, fake_scores: Any) -> Any:
        return fake_scores.mean() - real_scores.mean()

    def generator(self, fake_scores: Any) -> Any:
        return fake_scores.mean()

    def penalty(self, discriminator: Any, real: Any, fake: Any, generator: Any) -> None:
        return None


def chapter() -> str:
    """The text between the marks."""
    return f"""
Everything that has a name comes in through hooks, what is built in too. A plugin is a file or a package with a function
for each hook that it implements. This file, `{FIRST_PLUGIN.relative_to(ROOT)}`, is a whole one:

{_indented(first_plugin())}

With the file's folder, every command knows the name:

    rpganify --plugins-dir {FIRST_PLUGIN.parent.relative_to(ROOT)} convert dense --blocks 20

The hooks, each with such a file as its example in `rpganify/hookspecs.py`:

{table(("hook", "offers", "used by", "checked by", "implemented by"), [_hook_row(kind) for kind in KINDS])}

A factory may be a text, `"package.module:attribute"`, which is imported when somebody asks for that name: names are
listed and completed in the shell without torch.

    rpganify plugins                  # {_help(plugins.list_plugins)}
    rpganify plugins new loss mine    # {_help(plugins.new)}
    rpganify plugins doctor           # {_help(plugins.doctor)}

{folded(f"`new` takes a kind: {', '.join(kind.word for kind in KINDS)}.")}

A package is found by its entry point in the group `{ENTRY_POINT_GROUP}`, a file by its folder:

{table(("to", "write"), _ways())}

A plugin that cannot be imported is reported and left out; a misspelt hook, or a name that two plugins give, is refused,
naming both.

A plugin's own test takes a line for each thing that it offers:

    from rpganify.testing import check_loss

    def test_the_loss_keeps_the_laws():
        check_loss(UpsideDown())

If a law does not hold, the check says which, what came instead, and what to change:

{_indented(_failure())}

The docstring of each check lists the laws. What cannot be checked for want of a file raises `{Unavailable.__name__}`, which
skips the test.

`plugins/` holds packages that use the public names only; `pip install ./plugins/NAME` installs one:

{table(("package", "what it is"), _packages())}
"""


def first_plugin() -> str:
    """The example's code, without its docstring."""
    text = FIRST_PLUGIN.read_text(encoding="utf-8")
    first, second, *_ = ast.parse(text).body
    assert isinstance(first, ast.Expr), "the example begins with a docstring"
    return "\n".join(text.splitlines()[second.lineno - 1 :])


def rendered(readme: str) -> str:
    """The README with the chapter as it should be.

    Raises:
        ValueError: the marks are missing, or there is more than one pair.
    """
    return with_chapter(readme, BEGIN, END, chapter)


def _hook_row(kind: Kind) -> tuple[str, ...]:
    users = [f"`{name}`" for name in built_ins_of(kind)] + packages_of(kind)
    offers = summary_of(spec_of(kind)).rstrip(".")
    return f"`{kind.hook}`", offers, f"`{_use(kind)}`", f"`{CHECKS[kind.entry].__name__}`", ", ".join(users)


def _use(kind: Kind) -> str:
    """Command and option that take a name of that kind."""
    words = RECIPES[kind.word].usage.replace("$name", "NAME").removeprefix("rpganify ").split()
    place = words.index("NAME") if "NAME" in words else 0
    is_option = words[place - 1].startswith("--")
    return " ".join([words[0], *words[place - 1 : place + 1]]) if is_option else " ".join(words)


def _ways() -> list[tuple[str, str]]:
    return [
        ("load the files of a folder", f"`--plugins-dir DIR` behind `rpganify`, or `{DIRECTORY_VARIABLE}=DIR`"),
        ("leave a plugin out", "`-p no:NAME` behind `rpganify`"),
        ("load these and no others", f"`{LOAD_VARIABLE}=NAME,NAME`; nothing behind the `=` loads none"),
    ]


def _packages() -> list[tuple[str, str]]:
    rows = []
    for file in sorted((ROOT / "plugins").glob("*/pyproject.toml")):
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        rows.append((f"[{project['name']}](plugins/{file.parent.name})", project["description"].rstrip(".")))
    return rows


def _failure() -> str:
    """What the check says of the wrong loss."""
    try:
        check_loss(UpsideDown())
    except BrokenLaw as error:
        return folded(f"{BrokenLaw.__name__}: {error}")
    raise AssertionError("check_loss passes a loss that is upside down")


def _help(command: Callable[..., Any]) -> str:
    line = (getdoc(command) or "").partition("\n")[0].rstrip(".")
    return line[:1].lower() + line[1:]


def _indented(text: str) -> str:
    return "\n".join(f"    {line}".rstrip() for line in text.strip().splitlines())


if __name__ == "__main__":
    README.write_text(rendered(README.read_text(encoding="utf-8")), encoding="utf-8")
