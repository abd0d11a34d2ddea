import numpy as np
import pytest
import torch
from scipy.stats import ttest_1samp

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.concepts.interventions import BlockInterventions, intervene_on_blocks, intervene_on_latents
from rpganify.analysis.concepts.table import importance, judge, moved_probability
from rpganify.analysis.generation import ImageMaker, evaluating

from .planted import CONTROLS_A, CONTROLS_B, DIM, PlantedBlocks, ReadsPixels, planted_map

A, B = 0, 1
TRUE = {CONTROLS_A, *CONTROLS_B}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def of_latents(seed: int, num_z: int = 60, noise: float = 1.0) -> torch.Tensor:
    """Changes of every number of z set to +3, `(num_z, 16, 4)`."""
    return intervene_on_latents(planted_map(noise), ReadsPixels(), num_z, seeded(seed), deltas=(3,)).changes[0, 1]


def of_blocks(seed: int, num_contexts: int = 60) -> BlockInterventions:
    model = PlantedBlocks()
    with evaluating(model, 0):
        maker = ImageMaker(model, AnalysisContext())
        return intervene_on_blocks(maker, model.paths.num_blocks, ReadsPixels(), model.draw(num_contexts, seeded(seed)))


def test_the_dimension_that_controls_a_and_the_two_that_control_b_are_found_with_their_signs():
    effects = judge(of_latents(0), seed=0)
    assert int(effects.mean[:, A].argmax()) == CONTROLS_A
    assert set(effects.mean[:, B].topk(2).indices.tolist()) == set(CONTROLS_B)
    for index, concept in ((CONTROLS_A, A), (CONTROLS_B[0], B), (CONTROLS_B[1], B)):
        assert effects.is_significant[index, concept] and effects.low[index, concept] > 0.1
    for index in CONTROLS_B:  # what raises B leaves less for A
        assert effects.is_significant[index, A] and effects.high[index, A] < 0


@pytest.mark.parametrize("noise", [0.5, 8.0])
def test_the_false_discovery_rate_holds_over_many_analyses(noise: float):
    """With a noise of 8, all probabilities are nearly 0 or 1, as those of a good classifier are."""
    shares, num_found = [], 0
    for seed in range(60):
        is_told = judge(of_latents(seed, 40, noise), seed=seed).is_significant
        false = sum(int(is_told[index].sum()) for index in range(DIM) if index not in TRUE)
        shares.append(false / max(1, int(is_told.sum())))
        num_found += int(is_told[CONTROLS_A, A])
    # 10 to 13 of the 16 × 4 cells have an effect, so the rate itself is at most 0.05 · 54 / 64 on average.
    assert np.mean(shares) < 0.05 + 2 * np.std(shares) / np.sqrt(len(shares))
    assert num_found == 60


def test_block_2_of_bucket_1_is_told_to_raise_a_and_no_other_block():
    found = of_blocks(0)
    effects = judge(found.changes, seed=0)
    raised = (effects.is_significant & (effects.mean > 0))[:, A].nonzero().flatten().tolist()
    assert [(int(found.buckets[one]), int(found.blocks[one])) for one in raised] == [(0, 2)]
    others = found.buckets > 0
    assert not effects.is_significant[others].any()
    assert int(effects.mean[:, A].argmax()) == 2 and effects.low[2, A] > 0.3


def test_p_values_are_students_and_are_adjusted_over_all_cells():
    changes = torch.randn(30, 5, 2, generator=seeded(), dtype=torch.float64) + 0.4
    effects = judge(changes, seed=0)
    expected = ttest_1samp(changes.numpy(), 0, axis=0).pvalue
    np.testing.assert_allclose(effects.p_values, expected)
    order = np.sort(expected.ravel())
    # The definition: the least p·m/rank of it and all larger ones.
    steps = np.minimum.accumulate((order * len(order) / np.arange(1, len(order) + 1))[::-1])[::-1]
    np.testing.assert_allclose(np.sort(effects.adjusted.numpy().ravel()), steps)


def test_what_never_changes_has_no_effect_and_what_always_does_has_one():
    changes = torch.zeros(10, 2, 2, dtype=torch.float64)
    changes[:, 1] = torch.tensor([0.25, -0.25])
    effects = judge(changes, seed=0)
    assert effects.p_values.tolist() == [[1, 1], [0, 0]]
    assert effects.mean.tolist() == effects.low.tolist() == effects.high.tolist() == [[0, 0], [0.25, -0.25]]
    assert effects.is_significant.tolist() == [[False, False], [True, True]]


def test_rounding_that_always_comes_out_alike_is_no_effect():
    changes = 1e-7 * (1 + torch.rand(10, 3, 2, generator=seeded(), dtype=torch.float64))
    assert not judge(changes, seed=0).is_significant.any()
    assert judge(1e4 * changes, seed=0).is_significant.all()


def test_intervals_hold_the_true_mean_in_about_95_of_100_samples_whatever_the_number_of_cells():
    changes = 0.3 + torch.randn(80, 50, 50, generator=seeded(), dtype=torch.float64)  # 2500 cells, two parts
    effects = judge(changes, seed=0)
    covered = ((effects.low <= 0.3) & (effects.high >= 0.3)).double().mean()
    assert 0.92 < covered < 0.97
    assert (effects.low <= effects.mean).all() and (effects.mean <= effects.high).all()


def test_half_the_sum_of_all_changes_is_the_probability_that_is_moved():
    assert moved_probability(torch.tensor([[0.3, -0.2, -0.1], [0.0, 0.0, 0.0]])).tolist() == pytest.approx([0.3, 0])


def test_importance_is_a_mean_over_a_variables_interventions_and_the_idle_ones_mostly_lie_within_the_band():
    num_above = []
    for seed in range(8):
        found = intervene_on_latents(planted_map(), ReadsPixels(), 60, seeded(seed), deltas=(3,))
        changes = found.changes[0].permute(1, 0, 2, 3).flatten(1, 2)  # (n, 2 · dim, 4)
        measured = importance(changes, torch.arange(DIM).repeat(2), seed=seed)
        torch.testing.assert_close(measured.values, moved_probability(found.effects[0]).mean(dim=0))
        assert set(measured.order[:3].tolist()) == TRUE
        assert (measured.null_low <= measured.null_high).all() and (measured.null_high.diff() <= 0).all()
        num_above.append(measured.num_above_null)
    assert min(num_above) == 3 and num_above.count(3) >= 6  # the next one lies above in about 2.5 % of analyses


def test_variables_without_any_effect_do_not_stand_out_more_often_than_the_band_says():
    outside = 0
    for seed in range(40):
        changes = torch.randn(30, 12, 3, generator=seeded(seed), dtype=torch.float64)
        found = importance(changes, torch.arange(12), seed=seed)
        outside += found.num_above_null > 0
    assert outside <= 6  # 2.5 % of 40 analyses are expected, so more than 6 come about once in 20,000


def test_where_all_variables_matter_all_lie_above_the_band():
    changes = 1 + 0.01 * torch.randn(30, 4, 3, generator=seeded(), dtype=torch.float64)
    assert importance(changes, torch.arange(4), seed=0).num_above_null == 4
