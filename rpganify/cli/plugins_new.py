"""`rpganify plugins new`: writes a plugin package that works and passes its test, to be changed into one's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from rpganify.cli.completion import complete_kind

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


def new(
    kind: Annotated[
        str, typer.Argument(metavar="KIND", autocompletion=complete_kind, help="loss, dataset, analyzer, …")
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="What users will type, such as squared-error.")],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="The folder to make; rpganify-NAME if left out."),
    ] = None,
) -> None:
    """Begin a plugin: a package that works, with a test.

    KIND is architecture, loss, discriminator, dataset, routed-layer, replication, distance, extractor, analyzer, callback
    or export.
    """
    from rpganify.cli.console import say, show
    from rpganify.cli.plugin_package import article, write_package
    from rpganify.errors import RegistryError, closest
    from rpganify.registry import KINDS, default_registry

    chosen = next((one for one in KINDS if one.word == kind), None)
    if chosen is None:
        words = [one.word for one in KINDS]
        raise typer.BadParameter(f"{kind!r} is none.{closest(kind, words)} The kinds are: {', '.join(words)}.")
    if not _NAME.fullmatch(name):
        raise typer.BadParameter(
            f"{name!r} cannot name a package: write small letters, digits and '-', as squared-error."
        )
    registry = default_registry()
    taken = registry.all(chosen.entry).get(name)
    if taken is not None and registry.provider(taken).distribution != f"rpganify-{name}":
        owner = registry.provider(taken)
        raise RegistryError(
            f"There is {article(chosen.one)} {chosen.one} {name!r} already, from the plugin {owner}, and a name belongs "
            "to one. Choose another."
        )
    folder = output or Path(f"rpganify-{name}")
    written = write_package(chosen, name, folder)
    for path in written:
        show(str(path))
    say(f"next: pip install -e {folder} && rpganify plugins doctor {name}")
