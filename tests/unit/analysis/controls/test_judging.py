import pytest
import torch

from rpganify.analysis.controls.judging import Judge
from tests.unit.analysis.controls.planted import DIM, latent_images, planted_judge, planted_logits


def test_batches_give_the_probabilities_of_the_codes_one_by_one_and_are_counted():
    judge = planted_judge(latent_images, batch_size=4)
    latents = torch.randn(10, DIM)
    found = judge.probabilities(latents)
    singly = torch.cat([torch.softmax(planted_logits(latent_images(one[None])), dim=1) for one in latents])
    torch.testing.assert_close(found, singly.double(), rtol=1e-6, atol=1e-7)
    assert judge.num_images == 10


def test_slopes_are_those_of_finite_differences_even_where_gradients_are_off():
    judge = planted_judge(latent_images, batch_size=3)
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


def test_what_is_seen_is_of_the_same_images_and_looks_are_shrunk_by_averaging():
    logits = torch.nn.Linear(32 * 8, 3)
    judge = Judge(
        lambda codes: codes.reshape(-1, 1, 32, 8),
        lambda images: logits(images.flatten(1)),
        lambda images: (images.flatten(1)[:, :5], logits(images.flatten(1))),
        batch_size=2,
    )
    codes = torch.randn(5, 32 * 8)
    seen = judge.see(codes)
    torch.testing.assert_close(seen.probabilities, judge.probabilities(codes))
    assert torch.equal(seen.features, codes[:, :5])
    torch.testing.assert_close(seen.looks, codes.reshape(5, 16, 2, 8).mean(dim=2).flatten(1))
    assert judge.num_images == 10
