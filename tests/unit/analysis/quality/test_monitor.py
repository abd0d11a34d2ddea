import random
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.analysis.features import PixelFeatures
from rpganify.analysis.generation import to_uint8
from rpganify.analysis.opening import open_extractor
from rpganify.analysis.quality.frechet import feature_statistics, frechet_distance
from rpganify.analysis.quality.monitor import QualityMonitor
from rpganify.analysis.quality.samples import real_indices
from rpganify.data.images import MemoryImages, to_float
from rpganify.errors import AnalysisError
from tests.unit.analysis.test_classifier_features import RESNET, cifar10_images

SHAPE = (3, 4, 4)


class Corners:
    """Four features of an image: the values in its corners."""

    name = "corners"
    is_papers = False

    def __init__(self) -> None:
        self.num_seen = 0
        self.provenance: dict[str, object] = {}

    def adaptation(self, image_shape: tuple[int, ...]) -> str:
        return ""

    def __call__(self, images: Tensor) -> Tensor:
        self.num_seen += len(images)
        return images[:, 0][:, [0, 0, -1, -1], [0, -1, 0, -1]]


def real_images(num_images: int = 300) -> MemoryImages:
    pixels = torch.randint(256, (num_images, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    return MemoryImages("noise", pixels)


def plain_generator() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 48), nn.BatchNorm1d(48), nn.Dropout(0.5), nn.Tanh(), nn.Unflatten(1, SHAPE))


@pytest.fixture(params=["converted", "standard"])
def generator(request: pytest.FixtureRequest) -> nn.Module:
    plain = plain_generator()
    if request.param == "standard":
        return rpganify.standard(plain)
    return rpganify.wrap(plain, buckets=["0"], blocks=50)


def expected_distance(generator: nn.Module, num_images: int, seed: int) -> float:
    """The same by hand: all at once, in eval mode."""
    generator.eval()
    data = real_images()
    with torch.no_grad():
        codes = generator.draw(num_images, torch.Generator().manual_seed(seed))  # type: ignore[operator]
        fake = to_float(to_uint8(generator.images(codes)))  # type: ignore[operator]
    real = to_float(data.images(real_indices(len(data), num_images, seed)))
    return frechet_distance(*(feature_statistics(Corners()(images)) for images in (real, fake)))


def test_the_monitor_is_the_frechet_distance_of_seeded_images_and_real_ones(generator: nn.Module):
    measured = QualityMonitor(real_images(), Corners(), num_images=100, seed=3)(generator.train())
    assert measured == pytest.approx(expected_distance(generator, 100, 3), rel=1e-5)  # float32 batches against one
    assert measured > 0


def test_the_monitor_leaves_training_flags_weights_and_all_random_states_as_they_were(generator: nn.Module):
    monitor = QualityMonitor(real_images(), Corners(), num_images=100)
    generator.train()
    next(iter(generator.children())).eval()
    flags = [module.training for module in generator.modules()]
    weights = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    monitor(generator)
    assert [module.training for module in generator.modules()] == flags
    assert all(torch.equal(weights[name], tensor) for name, tensor in generator.state_dict().items())
    assert torch.equal(torch.get_rng_state(), states[0]) and random.getstate() == states[1]
    assert np.random.get_state()[1].tolist() == states[2] and torch.is_grad_enabled()
    assert all(parameter.grad is None for parameter in generator.parameters())


def test_real_statistics_are_computed_once_and_a_number_is_repeatable(generator: nn.Module):
    extractor = Corners()
    monitor = QualityMonitor(real_images(), extractor, num_images=100)
    before = extractor.num_seen
    first = monitor(generator)
    assert extractor.num_seen - before == 100
    torch.rand(7)
    assert monitor(generator) == first


