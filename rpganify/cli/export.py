"""`rpganify export`: one path of a converted model, or a standard one, as a file that needs no rpganify."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rpganify.cli.completion import names_of
from rpganify.cli.options import ForceOption, ModelArgument, RawOption, SeedOption, TrustSourceOption
from rpganify.entries import ExportEntry

if TYPE_CHECKING:
    from torch import Tensor, nn

    from rpganify.modelfile import Model

_NUM_COMPARED = 7  # another batch size than the exporter saw


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
            help="safetensors (weights under the original's names), pt2 and onnx (programs), …",
            autocompletion=names_of(ExportEntry),
        ),
    ] = "safetensors",
    routed: Annotated[
        bool,
        typer.Option("--routed", help="Write the whole converted model, which takes paths, int64 (N, buckets), any N."),
    ] = False,
    latent_output: Annotated[
        Path | None,
        typer.Option("--latent", metavar="FILE", help="Also write the path's fixed input, 'z' in a .safetensors file."),
    ] = None,
    seed: SeedOption = 0,
    raw: RawOption = False,
    trust_source: TrustSourceOption = False,
    force: ForceOption = False,
) -> None:
    """Write one plain generator, or with --routed a whole model, into a file.

    A path of a converted model is a generator of the original architecture. Its fixed input is the model's: --latent
    writes that, too. Programs (pt2, onnx) are run once more from the file and compared.
    """
    from rpganify.cli.choosing import choose_export
    from rpganify.cli.console import say, show
    from rpganify.cli.files import check_is_free
    from rpganify.cli.models import open_on_disk
    from rpganify.registry import default_registry
    from rpganify.routing.generator import RandomPathGenerator
    from rpganify.surgery.export import export as write_file
    from rpganify.surgery.export import latent_writer, plain_generator, routed_generator

    if routed and latent_output is not None:
        raise typer.BadParameter("The whole model holds its fixed input. Leave one out.", param_hint="--latent")
    write = choose_export(file_format, default_registry())
    for place in (output, latent_output):
        if place is not None:
            check_is_free(place, is_forced=force)
    found = open_on_disk(model, trusts_source=trust_source, is_raw=raw)
    for line in found.told:
        say(line)
    opened = found.model
    module, latent = routed_generator(opened, path) if routed else plain_generator(opened, path, seed)
    write_file(module, latent, output, write, overwrite=force)
    show(str(output))
    if (compared := _compared(file_format, output, module, latent, opened, seed)) is not None:
        say(compared)
    if latent_output is not None:
        write_file(module, latent, latent_output, latent_writer(), overwrite=force)
        show(str(latent_output))
    elif isinstance(opened, RandomPathGenerator) and not routed:
        say("the path's fixed input is not in it: --latent z.safetensors writes that beside it")


def _compared(file_format: str, file: Path, module: nn.Module, latent: Tensor, opened: Model, seed: int) -> str | None:
    """How a program that was written draws, beside what it was written from; None for other formats."""
    import torch
    from torch.utils._pytree import tree_leaves

    from rpganify.surgery.onnx import onnx_images, pt2_images

    readers = {"onnx": ("onnxruntime", onnx_images), "pt2": ("torch.export", pt2_images)}
    if file_format not in readers:
        return None
    who, read = readers[file_format]
    chance = torch.Generator().manual_seed(seed)
    if latent.dtype.is_floating_point:
        inputs = torch.randn(_NUM_COMPARED, *latent.shape[1:], generator=chance, dtype=latent.dtype).to(latent.device)
    else:
        inputs = opened.draw(_NUM_COMPARED, chance).to(latent.device)
    with torch.no_grad():
        expected = tree_leaves(module(inputs))[0]
        largest = float((read(file, inputs).to(expected.device) - expected).abs().max())
    what = "latents" if latent.dtype.is_floating_point else "paths"
    return f"verified: {who} draws {_NUM_COMPARED} random {what} from {file} with a difference of at most {largest:.1e}"
