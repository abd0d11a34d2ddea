"""Controls on the command line: which are asked for, and codes under them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torch import Tensor, nn

ControlOption = Annotated[
    list[str] | None,
    typer.Option(
        "--control",
        metavar="CONCEPT[=STRENGTH]",
        help="Raise a concept (3=+2), or lower it (3=-2): by standard deviations of z, or with so many blocks; repeat.",
    ),
]
ControlsFileOption = Annotated[
    Path | None,
    typer.Option(
        "--controls",
        metavar="FILE",
        help="Controls that `rpganify concepts --save-controls FILE` found; controls.safetensors in MODEL if left out.",
    ),
]


@dataclass(frozen=True, slots=True)
class WantedControl:
    """A control as typed.

    Args:
        concept: its name.
        strength: None takes it as it was found.
    """

    concept: str
    strength: float | None

    @property
    def text(self) -> str:
        """As people write it: `3=+2`, or `3`."""
        return self.concept if self.strength is None else f"{self.concept}={self.strength:+g}"


def parse_controls(values: Sequence[str] | None) -> list[WantedControl]:
    """What `--control` asks for.

    Raises:
        typer.BadParameter: a strength that is no number, or a concept named twice.
    """
    wanted: list[WantedControl] = []
    for value in values or ():
        concept, equals, text = value.rpartition("=") if "=" in value else (value, "", "")
        try:
            strength = float(text) if equals else None
        except ValueError:
            strength = math.nan
        if not concept or (strength is not None and not math.isfinite(strength)):
            raise typer.BadParameter(f"{value!r} is not CONCEPT=STRENGTH, such as 3=+2.", param_hint="--control")
        if concept in [one.concept for one in wanted]:
            raise typer.BadParameter(f"{concept!r} is given twice.", param_hint="--control")
        wanted.append(WantedControl(concept, strength))
    return wanted


def apply_controls(
    codes: Tensor, wanted: Sequence[WantedControl], model: nn.Module, folder: Path, file: Path | None
) -> Tensor:
    """Codes under controls: first what sets values or blocks, in the order named, then what adds to them.

    Args:
        codes: latents `(N, *latent)` or paths `(N, num_buckets)`.
        wanted: at least one.
        model: whose codes they are; its controls must be its own.
        folder: as the user named the model.
        file: of the controls, as the user named it; None looks in the folder.
    Raises:
        AnalysisError: there are no controls, or they are of another model; or a control that there is not.
    """
    from rpganify.analysis.controls.saved import find_controls, load_controls
    from rpganify.analysis.provenance import model_sha256
    from rpganify.cli.console import say

    found = find_controls(folder, file)
    saved = load_controls(found)
    if file is None:
        say(f"controls of {found}")
    saved.check_model(model_sha256(model))
    flat = codes.flatten(1)
    touched: dict[int, str] = {}
    chosen = [(saved.find(one.concept), one) for one in wanted]
    # What is added is added to what is set, in whatever order they were named.
    for control, one in sorted(chosen, key=lambda pair: pair[0].kind == "shift"):
        flat = control.apply(flat, one.strength)
        if control.kind == "shift":
            continue
        for choice in control.at(one.strength):
            before = touched.get(choice.coordinate)
            if before is not None:
                what = f"bucket {choice.coordinate + 1}" if control.kind == "blocks" else f"z[{choice.coordinate}]"
                say(f"note: {before} and {one.text} both set {what}; the last one named, {one.text}, has it")
            touched[choice.coordinate] = one.text
    return flat.reshape(codes.shape)
