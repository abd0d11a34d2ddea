import pytest
import torch

from rpganify.analysis.controls.judging import Judge
from tests.unit.analysis.controls.planted import DIM, latent_images, planted_logits


def test_batches_give_the_probabilities_of_the_codes_one_by_one_and_are_counted():
    judge = Judge(latent_images, planted_logits, batch_size=4)
    latents = torch.randn(10, DIM)
    found = judge.probabilities(latents)
    singly = torch.cat([torch.softmax(planted_logits(latent_images(one[None])), dim=1) for one in latents])
    torch.testing.assert_close(found, singly.double(), rtol=1e-6, atol=1e-7)
    assert judge.num_images == 10


def test_slopes_are_those_of_finite_differences_even_where_gradients_are_off():
    judge = Judge(latent_images, planted_logits, batch_size=3)
    latents = torch.randn(7, DIM, dtype=torch.float64)
    with torch.no_grad():
        value, slopes = judge.log_probability(latents, 1)
    step = 1e-6
    for dimension in (3, 5, 0):
        there = latents.clone()
        there[:, dimension] += step
        higher = judge.probabilities(there)[:, 1].log()
        lower = judge.probabilities(latents)[:, 1].log()
        torch.testing.assert_close(slopes[:, dimension], (higher - lower) / step, rtol=1e-4, atol=1e-6)
    assert value == pytest.approx(float(lower.mean()))


def test_variance_is_the_sum_over_pixels_of_the_unbiased_one():
    judge = Judge(latent_images, planted_logits, batch_size=4)
    latents = torch.randn(11, DIM)
    expected = latent_images(latents).flatten(1).var(dim=0).sum()
    assert judge.variance(latents) == pytest.approx(float(expected), rel=1e-5)
    assert judge.variance(latents[:1].expand(3, -1)) == pytest.approx(0, abs=1e-12)
