"""Controls on the command line: which are asked for, and codes under them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torch import nn

    from rpganify.analysis.analyzer import AnalysisContext
    from rpganify.cli.sample_paths import ChosenPaths
    from rpganify.report.report import Report

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
SetsOption = Annotated[
    bool,
    typer.Option(
        "--sets",
        help="Also find controlling sets: few numbers of z, or blocks, that bring any image to a class. Takes minutes; "
        "--twin is compared with, and by --data what breaks images is left out.",
    ),
]
SaveControlsOption = Annotated[
    Path | None,
    typer.Option(
        "--save-controls",
        metavar="FILE",
        help="Write the controlling sets (.safetensors), for `rpganify sample --control`; finds them, as --sets does.",
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


def check_controls(values: Sequence[str] | None, file: Path | None, kinds: Sequence[str]) -> list[WantedControl]:
    """What `--control` asks for, refused before any work is done if it cannot be meant.

    Args:
        values: as typed.
        file: of `--controls`, as typed.
        kinds: options that say what is made of a path.
    Raises:
        typer.BadParameter: a strength that is no number, a concept named twice, a file and no control, or a control of
            what is made of a path.
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
    if file is not None and not wanted:
        raise typer.BadParameter("It says where the controls are; name one: --control 3=+2.", param_hint="--controls")
    if wanted and kinds:
        raise typer.BadParameter(
            f"It changes random images, or that of --path; leave it out with {kinds[0]}.", param_hint="--control"
        )
    return wanted


def under_controls(
    chosen: ChosenPaths, wanted: Sequence[WantedControl], model: nn.Module, folder: Path, file: Path | None
) -> ChosenPaths:
    """What is shown, under controls: first those that set values or blocks, in the order named, then those that add.

    Args:
        chosen: latents `(N, *latent)` or paths `(N, num_buckets)`.
        wanted: at least one.
        model: whose they are; its controls must be its own.
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
    flat = chosen.paths.flatten(1)
    touched: dict[int, str] = {}
    controls = [(saved.find(one.concept), one) for one in wanted]
    for control, one in sorted(controls, key=lambda pair: pair[0].kind == "shift"):
        flat = control.apply(flat, one.strength)
        for choice in control.at(one.strength) if control.kind != "shift" else ():
            before = touched.get(choice.coordinate)
            if before is not None:
                what = (
                    f"bucket {choice.coordinate + 1}"
                    if control.kind == "blocks"
                    else f"number {choice.coordinate} of z"
                )
                say(f"note: {before} and {one.text} both set {what}, and {one.text}, named last, has it")
            touched[choice.coordinate] = one.text
    texts = [one.text for one in wanted]
    title = ", ".join([*([chosen.title] if chosen.title else []), f"control {', '.join(texts)}"])
    return replace(
        chosen, paths=flat.reshape(chosen.paths.shape), title=title, details={**chosen.details, "controls": texts}
    )


def check_controls_path(path: Path | None) -> None:
    """Refuses a file name that controls cannot have, before any work is done.

    Raises:
        typer.BadParameter: another suffix than .safetensors.
    """
    if path is not None and path.suffix != ".safetensors":
        raise typer.BadParameter(f"{path} must end in .safetensors.", param_hint="--save-controls")


def find_sets(model: nn.Module, context: AnalysisContext, num_codes: int) -> Report:
    """The report on controlling sets.

    Args:
        model: standard or converted.
        context: with a classifier.
        num_codes: latents, or paths, half of which sets are found on, and half of which choose among them.
    """
    from rpganify.analysis.controls.analyzer import ControlsAnalyzer

    return ControlsAnalyzer().analyze(model, replace(context, num_paths=max(1, num_codes // 2)))


def write_controls(report: Report, path: Path, model: str) -> None:
    """Writes the controls that a report tells of, and says how to use one."""
    from rpganify.analysis.controls.saved import CONTROLS, controls_of, save_controls
    from rpganify.cli.console import say

    saved = controls_of(report)
    save_controls(saved, path)
    concept = next((control.concept for control in saved.controls if control.choices), "CONCEPT")
    strength = "1" if "buckets" in report.provenance else "2"
    is_found = Path(model).is_dir() and path.resolve() == (Path(model) / CONTROLS).resolve()
    where = "" if is_found else f" --controls {path}"
    say(f"wrote {path}; next: rpganify sample {model} --control {concept}=+{strength}{where} -o {concept}.png")
