"""`rpganify linearize`: a model whose activations do nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rpganify.cli.options import (
    ArgOption,
    ForceOption,
    NamedModelArgument,
    RawOption,
    SeedOption,
    TrustSourceOption,
    WeightsOption,
)


def linearize(
    model: NamedModelArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="The new model to write.")],
    output_too: Annotated[
        bool, typer.Option("--output-too", help="Also what brings images into their range, such as a tanh at the end.")
    ] = False,
    arg: ArgOption = None,
    weights: WeightsOption = None,
    seed: SeedOption = 0,
    raw: RawOption = False,
    trust_source: TrustSourceOption = False,
    force: ForceOption = False,
) -> None:
    """Replace activations by the identity.

    Says which ones. Batch norms in eval mode are linear and stay; `rpganify merge` folds them in. Train the new model
    before you look at its images.
    """
    from rpganify.cli.console import say, show
    from rpganify.cli.files import check_is_free
    from rpganify.cli.models import open_model
    from rpganify.cli.sources import SourceOptions
    from rpganify.modelfile import save_model
    from rpganify.surgery.linearize import linearize as linearize_model

    check_is_free(output, is_forced=force)
    options = SourceOptions(str(model), arguments=arg, weights=weights, seed=seed)
    opened = open_model(options, trusts_source=trust_source, is_raw=raw)
    for line in opened.told:
        say(line)
    done = linearize_model(opened.model, is_output_too=output_too)
    save_model(done.model, output, overwrite=force)
    for text in done.replaced:
        show(f"replaced by the identity: {text}")
    for text in done.kept:
        show(f"kept, as it brings images into their range: {text}")
    for text in done.remaining:
        show(f"not linear, and stays: {text}")
    say(f"wrote {output}")
    say(f"next: rpganify train {output} --data NAME -o runs/{output.stem}")
