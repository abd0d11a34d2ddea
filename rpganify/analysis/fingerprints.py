"""What tells two analyses apart: the model, the analyzer's code, and the parts of the context, each as plain data."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext, Analyzer
from rpganify.analysis.code_version import code_version
from rpganify.analysis.provenance import model_sha256
from rpganify.data.images import ImageData

# How the user called things, whom progress is told, and how many images are made at once change no number.
UNTOLD = frozenset({"names", "progress", "batch_pixels"})
_NUM_LOOKED_AT = 64


def model_fingerprint(model: nn.Module) -> str:
    """SHA-256 over tensors, plan and graph.

    The graph counts too: a linearized generator has the very tensors of the one that it was made from.
    """
    digest = hashlib.sha256(model_sha256(model).encode())
    digest.update(type(model).__qualname__.encode())
    blueprint = getattr(model, "blueprint", None)
    if blueprint is not None:
        digest.update(f"\n{blueprint.image_location} {blueprint.image_shape} {blueprint.inputs}".encode())
        for graph in blueprint.graphs():
            digest.update(f"\n{graph}".encode())
    return digest.hexdigest()


def analyzer_version(analyzer: Analyzer) -> str:
    """The code that the analyzer stands on, so that new code counts as new."""
    return code_version(type(analyzer).__module__)


def context_fingerprint(context: AnalysisContext) -> dict[str, Any]:
    """Each field of the context that can change a number, as plain JSON data."""
    told = {
        field.name: _told(field.name, getattr(context, field.name))
        for field in dataclasses.fields(context)
        if field.name not in UNTOLD
    }
    plain: dict[str, Any] = json.loads(json.dumps(told))
    return plain


def _told(name: str, value: Any) -> Any:
    if value is None or isinstance(value, int | float | str):
        return value
    if name == "data":
        return _data_told(value)
    if isinstance(value, nn.Module):
        return model_fingerprint(value)
    if isinstance(value, Tensor):
        return [str(value.dtype), value.tolist()]
    if isinstance(value, torch.device):
        return value.type
    if isinstance(value, dict):
        return {key: _told(key, item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_told(name, item) for item in value]
    return _tool_told(value)


def _data_told(data: ImageData) -> list[Any]:
    """Name, shape, number, and a hash of some of the images and of all labels: files may change under one name."""
    digest = hashlib.sha256()
    chosen = torch.linspace(0, len(data) - 1, min(len(data), _NUM_LOOKED_AT)).long()
    digest.update(data.images(chosen).contiguous().numpy().tobytes())
    if data.labels is not None:
        digest.update(data.labels.contiguous().numpy().tobytes())
    return [data.name, list(data.image_shape), len(data), digest.hexdigest()]


def _tool_told(tool: Any) -> dict[str, Any]:
    """An extractor, a classifier or a distance: its code and what it says of itself, weight file's hash included."""
    told: dict[str, Any] = {"type": type(tool).__qualname__, "code": code_version(type(tool).__module__)}
    for name in ("name", "key", "title", "parts"):
        if isinstance(getattr(tool, name, None), str | tuple):
            told[name] = getattr(tool, name)
    provenance = getattr(tool, "provenance", None)
    if provenance is not None:
        told["provenance"] = {key: _told(key, item) for key, item in dict(provenance).items()}
    if getattr(tool, "extractor", None) is not None:
        told["extractor"] = _tool_told(tool.extractor)
    return told
