"""`rpganify extract`: one path of a converted model as a state dict for the generator's own class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rpganify.cli.options import ArgOption, ForceOption, ModelArgument, RawOption, TrustSourceOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from rpganify.routing.generator import RandomPathGenerator


def extract(
    model: ModelArgument,
    path: Annotated[str, typer.Option("--path", metavar="PATH", help="Which path: 3-17-0-22-5.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The .safetensors file to write.")],
    latent_output: Annotated[
        Path | None,
        typer.Option("--latent", metavar="FILE", help="Also write the path's fixed input, 'z' in a .safetensors file."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            metavar="SOURCE",
            help="The generator's class, to load the weights into it, strictly, and compare; an architecture is known.",
        ),
    ] = None,
    arg: ArgOption = None,
    raw: RawOption = False,
    trust_source: TrustSourceOption = False,
    force: ForceOption = False,
) -> None:
    """Write one path as weights for the original class.

    The file is an ordinary state dict: Generator().load_state_dict(safetensors.torch.load_file(FILE)). What it draws from
    the path's fixed input is compared with the model's image of the path, bit for bit.
    """
    from rpganify.cli.console import say, show
    from rpganify.cli.files import check_is_free
    from rpganify.cli.operations import find_factory, open_converted
    from rpganify.surgery.export import export, latent_writer, plain_generator, safetensors_writer

    for place in (output, latent_output):
        if place is not None:
            check_is_free(place, is_forced=force)
    opened = open_converted(model, trusts_source=trust_source, is_raw=raw)
    chosen = opened.paths.parse(path)
    module, latent = plain_generator(opened, chosen)
    factory = find_factory(opened, source, arg)
    lines = [_compare("the extracted generator", lambda: module, opened, chosen, latent)]
    if factory is not None:
        lines.append(_compare_original(factory, module, opened, chosen, latent))
    export(module, latent, output, safetensors_writer(), overwrite=force)
    show(str(output))
    if latent_output is not None:
        export(module, latent, latent_output, latent_writer(), overwrite=force)
        show(str(latent_output))
    for line in lines:
        say(line)
    if latent_output is None:
        say("the path's fixed input is not in it: --latent z.safetensors writes that beside it")


def _compare(
    what: str, build: Callable[[], nn.Module], opened: RandomPathGenerator, path: Tensor, latent: Tensor
) -> str:
    """How a plain generator's image differs from the model's, in words."""
    import torch

    from rpganify.routing.generator import image_of

    plain = build()
    if opened.conditions:
        names = ", ".join(condition.name for condition in opened.conditions)
        return f"not compared: {what} takes {names} besides its latent"
    with torch.no_grad():
        image = image_of(opened.blueprint, plain(**{opened.blueprint.latent.argument: latent}))
        expected = opened.images(path[None])
    if torch.equal(image, expected):
        return f"verified: the image of {what} is bit for bit the model's"
    return f"verified: the image of {what} differs from the model's by at most {(image - expected).abs().max():.1e}"


def _compare_original(
    factory: Callable[[int], nn.Module], module: nn.Module, opened: RandomPathGenerator, path: Tensor, latent: Tensor
) -> str:
    """How the original class draws with the weights, in words.

    Raises:
        ConversionError: they do not load into it, strictly.
    """
    from rpganify.errors import ConversionError

    original = factory(0).eval()
    name = type(original).__name__
    try:
        original.load_state_dict(module.state_dict(), strict=True)
    except RuntimeError as error:
        raise ConversionError(
            f"The path's weights do not load into {name}: {' '.join(str(error).split())[:300]}. Name the class and the "
            "arguments that the model was converted from (--source, --arg)."
        ) from error
    return _compare(f"{name}, into which the weights load strictly,", lambda: original, opened, path, latent)
