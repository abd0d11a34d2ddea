"""Axes on disk: one safetensors file, with where they come from in its metadata. Data only, no code."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from rpganify.analysis.geometry.axes import Axes
from rpganify.errors import AnalysisError

FORMAT = "rpganify-axes-1"
_TENSORS = ("directions", "eigenvalues", "positions")


def save_axes(axes: Axes, path: Path) -> None:
    """Writes the axes to one safetensors file, aside and renamed.

    It holds `directions` `(k, D)`, a unit vector per row, `eigenvalues` `(k,)`, falling, and `positions` `(n, D)`, all
    float64; and in the metadata `format` and, as JSON, `provenance`.

    Raises:
        AnalysisError: the disk refuses.
    """
    tensors = {name: getattr(axes, name).double().cpu().contiguous() for name in _TENSORS}
    metadata = {"format": FORMAT, "provenance": json.dumps(axes.provenance, ensure_ascii=False, sort_keys=True)}
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as aside:
            save_file(tensors, Path(aside) / path.name, metadata)
            os.replace(Path(aside) / path.name, path)
    except (OSError, SafetensorError) as error:
        raise AnalysisError(f"The axes cannot be written to {path}: {error}. Choose another file.") from error


def load_axes(path: Path, dimension: int | None = None) -> Axes:
    """The axes that `save_axes` wrote.

    Args:
        path: the file.
        dimension: of the latent space that they are wanted for; None takes any.
    Raises:
        AnalysisError: the file is missing, damaged or no axes of ours, or they belong to a space of another dimension.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ValueError(f"its format is {metadata.get('format')!r}, not {FORMAT!r}")
            directions, eigenvalues, positions = (file.get_tensor(name).double() for name in _TENSORS)
        provenance = json.loads(metadata["provenance"])
        if not isinstance(provenance, dict):
            raise ValueError("its provenance is no table of names and values")
        axes = Axes(directions, eigenvalues, positions, provenance)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise AnalysisError(
            f"{path} holds no axes that rpganify saved: {str(error).splitlines()[0]}. "
            "`rpganify geometry MODEL --axes FILE` writes them."
        ) from error
    if dimension is not None and axes.dimension != dimension:
        raise AnalysisError(
            f"The axes of {path} belong to a latent space of {axes.dimension} dimensions, and this generator's has "
            f"{dimension}. Write its own: `rpganify geometry MODEL --axes FILE`."
        )
    return axes
