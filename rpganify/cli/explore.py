"""`rpganify explore`: a local page where a click on a block changes the image."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rpganify.cli.options import ConditionOption, DeviceOption, ModelArgument, RawOption, SeedOption, TrustSourceOption

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from rpganify.routing.generator import Condition, RandomPathGenerator


def explore(
    model: ModelArgument,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="NUMBER", help="Port on 127.0.0.1; 0 takes a free one.")
    ] = 0,
    opens_browser: Annotated[
        bool | None,
        typer.Option(
            "--open/--no-browser",
            help="Open the page in a browser, or only say where it is. Without either: opened from a terminal.",
        ),
    ] = None,
    condition: ConditionOption = None,
    seed: SeedOption = 0,
    raw: RawOption = False,
    trust_source: TrustSourceOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Open a page where a click on a block changes the image.

    Choose or draw paths, lock buckets, compare two paths, walk from one to the other, and copy the command that makes a
    picture again. The page is served to this machine only, until Ctrl-C; its address is printed on stdout.
    """
    from rpganify.explorer.serving import address, check_is_installed, make_server, open_socket

    check_is_installed()
    opened_socket = open_socket(port)  # before the model is read: a port that is taken is known at once
    with opened_socket:
        from concurrent.futures import ThreadPoolExecutor

        from rpganify.analysis.generation import evaluating
        from rpganify.cli.choosing import choose_device
        from rpganify.cli.conditions import read_conditions
        from rpganify.cli.console import say, show
        from rpganify.cli.models import open_on_disk
        from rpganify.errors import ExplorerError
        from rpganify.explorer.app import build_app
        from rpganify.explorer.conditions import make_fields
        from rpganify.explorer.describing import Naming
        from rpganify.explorer.painting import Painter
        from rpganify.memory import keep_freed_memory
        from rpganify.routing.generator import RandomPathGenerator

        place = choose_device(device)
        if place.type == "cpu":
            keep_freed_memory()
        found = open_on_disk(model, trusts_source=trust_source, is_raw=raw)
        for line in found.told:
            say(line)
        opened = found.model
        if not isinstance(opened, RandomPathGenerator):
            raise ExplorerError(
                f"{model} is a standard generator with a random latent, so it has no buckets and blocks to choose from. "
                "Convert one (`rpganify convert SOURCE --buckets 5 --blocks 40`), train it, and explore that."
            )
        conditions = read_conditions(_with_defaults(condition, opened.conditions), opened.conditions)
        with evaluating(opened, seed):
            fields = make_fields(opened.conditions, conditions, lambda given: _one_image(opened, given))
        painter = Painter(opened.to(place), conditions, seed)
        options = [name for name, is_given in (("--raw", raw), ("--trust-source", trust_source)) if is_given]
        told = "; ".join(line.removeprefix(f"{model}: ") for line in found.told)
        naming = Naming(str(model), tuple(options), told)
        page = address(opened_socket)
        with ThreadPoolExecutor(1, thread_name_prefix="painter") as executor:
            server = make_server(build_app(painter, fields, naming, executor))
            show(page)
            say(f"exploring {model} on {place}; Ctrl-C ends it")
            if opens_browser or (opens_browser is None and sys.stdout.isatty()):
                typer.launch(page)
            try:
                server.run(sockets=[opened_socket])
            except KeyboardInterrupt:
                say("ended")


def _with_defaults(given: Sequence[str] | None, wanted: Sequence[Condition]) -> list[str]:
    """The `name=value` texts that were given, and zeros for the rest: the page changes them."""
    import torch

    named = {text.partition("=")[0] for text in given or ()}
    zeros = {one.name: torch.zeros(one.shape, dtype=torch.int64).tolist() for one in wanted if one.name not in named}
    return [*(given or ()), *(f"{name}={value}" for name, value in zeros.items())]


def _one_image(model: RandomPathGenerator, conditions: dict[str, Any]) -> Tensor:
    import torch

    path = torch.zeros(1, model.paths.num_buckets, dtype=torch.int64)
    return model.images(path, **{name: value[None] for name, value in conditions.items()})
