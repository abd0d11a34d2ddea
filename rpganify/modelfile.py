"""A converted model on disk: `graph.json` and `generator.safetensors` in one directory. No pickle, no code."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from rpganify.conversion.building import (
    actual_blueprint,
    build_random_path_generator,
    build_standard_generator,
    model_tensors,
)
from rpganify.conversion.foreign import find_foreign
from rpganify.conversion.graph_data import blueprint_to_json
from rpganify.conversion.graph_reading import blueprint_from_json
from rpganify.conversion.replication import tensors_by_name
from rpganify.errors import ModelFileError, RpganifyError
from rpganify.modelfinding import GRAPH, find_model
from rpganify.routing.blueprint import TensorSpec
from rpganify.routing.generator import RandomPathGenerator, StandardGenerator

# How a safetensors file names its types.
_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64,
    "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
    "C64": torch.complex64,
}  # fmt: skip
TENSORS = "generator.safetensors"
Model = RandomPathGenerator | StandardGenerator


def save_model(model: Model, directory: Path | str, *, overwrite: bool = False) -> Path:
    """Writes a model: aside first, then renamed, so that there is always a whole one.

    Args:
        model: a converted generator or a plain one.
        directory: becomes the model, `NAME.rpgan` by custom.
        overwrite: replace a model that is there.
    Returns:
        The directory.
    Raises:
        ModelFileError: it exists; it is not a model, so that it is not replaced; the disk is full; the graph holds an
            operator that a file cannot. What was there before is still there.
    """
    directory = Path(directory)
    if directory.exists():
        if not overwrite:
            raise ModelFileError(f"{directory} exists. Choose another name, or replace it (`--force`, overwrite=True).")
        if not (directory / GRAPH).is_file():
            raise ModelFileError(
                f"{directory} exists and is not an rpganify model; it is not replaced. Choose another name."
            )
    graph = json.dumps(blueprint_to_json(actual_blueprint(model)), indent=1)
    parent = directory.absolute().parent
    aside: Path | None = None
    try:
        parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=parent))
        tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors_by_name(model).items()}
        save_file(tensors, aside / TENSORS, metadata={"format": "pt"})
        (aside / GRAPH).write_text(graph, encoding="utf-8")
        for name in (TENSORS, GRAPH):
            _sync(aside / name)
        _swap(aside, directory)
    except (OSError, SafetensorError) as error:
        raise ModelFileError(
            f"{directory} could not be written: {error}. Nothing that was there is lost; free some space or choose another "
            "place, and save again."
        ) from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)
    return directory


def load_model(directory: Path | str, *, trust_source: bool = False, is_raw: bool = False) -> Model:
    """Opens a model, or the newest intact one of a run; in eval mode. Runs no code that came with it.

    Args:
        directory: the model, or the run.
        is_raw: of a run, take the weights themselves even where it has their moving average.
        trust_source: import functions of the generator's own source where the model calls any. That runs their code.
    Raises:
        ModelFileError: there is none, it is damaged, foreign, or from a newer rpganify.
    """
    directory = find_model(Path(directory), is_raw=is_raw).directory
    data = _read_graph(directory / GRAPH)
    try:
        blueprint = blueprint_from_json(
            data, partial(find_foreign, data.get("provenance", {})) if trust_source else None
        )
        # Before there is memory for them: a damaged graph may ask for any amount.
        _check_tensors(directory / TENSORS, model_tensors(blueprint))
        model: Model = (
            build_standard_generator(blueprint) if blueprint.plan is None else build_random_path_generator(blueprint)
        )
    except RpganifyError:
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0]
        raise ModelFileError(
            f"{directory / GRAPH} is damaged: {type(error).__name__}: {reason}. Take another copy of the model."
        ) from error
    _fill(model, directory / TENSORS)
    return model.eval()


def _read_graph(file: Path) -> dict[str, Any]:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelFileError(f"{file} cannot be read: {error}. Take another copy of the model.") from error
    if not isinstance(data, dict):
        raise ModelFileError(f"{file} is not of an rpganify model.")
    return data


def _check_tensors(file: Path, expected: Mapping[str, TensorSpec]) -> None:
    with _reading(file) as stored:
        odd = sorted(set(stored.keys()) ^ set(expected))
        if odd:
            raise ModelFileError(f"{file} does not fit its {GRAPH}: {odd[0]!r} is in one of them only.")
        for name, spec in expected.items():
            part = stored.get_slice(name)
            shape, kind = tuple(part.get_shape()), _DTYPES.get(part.get_dtype(), part.get_dtype())
            if shape != spec.shape or kind != spec.dtype:
                raise ModelFileError(
                    f"{file} does not fit its {GRAPH}: {name!r} is {kind} {shape} instead of {spec.dtype} {spec.shape}."
                )


def _fill(model: Model, file: Path) -> None:
    with _reading(file) as stored, torch.no_grad():
        for name, target in tensors_by_name(model).items():
            target.copy_(stored.get_tensor(name))


@contextmanager
def _reading(file: Path) -> Iterator[Any]:
    try:
        with safe_open(file, framework="pt") as stored:
            yield stored
    except (OSError, SafetensorError) as error:
        raise ModelFileError(
            f"{file} is damaged or missing ({error}). Take another copy of the model, or the run's previous checkpoint."
        ) from error


def _sync(file: Path) -> None:
    with file.open("rb") as handle:
        os.fsync(handle.fileno())


def _swap(aside: Path, directory: Path) -> None:
    """Puts `aside` in the place of `directory`; a model that is there goes only once the new one stands."""
    aside.chmod(0o755)
    if not directory.exists():
        aside.rename(directory)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{directory.name}.old.", dir=directory.absolute().parent))
    directory.rename(old / "old")
    try:
        aside.rename(directory)
    except OSError:
        (old / "old").rename(directory)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


save = save_model
load = load_model
