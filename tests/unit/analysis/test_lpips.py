from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision import models

from rpganify.analysis.lpips import MIN_SIZE, open_lpips
from rpganify.errors import AnalysisError
from rpganify.testing.distance import check_distance

# Where the package lpips cuts torchvision's networks, and the channels there.
SLICES = {"alexnet": (0, 2, 5, 8, 10, 12), "vgg16": (0, 4, 9, 16, 23, 30)}
CHANNELS = {"alexnet": (64, 192, 384, 256, 256), "vgg16": (64, 128, 256, 512, 512)}


def state_of(network: str, seed: int = 0) -> dict[str, Tensor]:
    """A state as the package lpips saves it, with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        features = models.get_model(network, weights=None).features
        state = {"scaling_layer.shift": torch.zeros(1, 3, 1, 1)}
        for index, (start, stop) in enumerate(pairwise(SLICES[network])):
            for place in range(start, stop):
                for name, tensor in features[place].state_dict().items():
                    state[f"net.slice{index + 1}.{place}.{name}"] = tensor.clone()
        for index, channels in enumerate(CHANNELS[network]):
            state[f"lin{index}.model.1.weight"] = state[f"lins.{index}.model.1.weight"] = torch.rand(1, channels, 1, 1)
    return state


def saved(tmp_path: Path, state: dict[str, Tensor]) -> str:
    torch.save(state, tmp_path / "lpips.pth")
    return str(tmp_path / "lpips.pth")


def by_formula(network: str, state: dict[str, Tensor], one: Tensor, other: Tensor) -> float:
    """Equation 1 of the paper for two images `(3, H, W)` in [-1, 1], layer by layer."""
    features = models.get_model(network, weights=None).features.eval()
    weights = {name.split(".", 2)[2]: tensor for name, tensor in state.items() if name.startswith("net.")}
    features.load_state_dict(weights, strict=False)
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    total = 0.0
    with torch.no_grad():
        values = [(image - shift.view(3, 1, 1))[None] / scale.view(3, 1, 1) for image in (one, other)]
        cuts = SLICES[network][1:]
        for place, layer in enumerate(features):
            values = [layer(value) for value in values]
            if place + 1 in cuts:
                x, y = (value[0] / (value[0].norm(dim=0, keepdim=True) + 1e-10) for value in values)
                weight = state[f"lin{cuts.index(place + 1)}.model.1.weight"].view(-1, 1, 1)
                total += float((weight * (x - y) ** 2).sum(dim=0).mean())
            if place + 1 == cuts[-1]:
                break
    return total


@pytest.mark.parametrize("network", ["alexnet", "vgg16"])
def test_it_equals_the_papers_formula(network: str, tmp_path: Path):
    state = state_of(network)
    distance = open_lpips(num_channels=3, argument=saved(tmp_path, state))
    images = torch.randint(256, (3, 3, MIN_SIZE, 72), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = distance.pairs(distance.describe(images)[None])[0, ..., 0]
    values = images.float() / 127.5 - 1
    for i, j in ((0, 1), (2, 1)):
        assert float(found[i, j]) == pytest.approx(
            by_formula(network, state, values[i], values[j]), rel=1e-4
        )  # float32
    assert distance.provenance["network"] == network and len(str(distance.provenance["weight file sha256"])) == 64
    assert distance.title == "LPIPS (lpips.pth)" and network in distance.definition


@pytest.mark.parametrize("num_channels", [1, 3])
def test_small_and_grey_images_are_enlarged_and_it_keeps_the_laws_of_a_distance(num_channels: int, tmp_path: Path):
    distance = open_lpips(num_channels=num_channels, argument=saved(tmp_path, state_of("alexnet")))
    check_distance(distance, num_channels=num_channels, size=16)
    images = torch.zeros(2, num_channels, 16, 16, dtype=torch.uint8)
    large = torch.zeros(2, 3, MIN_SIZE, MIN_SIZE, dtype=torch.uint8)
    images[1], large[1] = 255, 255
    assert torch.allclose(distance.describe(images), distance.describe(large))


def test_opening_draws_nothing_from_the_global_chance(tmp_path: Path):
    file = saved(tmp_path, state_of("alexnet"))
    before = torch.get_rng_state()
    open_lpips(num_channels=3, argument=file)
    assert torch.equal(torch.get_rng_state(), before)


def without(state: dict[str, Tensor], start: str) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in state.items() if not name.startswith(start)}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda state: without(state, "net."), r"it has no backbone \(net.slice1.0.weight …\)"),
        (lambda state: without(state, "net.slice5"), "its backbone is another network"),
        (lambda state: without(state, "lin3."), "the weights lin0 to lin4 are missing"),
        (lambda state: {**state, "lin1.model.1.weight": torch.rand(1, 7, 1, 1)}, "lin1 has 7 weights.*of 192 channels"),
        (lambda state: {**state, "lin1.model.1.weight": -torch.ones(1, 192, 1, 1)}, "the least -1; one >= 0 is due"),
        (
            lambda state: {**state, "net.slice1.0.weight": torch.zeros(64, 3, 5, 5)},
            "does not fit alexnet: size mismatch",
        ),
        (lambda state: [1, 2], "it has no backbone"),
    ],
)
def test_a_file_that_is_no_lpips_is_refused_and_told_what_is(damage, message: str, tmp_path: Path):
    file = saved(tmp_path, damage(state_of("alexnet")))
    with pytest.raises(AnalysisError, match=rf"(?s)lpips.pth.*{message}.*lpips.LPIPS\(net='alex'\).state_dict\(\)"):
        open_lpips(num_channels=3, argument=file)


def test_without_a_file_and_with_one_that_is_not_there_it_says_what_would_work(tmp_path: Path):
    with pytest.raises(AnalysisError, match=r"LPIPS needs a weight file. `lpips:FILE` takes .*`--distance ssim`"):
        open_lpips(num_channels=3)
    with pytest.raises(AnalysisError, match=r"none.pth cannot be read \(No such file or directory\).*lpips.LPIPS"):
        open_lpips(num_channels=3, argument=str(tmp_path / "none.pth"))
