"""A trained block predictor on disk: tensors and a few words in one safetensors file, for the model that it belongs to."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from rpganify.analysis.analyzer import PathModel
from rpganify.analysis.inversion.predictor import BlockPredictor, PredictorConfig
from rpganify.analysis.provenance import model_sha256
from rpganify.errors import AnalysisError

_FORMAT = "rpganify block predictor 1"


def save_predictor(predictor: BlockPredictor, config: PredictorConfig, model: nn.Module, path: Path) -> None:
    """Writes a predictor: aside first, then renamed.

    Args:
        predictor: trained.
        config: that it was built with.
        model: whose blocks it tells apart.
        path: the file; one that is there is replaced.
    Raises:
        AnalysisError: it cannot be written.
    """
    told = {"format": _FORMAT, "config": json.dumps(asdict(config)), "model_sha256": model_sha256(model)}
    aside = path.with_name(f".{path.name}.writing")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AnalysisError(f"The predictor {path} could not be written: {error}. Choose another place.") from error
    try:
        save_file({name: tensor.cpu() for name, tensor in predictor.state_dict().items()}, aside, metadata=told)
        os.replace(aside, path)
    except (OSError, SafetensorError) as error:
        raise AnalysisError(f"The predictor {path} could not be written: {error}. Choose another place.") from error
    finally:
        aside.unlink(missing_ok=True)


def load_predictor(model: PathModel, path: Path, device: torch.device) -> BlockPredictor:
    """The predictor of a model, in eval mode.

    Args:
        model: whose blocks it tells apart.
        path: the file.
        device: where it is to lie.
    Raises:
        AnalysisError: there is none, it is damaged or something else, or it belongs to another model.
    """
    again = "Name another file, or delete this one, and it is trained again."
    try:
        with safe_open(path, framework="pt") as stored:
            told = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise AnalysisError(f"The predictor {path} cannot be read: {error}. {again}") from error
    if told.get("format") != _FORMAT:
        raise AnalysisError(f"{path} is no block predictor, but {told.get('format') or 'something else'}. {again}")
    assert isinstance(model, nn.Module)
    if told.get("model_sha256") != model_sha256(model):
        raise AnalysisError(
            f"The predictor {path} was trained on another model, or on this one before it changed. {again}"
        )
    try:
        config = PredictorConfig(**json.loads(told["config"]))
        predictor = BlockPredictor(model.image_shape, model.paths.num_blocks, config)
        predictor.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise AnalysisError(f"The predictor {path} is damaged: {error}. {again}") from error
    return predictor.to(device).eval().requires_grad_(False)