def test_a_better_generator_gets_a_lower_number(shared_data: Path):
    class Replay(nn.Module):
        codes, conditions, image_shape = "z", (), (3, 32, 32)

        def __init__(self, images: Tensor, blur: float) -> None:
            super().__init__()
            self.pictures, self.blur = nn.Buffer(to_float(images)), blur

        def draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
            return torch.randint(len(self.pictures), (n,), generator=generator)

        def images(self, codes: Tensor) -> Tensor:
            return self.pictures[codes] * (1 - self.blur)

    images = cifar10_images(shared_data, 400)
    extractor = open_extractor(f"classifier:{shared_data / RESNET}")
    monitor = QualityMonitor(MemoryImages("cifar10", images[:200]), extractor, num_images=200)
    assert monitor.name == "Fréchet distance (classifier:resnet56-4bfd9763.th)" and monitor.is_lower_better
    numbers = [monitor(Replay(images[200:], blur)) for blur in (0.0, 0.5, 0.9)]
    assert numbers == sorted(numbers) and numbers[2] > 2 * numbers[0]


def test_labels_of_a_conditional_generator_are_drawn_as_often_as_the_data_has_them():
    class Conditional(nn.Module):
        image_shape = SHAPE

        def __init__(self) -> None:
            super().__init__()
            self.conditions = (rpganify.routing.generator.Condition("label", (), torch.int64),)
            self.seen: list[int] = []

        def draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
            return torch.rand(n, 1, generator=generator)

        def images(self, codes: Tensor, label: Tensor) -> Tensor:
            self.seen += label.tolist()
            return (codes * 2 - 1).view(-1, 1, 1, 1).expand(-1, *SHAPE)

    pixels = real_images(100).pixels
    labels = torch.tensor([0] * 90 + [1] * 10)
    model = Conditional()
    QualityMonitor(MemoryImages("two", pixels, labels, ("a", "b")), Corners(), num_images=100)(model)
    assert len(model.seen) == 100 and 2 <= sum(model.seen) <= 25  # 10 expected, standard deviation 3

    unlabelled = QualityMonitor(MemoryImages("none", pixels), Corners(), num_images=100)
    with pytest.raises(AnalysisError, match=r"also needs label for each image.*`--condition label=0`"):
        unlabelled(model)


def test_no_more_images_than_features_are_refused_with_a_number_that_works():
    with pytest.raises(
        AnalysisError, match=r"\(pixels\) of 48 images says little: pixels gives 48 features.*at least 49"
    ):
        QualityMonitor(real_images(), PixelFeatures(), num_images=48)
    with pytest.raises(AnalysisError, match=r"The data set has only 40, so name an extractor of fewer features"):
        QualityMonitor(real_images(40), PixelFeatures(), num_images=40)


def test_more_images_than_the_data_has_are_refused():
    with pytest.raises(AnalysisError, match="to compare 301 images, and noise holds 300; compare 300 at most"):
        QualityMonitor(real_images(), Corners(), num_images=301)


def test_another_shape_than_the_datas_is_refused():
    monitor = QualityMonitor(real_images(), Corners(), num_images=100)
    other = rpganify.standard(nn.Sequential(nn.Linear(4, 75), nn.Tanh(), nn.Unflatten(1, (3, 5, 5))))
    with pytest.raises(AnalysisError, match=r"makes \(3, 5, 5\) and noise holds \(3, 4, 4\)"):
        monitor(other)


def test_a_generator_that_diverged_is_refused(generator: nn.Module):
    monitor = QualityMonitor(real_images(), Corners(), num_images=100)
    with torch.no_grad():
        next(generator.parameters()).fill_(torch.nan)
    with pytest.raises(AnalysisError, match=r"NaN or infinity.*take an earlier checkpoint"):
        monitor(generator)


def test_what_cannot_draw_or_makes_no_picture_is_refused():
    monitor = QualityMonitor(real_images(), Corners(), num_images=100)
    with pytest.raises(AnalysisError, match=r"Sequential has no draw, images, image_shape. Hand over what"):
        monitor(plain_generator())  # type: ignore[arg-type]
    sound = rpganify.standard(nn.Linear(4, 75))
    with pytest.raises(AnalysisError, match=r"this generator's output is \(75,\)"):
        monitor(sound)
