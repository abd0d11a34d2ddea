import numpy as np
import pytest
import torch
from scipy.ndimage import correlate1d

from rpganify.analysis.ssim import SsimDistance
from rpganify.errors import AnalysisError
from rpganify.testing.distance import check_distance


def by_formula(one: np.ndarray, other: np.ndarray, size: int = 11) -> float:
    """SSIM window by window, of images `(C, H, W)` with values 0 to 255, after equations 13 and 14 of the paper."""
    offsets = np.arange(size) - size // 2
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    found = []
    for x, y in zip(one.astype(float), other.astype(float), strict=True):
        for top in range(x.shape[0] - size + 1):
            for left in range(x.shape[1] - size + 1):
                a, b = (z[top : top + size, left : left + size] for z in (x, y))
                mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
                var_a, var_b = (weights * (a - mean_a) ** 2).sum(), (weights * (b - mean_b) ** 2).sum()
                cov = (weights * (a - mean_a) * (b - mean_b)).sum()
                found.append(
                    (2 * mean_a * mean_b + c1) * (2 * cov + c2) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
                )
    return float(np.mean(found))


def pictures(shape: tuple[int, ...], count: int = 6) -> torch.Tensor:
    """Blurred noise, of which neighbours are alike, so that there is structure."""
    draws = np.random.default_rng(0).normal(size=(count, *shape))
    for axis in (2, 3):
        draws = correlate1d(draws, [0.25, 0.5, 0.25], axis=axis)
    draws[1] = draws[0] + 0.2 * draws[1]
    return torch.tensor((128 + 90 * draws).clip(0, 255).round()).to(torch.uint8)


@pytest.mark.parametrize("shape", [(3, 14, 17), (1, 11, 12)])
def test_it_equals_a_loop_over_windows(shape: tuple[int, ...]):
    images = pictures(shape)
    distance = SsimDistance(shape[0])
    found = distance.pairs(distance.describe(images).view(2, 3, *shape))
    for group in range(2):
        for i in range(3):
            for j in range(3):
                one, other = images[3 * group + i].numpy(), images[3 * group + j].numpy()
                assert float(found[group, i, j, 0]) == pytest.approx(1 - by_formula(one, other), abs=1e-9)
    assert 0 < float(found[0, 0, 1, 0]) < 0.5 * float(found[0, 0, 2, 0])  # the second is the first with noise


@pytest.mark.parametrize(("height", "width", "size"), [(8, 8, 7), (9, 20, 9), (2, 2, 1), (1, 30, 1)])
def test_a_small_picture_is_compared_by_the_largest_odd_window_that_fits(height: int, width: int, size: int):
    images = pictures((1, height, width), 2)
    found = SsimDistance(1).pairs(images[None])
    assert float(found[0, 0, 1, 0]) == pytest.approx(
        1 - by_formula(images[0].numpy(), images[1].numpy(), size), abs=1e-9
    )


def test_a_picture_and_its_negative_are_farther_apart_than_unrelated_ones():
    images = pictures((1, 20, 20))
    images = torch.stack([images[0], 255 - images[0], images[2]])
    found = SsimDistance(1).pairs(images[None])[0, ..., 0]
    assert found[0, 1] > 1.5 > 1.2 > found[0, 2] > 0.8


@pytest.mark.parametrize("num_channels", [1, 3])
def test_it_keeps_the_laws_of_a_distance(num_channels: int):
    check_distance(SsimDistance(num_channels), num_channels=num_channels)


def test_other_numbers_of_channels_are_refused():
    with pytest.raises(AnalysisError, match=r"SSIM compares images of 1 \(grey\) or 3 channels, these have 2"):
        SsimDistance(2)
