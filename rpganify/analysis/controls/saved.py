"""Controls on disk: sets, values and where they come from in one safetensors file, for the model that they belong to."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rpganify.analysis.controls.choices import Choice
from rpganify.analysis.controls.control import Control, Kind
from rpganify.errors import AnalysisError, closest
from rpganify.report.report import JsonValue, Report

FORMAT = "rpganify controls 1"
# Looked for in a model's or run's folder.
CONTROLS = "controls.safetensors"
_MAKE = "`rpganify concepts MODEL --classifier FILE --save-controls controls.safetensors` makes them."


@dataclass(frozen=True, slots=True)
class SavedControls:
    """A control per concept of one model.

    Args:
        controls: in the order of the classes.
        model_sha256: of the model that they were found on.
        num_coordinates: of its latent or its paths.
        told: classifier, settings, success on held-out codes.
    """

    controls: tuple[Control, ...]
    model_sha256: str
    num_coordinates: int
    told: Mapping[str, JsonValue] = field(default_factory=dict)

    def find(self, concept: str) -> Control:
        """The control of a concept.

        Raises:
            AnalysisError: there is none of that name.
        """
        for control in self.controls:
            if control.concept == concept:
                return control
        names = [control.concept for control in self.controls]
        raise AnalysisError(
            f"There is no control of {concept!r}. These controls are of {', '.join(names)}.{closest(concept, names)}"
        )

    def check_model(self, model_sha256: str) -> None:
        """Refuses another model than theirs.

        Raises:
            AnalysisError: the hash is another.
        """
        if model_sha256 != self.model_sha256:
            raise AnalysisError(
                f"These controls were found on another model, or on this one before it changed: they belong to the one with "
                f"SHA-256 {self.model_sha256[:12]}…, and this is {model_sha256[:12]}…. Of a run, --raw takes other weights "
                f"than the moving average. {_MAKE}"
            )


def controls_of(report: Report) -> SavedControls:
    """The controls that a report of the analyzer `controls` tells of.

    Raises:
        AnalysisError: it is another analyzer's report.
    """
    sets: dict[str, dict[int, list[Choice]]] = {}
    kinds: dict[str, Kind] = {}
    for concept, kind, size, coordinate, value in report.table("choices").rows:
        assert isinstance(size, int) and isinstance(coordinate, int) and isinstance(value, int | float)
        kinds[str(concept)] = cast(Kind, kind)
        choice = Choice(coordinate - 1 if kind == "blocks" else coordinate, float(value))
        sets.setdefault(str(concept), {}).setdefault(size, []).append(choice)
    told = report.provenance
    classes, num_coordinates = told["classes"], told["coordinates"]
    assert isinstance(classes, Sequence) and isinstance(num_coordinates, int)
    controls = []
    for concept in map(str, classes):
        by_size = {size: tuple(choices) for size, choices in sets.get(concept, {}).items()}
        kind = kinds.get(concept, "blocks" if "buckets" in told else "set")
        raising, lowering = (
            tuple(by_size[sign * n] for n in sorted(sign * size for size in by_size if sign * size > 0))
            for sign in (1, -1)
        )
        if kind == "blocks":
            controls.append(Control(concept, kind, raising[-1] if raising else (), raising, lowering))
        else:
            controls.append(Control(concept, kind, raising[0] if raising else ()))
    kept = {name: told[name] for name in ("classifier", "seed", "smallest gain", "codes", "versions")}
    sets_of = report.table("sets")
    reached, taken = ([one.name for one in sets_of.columns].index(name) for name in ("become the class", "taken"))
    kept["success, %"] = {str(row[0]): row[reached] for row in sets_of.rows if row[taken] == "yes"}
    return SavedControls(tuple(controls), str(told["model sha256"]), num_coordinates, kept)


def save_controls(saved: SavedControls, path: Path) -> None:
    """Writes controls: aside first, then renamed; makes missing folders.

    Raises:
        AnalysisError: the file has another suffix than .safetensors, or cannot be written.
    """
    if path.suffix != ".safetensors":
        raise AnalysisError(f"{path} must end in .safetensors: controls are data, and nothing else is in their file.")
    tensors: dict[str, Tensor] = {}
    listed = []
    for index, control in enumerate(saved.controls):
        sets = _sets_of(control)
        listed.append({"concept": control.concept, "kind": control.kind, "sets": list(sets)})
        for name, choices in sets.items():
            tensors[f"{index}.{name}.coordinates"] = torch.tensor([one.coordinate for one in choices])
            tensors[f"{index}.{name}.values"] = torch.tensor([one.value for one in choices], dtype=torch.float64)
    told = {
        "format": FORMAT,
        "model_sha256": saved.model_sha256,
        "num_coordinates": str(saved.num_coordinates),
        "controls": json.dumps(listed),
        "told": json.dumps(dict(saved.told)),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as aside:
            save_file(tensors, Path(aside) / path.name, metadata=told)
            (Path(aside) / path.name).chmod(0o644)
            os.replace(Path(aside) / path.name, path)
    except (OSError, SafetensorError) as error:
        raise AnalysisError(f"The controls {path} could not be written: {error}. Choose another place.") from error


def load_controls(path: Path) -> SavedControls:
    """The controls in a file.

    Raises:
        AnalysisError: there are none, or the file is damaged or something else.
    """
    try:
        with safe_open(path, framework="pt") as stored:
            told = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError) as error:
        raise AnalysisError(f"The controls {path} cannot be read: {error}. {_MAKE}") from error
    if told.get("format") != FORMAT:
        raise AnalysisError(f"{path} holds no controls, but {told.get('format') or 'something else'}. {_MAKE}")
    try:
        num_coordinates = int(told["num_coordinates"])
        listed = json.loads(told["controls"])
        controls = tuple(_control(index, one, tensors, num_coordinates) for index, one in enumerate(listed))
        return SavedControls(controls, told["model_sha256"], num_coordinates, json.loads(told["told"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise AnalysisError(f"The controls {path} are damaged: {error}. {_MAKE}") from error


def find_controls(folder: Path, named: Path | None) -> Path:
    """The file of controls: the named one, or the one in the model's or run's folder.

    Args:
        folder: as the user named the model.
        named: as the user named the file, or None.
    Raises:
        AnalysisError: none is named, and there is none in the folder.
    """
    if named is not None:
        return named
    if not (folder / CONTROLS).is_file():
        raise AnalysisError(
            f"There are no controls at {folder / CONTROLS}. Name their file: `--controls FILE`. "
            f"`rpganify concepts {folder} --classifier FILE --save-controls {folder / CONTROLS}` makes them."
        )
    return folder / CONTROLS


def _sets_of(control: Control) -> dict[str, tuple[Choice, ...]]:
    """All that a control may do, by name: `found` of a latent, the signed number of blocks of paths."""
    if control.kind != "blocks":
        return {"found": control.choices} if control.choices else {}
    raising = {f"+{size}": choices for size, choices in enumerate(control.raising, 1)}
    return raising | {f"-{size}": choices for size, choices in enumerate(control.lowering, 1)}


def _control(index: int, told: Any, tensors: Mapping[str, Tensor], num_coordinates: int) -> Control:
    sets: dict[str, tuple[Choice, ...]] = {}
    kind = told["kind"]
    if kind not in get_args(Kind):
        raise ValueError(f"a control is of kind {kind!r}")
    for name in told["sets"]:
        coordinates, values = (tensors[f"{index}.{name}.{part}"] for part in ("coordinates", "values"))
        pairs = list(zip(coordinates.tolist(), values.tolist(), strict=True))
        if any(not isinstance(c, int) or not 0 <= c < num_coordinates for c, _ in pairs) or not values.isfinite().all():
            raise ValueError(f"a set of {told['concept']!r} has a coordinate or a value that cannot be")
        sets[name] = tuple(Choice(coordinate, float(value)) for coordinate, value in pairs)
    if kind != "blocks":
        return Control(str(told["concept"]), cast(Kind, kind), sets.get("found", ()))
    raising, lowering = (tuple(sets[f"{sign}{n}"] for n in _sizes(sets, sign)) for sign in "+-")
    return Control(str(told["concept"]), "blocks", raising[-1] if raising else (), raising, lowering)


def _sizes(sets: Mapping[str, tuple[Choice, ...]], sign: str) -> list[int]:
    sizes = sorted(int(name[1:]) for name in sets if name.startswith(sign))
    if sizes != list(range(1, len(sizes) + 1)):
        raise ValueError(f"sets of sizes {sizes}")
    return sizes
