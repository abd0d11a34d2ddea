import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from rpganify.analysis.distances import ColourDistance, FeatureDistance, PairDistance, channel_histograms, hellinger
from rpganify.analysis.features import PixelFeatures
from tests.unit.analysis.test_classifier_features import cifar10_images


def distances_of(distance: PairDistance, images: Tensor) -> Tensor:
    """All pairs of each group, images `(G, k, C, H, W)`."""
    described = distance.describe(images.flatten(0, 1))
    return distance.pairs(described.view(*images.shape[:2], *described.shape[1:]))


def by_formula(p: np.ndarray, q: np.ndarray) -> float:
    return math.sqrt(sum((math.sqrt(a) - math.sqrt(b)) ** 2 for a, b in zip(p, q, strict=True))) / math.sqrt(2)


def numpy_histogram(channel: np.ndarray) -> np.ndarray:
    return np.histogram(channel, bins=25, range=(0, 255))[0] / channel.size


def test_histograms_equal_numpys_for_every_value_of_a_pixel():
    images = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).repeat(1, 3, 1, 1)
    images[:, 1] = images[:, 1] // 2
    expected = [numpy_histogram(channel) for channel in images[0].numpy()]
    assert torch.equal(channel_histograms(images)[0], torch.tensor(np.array(expected)))


def test_each_pixel_value_lies_in_the_bin_that_numpy_puts_it_in():
    images = torch.arange(256, dtype=torch.uint8).view(256, 1, 1, 1)
    expected = np.array([numpy_histogram(np.array([value])) for value in range(256)])
    assert torch.equal(channel_histograms(images)[:, 0], torch.tensor(expected))


def test_hellinger_follows_the_papers_formula_and_lies_between_0_and_1():
    p, q = torch.rand(2, 25, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    p, q = p / p.sum(), q / q.sum()
    assert float(hellinger(p, q)) == pytest.approx(by_formula(p.numpy(), q.numpy()), rel=1e-12)
    assert float(hellinger(p, p)) == 0
    ends = torch.eye(25, dtype=torch.float64)
    assert float(hellinger(ends[0], ends[24])) == 1


def test_colour_distance_on_real_images_equals_a_direct_transcription(shared_data: Path):
    images = cifar10_images(shared_data, 8).view(2, 4, 3, 32, 32)
    distances = distances_of(ColourDistance(3), images)
    assert distances.shape == (2, 4, 4, 4)
    for group in range(2):
        for i in range(4):
            for j in range(4):
                pair = zip(images[group, i].numpy(), images[group, j].numpy(), strict=True)
                channels = [by_formula(numpy_histogram(a), numpy_histogram(b)) for a, b in pair]
                expected = [sum(channels) / 3, *channels]
                assert distances[group, i, j].tolist() == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_grey_images_have_one_colour_distance():
    images = torch.randint(256, (1, 2, 1, 8, 8), dtype=torch.uint8)
    assert ColourDistance(1).parts == ("colour",)
    assert distances_of(ColourDistance(1), images).shape == (1, 2, 2, 1)


def test_feature_distance_is_euclidean_and_exactly_0_for_equal_images():
    images = torch.randint(256, (3, 4, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    images[1, 2] = images[1, 0]
    distances = distances_of(FeatureDistance(PixelFeatures()), images)
    assert distances[1, 0, 2, 0] == 0 == distances[1, 2, 0, 0]
    floats = images.double() / 127.5 - 1
    expected = (floats[2, 1] - floats[2, 3]).square().sum().sqrt()
    assert float(distances[2, 1, 3, 0]) == pytest.approx(float(expected), rel=1e-6)  # features are float32
