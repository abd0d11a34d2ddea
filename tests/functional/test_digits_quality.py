"""The whole road on real digits, judged by a classifier that has seen other real digits."""

import itertools
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.analysis.classifier_features import ClassifierFeatures, classifier_features
from rpganify.analysis.classifier_training import ClassifierConfig, train_classifier
from rpganify.analysis.quality.frechet import FeatureStatistics, feature_statistics, frechet_distance
from rpganify.data.images import MemoryImages, to_float
from rpganify.data.opening import open_data
from rpganify.entries import DiscriminatorEntry
from rpganify.registry import default_registry, resolve
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.trainer import Trainer

STEPS = 1000
NUM_SAMPLES = 1000


class SmallGenerator(nn.Module):
    """Four linear layers to 8×8 pixels, the size of the bundled digits."""

    def __init__(self) -> None:
        super().__init__()
        sizes = (32, 128, 128, 128)
        hidden = [nn.Sequential(nn.Linear(a, b), nn.LeakyReLU(0.2)) for a, b in itertools.pairwise(sizes)]
        self.hidden = nn.Sequential(*hidden)
        self.to_pixels = nn.Linear(sizes[-1], 64)

    def forward(self, z: Tensor) -> Tensor:
        return torch.tanh(self.to_pixels(self.hidden(z))).view(-1, 1, 8, 8)


def new_generator(seed: int) -> SmallGenerator:
    torch.manual_seed(seed)
    return SmallGenerator()


@pytest.fixture(scope="module")
def digits() -> MemoryImages:
    data = open_data("digits", None, default_registry())
    everything = torch.arange(len(data))
    assert data.labels is not None
    return MemoryImages("digits", data.images(everything), data.labels, data.class_names)


@pytest.fixture(scope="module")
def judge(digits: MemoryImages) -> ClassifierFeatures:
    """A classifier of every second digit; the generators are trained on the others."""
    assert digits.labels is not None
    others = MemoryImages("digits", digits.pixels[1::2], digits.labels[1::2], digits.class_names)
    return classifier_features(train_classifier(others, ClassifierConfig(num_epochs=10)))


@pytest.fixture(scope="module")
def real(digits: MemoryImages, judge: ClassifierFeatures) -> FeatureStatistics:
    return feature_statistics(judge(to_float(digits.pixels[1::2])))


def trained_samples(model: nn.Module, digits: MemoryImages, run: Path) -> Tensor:
    torch.manual_seed(1)
    build = resolve(default_registry().get(DiscriminatorEntry, "mlp").factory)
    discriminator = build(image_shape=(1, 8, 8), spectral_norm=True, channels=256)
    assert digits.labels is not None
    others = MemoryImages("digits", digits.pixels[::2], digits.labels[::2], digits.class_names)
    config = TrainConfig(
        steps=STEPS, generator_lr=1e-3, discriminator_lr=1e-3, sample_every=STEPS, checkpoint_every=STEPS
    )
    Trainer(model, discriminator, Hinge(), others, config, run=run).run()
    model.eval()
    with torch.no_grad():
        return model.sample(NUM_SAMPLES, torch.Generator().manual_seed(5))


def test_a_classifier_of_other_real_digits_recognises_all_ten_classes_among_the_samples(
    digits: MemoryImages,
    judge: ClassifierFeatures,
    real: FeatureStatistics,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    converted = rpganify.wrap(new_generator(0), buckets=4, blocks=8, factory=new_generator)
    samples = trained_samples(converted, digits, tmp_path / "converted")
    twin = trained_samples(rpganify.standard(new_generator(0)), digits, tmp_path / "standard")

    shares = torch.bincount(judge.classes(samples), minlength=10) / NUM_SAMPLES
    confidence = judge.scores(samples).softmax(1).amax(1).mean().item()
    distance, twin_distance, split_distance = (
        frechet_distance(feature_statistics(judge(images)), real)
        for images in (samples, twin, to_float(digits.pixels[::2]))
    )
    with capsys.disabled():
        print(
            f"\n{STEPS} steps on real digits, Fréchet distance (classifier of other digits): converted {distance:.1f}, "
            f"standard twin {twin_distance:.1f}, real halves {split_distance:.1f}; class shares "
            f"{' '.join(f'{share:.0%}' for share in shares)}, mean confidence {confidence:.2f}"
        )
    # Ten equal classes would have 10 % each; noise falls into one to three classes.
    assert shares.min() >= 0.02
    # Real digits of the other half get 0.99, untrained generators about 0.5.
    assert confidence > 0.75
    # Noise is at 170 or more, an untrained generator at 860; the real halves are 0.7 apart.
    assert distance < 60
