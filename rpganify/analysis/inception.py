"""InceptionV3 pool features through torch-fidelity, from a weight file on this machine."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from rpganify.analysis.fitting import cast_to, fit_images
from rpganify.analysis.weight_files import load_torch_file, read_weight_file
from rpganify.errors import AnalysisError
from rpganify.report.report import JsonValue

# The same file has two names: pytorch-fid's and torch-fidelity's. The eight digits begin its SHA-256.
WEIGHT_FILES = ("pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth")
SHA256_START = "6726825d"
NUM_FEATURES = 2048
_SIZE = (299, 299)

_WANTED = (
    f"What is wanted is the InceptionV3 weight file {WEIGHT_FILES[0]} (torch-fidelity calls it {WEIGHT_FILES[1]}), "
    "which rpganify does not download. Get it, and name it: `--extractor inception:FILE`. "
    "Without it, `--extractor classifier:FILE` or `--extractor pixels` give distances of their own."
)


@dataclass(frozen=True, slots=True)
class InceptionFeatures:
    """The 2048 pool features that FID is computed from.

    Args:
        name: kind and file name.
        is_papers: the file is the one that published values use, by its hash.
        provenance: file, hash, network.
        network: torch-fidelity's extractor.
        device: where it runs.
    """

    name: str
    is_papers: bool
    provenance: Mapping[str, JsonValue]
    network: nn.Module = field(repr=False)
    device: torch.device

    def adaptation(self, image_shape: tuple[int, ...]) -> str:
        """Channels are fitted here; torch-fidelity resizes as the original TensorFlow network does."""
        resized = f"resized from {image_shape[1]}×{image_shape[2]} to 299×299 (torch-fidelity's TensorFlow 1 bilinear)"
        return f"grey repeated to RGB, {resized}" if image_shape[0] == 1 else resized

    def __call__(self, images: Tensor) -> Tensor:
        """Features `(N, 2048)`; the images are taken to 8 bits first, which the network is defined on."""
        return self.features_and_scores(images)[0]

    def as_function(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
        """The same features, to differentiate: of images that are not rounded to 8 bits, which has no derivative.

        They are those of the network's own call where the images hold 8-bit values.
        """
        from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

        network = cast_to(self.network, dtype)
        *body, _ = network.children()  # in the order of the call; the last gives class scores

        def features(images: Tensor) -> Tensor:
            colour = fit_images(images, (3, images.shape[2], images.shape[3]))
            large = interpolate_bilinear_2d_like_tensorflow1x((colour + 1) * 127.5, size=_SIZE, align_corners=False)
            values: Tensor = (large - 128) / 128
            for part in body:
                values = part(values)
            return values.flatten(1)

        return features

    def features_and_scores(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features `(N, 2048)` and the class scores without bias `(N, 1008)`, which the Inception score is taken of."""
        colour = fit_images(images.to(self.device), (3, images.shape[2], images.shape[3]))
        with torch.no_grad():
            features, scores = self.network(((colour + 1) * 127.5).round().clamp(0, 255).to(torch.uint8))
        assert isinstance(features, Tensor) and isinstance(scores, Tensor)
        return features.cpu(), scores.cpu()


def open_inception(*, argument: str | None = None, device: torch.device | str = "cpu") -> InceptionFeatures:
    """The built-in extractor `inception`, from a local weight file.

    Args:
        argument: the file; None takes the one that torch-fidelity has cached on this machine, if any.
        device: where it runs.
    Raises:
        AnalysisError: torch-fidelity is not installed, there is no file, or it holds another network.
    """
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise AnalysisError(
            "`inception` needs the package torch-fidelity, which is not installed. "
            "Install it with `pip install 'rpganify[metrics]'`."
        ) from error
    path = Path(argument) if argument else _cached()
    content, sha256 = read_weight_file(path, _WANTED)
    # torch-fidelity unpickles its file without restriction. What it is given here was read without that first.
    load_torch_file(content, path, _WANTED)
    try:
        network = FeatureExtractorInceptionV3("inception", [str(NUM_FEATURES), "logits_unbiased"], io.BytesIO(content))
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise AnalysisError(
            f"{path} holds other weights than torch-fidelity's InceptionV3: {reason} {_WANTED}"
        ) from error
    network.to(device)
    is_papers = sha256.startswith(SHA256_START)
    told: dict[str, JsonValue] = {
        "weight file": path.name,
        "weight file sha256": sha256,
        "network": "torch-fidelity InceptionV3",
        "features": NUM_FEATURES,
    }
    name = f"inception:{path.name}" + ("" if is_papers else " (weights of its own)")
    return InceptionFeatures(name, is_papers, told, network, torch.device(device))


def _cached() -> Path:
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    for name in WEIGHT_FILES:
        if (folder / name).is_file():
            return folder / name
    raise AnalysisError(f"`inception` was given no weight file, and {folder} holds none. {_WANTED}")
