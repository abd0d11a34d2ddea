"""Accuracy and bits, against a direct transcription."""

import math

import numpy as np
import torch

from rpganify.analysis.inversion.predictor_score import score_buckets


def chance(seed=0):
    return torch.Generator().manual_seed(seed)


def test_shares_and_bits_are_what_a_direct_count_gives():
    scores = torch.randn(200, 8, generator=chance(1), dtype=torch.float64).mul(2).log_softmax(dim=1)
    truth = torch.randint(8, (200, 1), generator=chance(2))
    (score,) = score_buckets([scores], truth, chance())
    table, right = scores.numpy(), truth[:, 0].numpy()
    ranked = np.argsort(-table, axis=1)
    assert math.isclose(score.top1.value, np.mean(ranked[:, 0] == right))
    assert math.isclose(score.top5.value, np.mean([right[i] in ranked[i, :5] for i in range(200)]))
    told = np.mean([3 + np.log2(np.exp(table[i, right[i]])) for i in range(200)])
    assert math.isclose(score.bits.value, told, rel_tol=1e-9)
    assert (score.chance1, score.chance5) == (1 / 8, 5 / 8)
    for estimate in (score.top1, score.top5, score.bits):
        assert estimate.low < estimate.value < estimate.high


def test_a_predictor_that_knows_tells_all_bits_and_one_that_guesses_none():
    truth = torch.arange(16)[:, None]
    sure = torch.full((16, 16), -100.0, dtype=torch.float64).fill_diagonal_(0.0)
    guess = torch.full((16, 16), -math.log(16), dtype=torch.float64)
    (knows,), (guesses,) = (score_buckets([one], truth, chance()) for one in (sure, guess))
    assert (knows.top1.value, knows.top5.value, knows.bits.value) == (1, 1, 4)
    assert math.isclose(guesses.bits.value, 0, abs_tol=1e-12)


def test_the_interval_holds_the_true_share_about_as_often_as_it_says():
    held = 0
    for seed in range(60):
        right = torch.rand(100, generator=chance(seed)) < 0.3
        scores = torch.where(right[:, None], torch.tensor([0.0, -9.0]), torch.tensor([-9.0, 0.0])).double()
        (score,) = score_buckets([scores], torch.zeros(100, 1, dtype=torch.int64), chance(seed))
        held += score.top1.low <= 0.3 <= score.top1.high
    assert held >= 51  # 57 are due; three standard deviations less


def test_a_bucket_of_few_blocks_has_all_of_them_among_five():
    scores = torch.zeros(4, 3, dtype=torch.float64).log_softmax(dim=1)
    (score,) = score_buckets([scores], torch.tensor([[0], [1], [2], [0]]), chance())
    assert (score.top5.value, score.chance5) == (1, 1)
