"""`rpganify export`: one path of a converted model, or a standard one, as a file that needs no rpganify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rpganify.cli.completion import names_of
from rpganify.cli.options import ForceOption, ModelArgument, RawOption, SeedOption, TrustSourceOption
from rpganify.entries import ExportEntry


def export(
    model: ModelArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The file to write.")],
    path: Annotated[
        str | None, typer.Option("--path", metavar="PATH", help="Which path of a converted model: 3-17-0-22-5.")
    ] = None,
    file_format: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="NAME",
            help="safetensors (weights under the original's names), pt2 (a program), …",
            autocompletion=names_of(ExportEntry),
        ),
    ] = "safetensors",
    latent_output: Annotated[
        Path | None,
        typer.Option("--latent", metavar="FILE", help="Also write the path's fixed input, 'z' in a .safetensors file."),
    ] = None,
    seed: SeedOption = 0,
    raw: RawOption = False,
    trust_source: TrustSourceOption = False,
    force: ForceOption = False,
) -> None:
    """Write one plain generator into a file.

    A path of a converted model is a generator of the original architecture. Its fixed input is the model's: --latent
    writes that, too.
    """
    from rpganify.cli.choosing import choose_export
    from rpganify.cli.console import say, show
    from rpganify.cli.files import check_is_free
    from rpganify.cli.models import open_on_disk
    from rpganify.registry import default_registry
    from rpganify.routing.generator import RandomPathGenerator
    from rpganify.surgery.export import export as write_file
    from rpganify.surgery.export import latent_writer, plain_generator

    write = choose_export(file_format, default_registry())
    for place in (output, latent_output):
        if place is not None:
            check_is_free(place, is_forced=force)
    found = open_on_disk(model, trusts_source=trust_source, is_raw=raw)
    for line in found.told:
        say(line)
    opened = found.model
    module, latent = plain_generator(opened, path, seed)
    write_file(module, latent, output, write, overwrite=force)
    show(str(output))
    if latent_output is not None:
        write_file(module, latent, latent_output, latent_writer(), overwrite=force)
        show(str(latent_output))
    elif isinstance(opened, RandomPathGenerator):
        say("the path's fixed input is not in it: --latent z.safetensors writes that beside it")
