"""Where numbers come from: enough to get them again, and to see that two reports are of one model."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.features import FeatureExtractor
from rpganify.report.report import JsonValue


def provenance(model: nn.Module, context: AnalysisContext, settings: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Model, seed, settings, extractor and versions, for `Report.provenance`.

    Args:
        model: what was analyzed.
        context: its seed and extractor are told.
        settings: the analyzer's own.
    """
    plan = getattr(model, "plan", None)
    told: dict[str, JsonValue] = {"model sha256": model_sha256(model)}
    if plan is not None:
        told["buckets"] = {
            f"{index + 1} {bucket.name}": f"{bucket.num_blocks} blocks of {', '.join(bucket.layers)}"
            for index, bucket in enumerate(plan.buckets)
        }
        told["cardinality"] = plan.paths.cardinality
    told["image shape"] = list(getattr(model, "image_shape", ()))
    told["seed"] = context.seed
    if context.conditions:
        told["conditions"] = {name: value.tolist() for name, value in context.conditions.items()}
    told.update(settings)
    told["versions"] = {
        "python": platform.python_version(),
        "torch": torch.__version__,  # with the CUDA version, which the package's own lacks
        **_versions("rpganify", "numpy", "matplotlib"),
    }
    return told


def extractor_provenance(extractor: FeatureExtractor, image_shape: tuple[int, ...]) -> dict[str, JsonValue]:
    """Which extractor, from which file, what it does to images first, and whether it is the paper's."""
    return {
        "name": extractor.name,
        "is the paper's": extractor.is_papers,
        "images first": extractor.adaptation(image_shape) or "taken as they are",
        **extractor.provenance,
    }


def model_sha256(model: nn.Module) -> str:
    """SHA-256 over the plan and every named tensor of the state dict: name, type, shape and bytes."""
    digest = hashlib.sha256()
    plan = getattr(model, "plan", None)
    if plan is not None:
        digest.update(json.dumps(plan.to_json(), sort_keys=True).encode())
    for name, tensor in sorted(model.state_dict().items()):
        if isinstance(tensor, Tensor):
            digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _versions(*packages: str) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed as a package"
    return found
