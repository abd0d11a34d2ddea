"""LPIPS: a distance of images in the features of a network, weighed so that it agrees with what people see."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn

from rpganify.analysis.fitting import cast_to, fit_images
from rpganify.analysis.weight_files import load_torch_file, read_weight_file
from rpganify.data.images import to_float
from rpganify.errors import AnalysisError
from rpganify.report.report import JsonValue

MIN_SIZE = 64
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
EPSILON = 1e-10

# The number of layers of torchvision's `features` after which each of the five activations is taken.
CUTS = {"alexnet": (2, 5, 8, 10, 12), "vgg16": (4, 9, 16, 23, 30)}

_WANTED = (
    "`lpips:FILE` takes the whole state of the package lpips, backbone and weights: "
    "`torch.save(lpips.LPIPS(net='alex').state_dict(), 'lpips-alex.pth')`, or net='vgg'. rpganify downloads nothing. "
    "`--distance ssim` and `--distance pixels` need no file."
)


@dataclass(frozen=True, slots=True)
class LpipsDistance:
    """Squared distance of unit-length features of five layers, weighed by channel, averaged over positions and summed.

    Images smaller than 64 pixels are enlarged to 64 first, as the networks halve an image up to five times.

    Args:
        provenance: file, hash, network.
        stages: the network, cut after each of the five activations.
        weights: of the channels of each, `(C,)`, >= 0.
        device: where it runs.
    Source:
        Zhang, Isola, Efros, Shechtman and Wang, "The unreasonable effectiveness of deep features as a perceptual
        metric", 2018, equation 1; version 0.1 of their weights, which scales the input.
    """

    provenance: Mapping[str, JsonValue]
    stages: nn.ModuleList = field(repr=False)
    weights: tuple[Tensor, ...] = field(repr=False)
    device: torch.device

    @property
    def key(self) -> str:
        """A word for columns."""
        return "lpips"

    @property
    def title(self) -> str:
        """With the file's name, which tells the network."""
        return f"LPIPS ({self.provenance['weight file']})"

    @property
    def parts(self) -> tuple[str, ...]:
        """One."""
        return ("lpips",)

    @property
    def definition(self) -> str:
        """What it is, for the report."""
        return (
            f"LPIPS: the perceptual distance of Zhang et al. 2018 (version 0.1), here by {self.provenance['network']} from "
            f"{self.provenance['weight file']}. Images smaller than {MIN_SIZE} pixels are enlarged to that first "
            "(bilinear)."
        )

    def describe(self, images: Tensor) -> Tensor:
        """Features float32 `(N, D)`, scaled so that LPIPS is the squared Euclidean distance of two of them."""
        with torch.no_grad():
            return self.as_function(torch.float32)(to_float(images).to(self.device)).cpu()

    def as_function(self, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
        """The same of images in about [-1, 1], not rounded and of that type, to differentiate."""
        stages = cast_to(self.stages, dtype)
        weights = [weight.to(dtype) for weight in self.weights]
        shift, scale = (torch.tensor(one, device=self.device, dtype=dtype).view(1, 3, 1, 1) for one in (SHIFT, SCALE))

        def features(images: Tensor) -> Tensor:
            size = (max(MIN_SIZE, images.shape[2]), max(MIN_SIZE, images.shape[3]))
            values, scaled = (fit_images(images, (3, *size)) - shift) / scale, []
            for stage, weight in zip(stages, weights, strict=True):
                values = stage(values)
                positions = values.shape[2] * values.shape[3]
                scaled.append((_unit(values) * (weight / positions).sqrt().view(1, -1, 1, 1)).flatten(1))
            return torch.cat(scaled, dim=1)

        return features

    def pairs(self, described: Tensor) -> Tensor:
        """`(G, k, k, 1)`; a group at a time, as features are long."""
        found = []
        for group in described:
            exact = group.double()
            found.append(torch.cdist(exact, exact, compute_mode="donot_use_mm_for_euclid_dist").square())
        return torch.stack(found)[..., None]


def open_lpips(*, num_channels: int, argument: str | None = None, device: torch.device | str = "cpu") -> LpipsDistance:
    """The built-in distance `lpips`, from a weight file.

    Args:
        num_channels: of the images, 1 or 3; grey is repeated.
        argument: the file.
        device: where the network runs.
    Raises:
        AnalysisError: no file was named, or it is missing, damaged, or of another network.
    """
    if argument is None:
        raise AnalysisError(f"LPIPS needs a weight file. {_WANTED}")
    path = Path(argument)
    content, sha256 = read_weight_file(path, _WANTED)
    loaded = load_torch_file(content, path, _WANTED)
    state = {name: tensor for name, tensor in loaded.items() if isinstance(tensor, Tensor)} if _is_state(loaded) else {}
    network = next((name for name, cuts in CUTS.items() if _convolutions(state) == _expected(name, cuts)), None)
    lins = [state.get(f"lin{index}.model.1.weight") for index in range(5)]
    if network is None or any(lin is None for lin in lins):
        raise AnalysisError(f"{path} holds no LPIPS of AlexNet or VGG16: {_missing(state, network)}. {_WANTED}")
    weights = tuple(lin.flatten().float() for lin in lins if lin is not None)
    stages = _stages(network)
    try:
        stages.load_state_dict({_place(name): tensor for name, tensor in state.items() if name.startswith("net.")})
        _check_weights(stages, weights, path)
    except RuntimeError as error:
        raise AnalysisError(
            f"{path} does not fit {network}: {str(error).splitlines()[-1].strip()} {_WANTED}"
        ) from error
    place = torch.device(device)
    told: dict[str, JsonValue] = {"weight file": path.name, "weight file sha256": sha256, "network": network}
    frozen = stages.eval().requires_grad_(False).to(place)
    assert isinstance(frozen, nn.ModuleList)
    return LpipsDistance(told, frozen, tuple(weight.to(place) for weight in weights), place)


def _unit(values: Tensor) -> Tensor:
    """Each position's channels at unit length; 0, and with derivative 0, where no channel is active."""
    squares = values.square().sum(dim=1, keepdim=True)
    is_active = squares > 0
    length = torch.where(is_active, torch.where(is_active, squares, 1).sqrt(), 0)
    return values / (length + EPSILON)


def _stages(network: str) -> nn.ModuleList:
    """torchvision's network, not trained, cut after each activation that is compared."""
    from torchvision import models

    with torch.random.fork_rng(
        devices=[]
    ):  # its initial weights are overwritten, and must not be drawn from our chance
        features = models.get_model(network, weights=None).features
    # Each keeps its place in the whole network as its name, and no activation overwrites what is compared.
    layers = [(str(i), nn.ReLU() if isinstance(layer, nn.ReLU) else layer) for i, layer in enumerate(features)]
    slices = pairwise((0, *CUTS[network]))
    return nn.ModuleList(nn.Sequential(OrderedDict(layers[start:stop])) for start, stop in slices)


def _is_state(loaded: object) -> bool:
    return isinstance(loaded, dict) and all(isinstance(name, str) for name in loaded)


def _convolutions(state: Mapping[str, Tensor]) -> set[str]:
    return {name for name in state if name.startswith("net.") and name.endswith(".weight")}


def _expected(network: str, cuts: tuple[int, ...]) -> set[str]:
    """The names that the package lpips gives the convolutions: by slice, and by their place in the whole network."""
    places = {"alexnet": (0, 3, 6, 8, 10), "vgg16": (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)}[network]
    slices = [next(index for index, cut in enumerate(cuts) if place < cut) for place in places]
    return {f"net.slice{index + 1}.{place}.weight" for index, place in zip(slices, places, strict=True)}


def _place(name: str) -> str:
    """`net.slice2.3.weight` as our stages call it, `1.3.weight`."""
    _, part, rest = name.split(".", 2)
    return f"{int(part.removeprefix('slice')) - 1}.{rest}"


def _missing(state: Mapping[str, Tensor], network: str | None) -> str:
    if network is not None:
        return "the weights lin0 to lin4 are missing"
    return (
        "it has no backbone (net.slice1.0.weight …)" if not _convolutions(state) else "its backbone is another network"
    )


def _check_weights(stages: nn.ModuleList, weights: tuple[Tensor, ...], path: Path) -> None:
    for index, (stage, weight) in enumerate(zip(stages, weights, strict=True)):
        (*_, last) = (layer for layer in stage.modules() if isinstance(layer, nn.Conv2d))
        if len(weight) != last.out_channels or bool((weight < 0).any()):
            raise AnalysisError(
                f"{path}: lin{index} has {len(weight)} weights, the least {float(weight.min()):.3g}; one >= 0 is due for "
                f"each of {last.out_channels} channels. {_WANTED}"
            )
