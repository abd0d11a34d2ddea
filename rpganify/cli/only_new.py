"""What `rpganify train --only-new` proves at its end: everything old is bit for bit as it was."""

from __future__ import annotations

from pathlib import Path

from rpganify.cli.console import show
from rpganify.errors import TrainingError
from rpganify.modelfile import Model, load_model
from rpganify.modelfinding import AVERAGE, RAW
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.retention import compare_old


def show_retention(before: Model, checkpoint: Path, *, trusts_source: bool = False) -> None:
    """Compares what a training left on the disk with the grown model that it began with, and says so.

    Args:
        before: the grown model, untouched.
        checkpoint: of the training's last step.
        trusts_source: whether a model may import functions of its own source.
    Raises:
        TrainingError: something old has changed; it is named.
    """
    assert isinstance(before, RandomPathGenerator)
    for name, words in ((RAW, "trained weights"), (AVERAGE, "moving average")):
        if not (checkpoint / name).is_dir():
            continue
        after = load_model(checkpoint / name, trust_source=trusts_source)
        assert isinstance(after, RandomPathGenerator)
        found = compare_old(before, after, is_average=name == AVERAGE)
        if found.changed:
            raise TrainingError(
                f"{checkpoint / name}: {len(found.changed)} of {found.num_tensors} tensors hold old values that changed, "
                f"such as {found.changed[0]!r}, although only new blocks were to be trained. This is a bug in rpganify: "
                "please report it. The model that had grown is still as it was."
            )
        show(
            f"verified, {words}: all {found.num_values:,} old values in {found.num_tensors} tensors (old blocks, shared "
            f"layers and their running statistics, Z) are bit for bit as they were; of {found.num_new_values:,} values of "
            f"new blocks {found.num_new_changed:,} changed"
            + (
                f", among them running statistics of their own ({len(found.gathered)} tensors)"
                if found.gathered
                else ""
            )
        )
