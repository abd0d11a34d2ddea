import math

import pytest
import torch
from torch import Tensor

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.concepts.interventions import (
    batch_size_of,
    class_probabilities,
    correlations,
    intervene_on_blocks,
    intervene_on_latents,
    probabilities_of,
)
from rpganify.analysis.generation import ImageMaker, evaluating
from rpganify.errors import AnalysisError

from .planted import PlantedBlocks, ReadsPixels, planted_map, planted_scores


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_changes_are_those_of_the_same_latents_with_one_number_set_to_minus_or_plus_delta():
    space = planted_map()
    found = intervene_on_latents(space, ReadsPixels(), 7, seeded(), deltas=(3, 1), batch_size=5)
    assert found.deltas == (1, 3) and found.changes.shape == (2, 2, 7, 16, 4) and found.dim == 16
    before = planted_scores(found.latents).double().softmax(dim=1)
    torch.testing.assert_close(found.base, before, rtol=0, atol=1e-6)  # images are float32
    for step, delta in enumerate((1, 3)):
        for side, sign in enumerate((-1, 1)):
            for index in (0, 3, 8, 15):
                moved = found.latents.clone()
                moved[:, index] = sign * delta
                expected = planted_scores(moved).double().softmax(dim=1) - before
                torch.testing.assert_close(found.changes[step, side, :, index], expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(found.effects[1, 1, 3], found.changes[1, 1, :, 3].mean(dim=0))


def test_the_latents_are_the_generators_draws_and_progress_counts_images():
    told: list[tuple[int, int]] = []
    space = planted_map()
    found = intervene_on_latents(
        space, ReadsPixels(), 4, seeded(3), deltas=(2,), progress=lambda *step: told.append(step)
    )
    assert torch.equal(found.latents, space.draw(4, seeded(3)))
    assert len(told) == 16 and told[0] == (8, 128) and told[-1] == (128, 128)


def test_changes_of_probabilities_add_up_to_nothing_over_the_classes():
    found = intervene_on_latents(planted_map(), ReadsPixels(), 5, seeded(), deltas=(2,))
    assert found.changes.sum(dim=-1).abs().max() < 1e-12
    assert found.changes[..., 13:, :].abs().max() == 0  # numbers that nothing depends on


@pytest.mark.parametrize(("num_z", "deltas"), [(1, (3,)), (5, ()), (5, (0, 1)), (5, (math.inf,))])
def test_one_latent_or_a_delta_that_is_not_above_zero_is_refused(num_z: int, deltas: tuple[float, ...]):
    with pytest.raises(AnalysisError, match=r"at least 2 latents and set z_i to ±δ with δ above 0; got .*--num-z 100"):
        intervene_on_latents(planted_map(), ReadsPixels(), num_z, seeded(), deltas=deltas)


def test_a_block_is_compared_with_the_mean_of_its_bucket_in_the_same_path():
    model, classifier = PlantedBlocks(), ReadsPixels()
    contexts = model.draw(6, seeded())
    told: list[tuple[int, int]] = []
    with evaluating(model, 0):
        maker = ImageMaker(model, AnalysisContext())
        found = intervene_on_blocks(
            maker, model.paths.num_blocks, classifier, contexts, progress=lambda *step: told.append(step)
        )
    assert found.buckets.tolist() == [0] * 5 + [1] * 4 + [2] * 6
    assert found.blocks.tolist() == [*range(5), *range(4), *range(6)]
    for path_index, path in enumerate(contexts):
        variants = path.repeat(4, 1)
        variants[:, 1] = torch.arange(4)
        probabilities = (10 * model.images(variants).detach().flatten(1)).double().softmax(dim=1)
        expected = probabilities - probabilities.mean(dim=0)
        torch.testing.assert_close(found.changes[path_index, 5:9], expected, rtol=0, atol=1e-6)
    assert told[-1] == (15 * 6, 15 * 6)


def test_a_bucket_of_one_block_has_no_interventions_and_one_path_is_refused():
    model = PlantedBlocks((5, 1, 2))
    with evaluating(model, 0):
        maker = ImageMaker(model, AnalysisContext())
        found = intervene_on_blocks(maker, (5, 1, 2), ReadsPixels(), model.draw(3, seeded()))
        assert found.buckets.tolist() == [0] * 5 + [2] * 2
        with pytest.raises(AnalysisError, match=r"at least 2 random paths.*got 1 paths and buckets of 5, 1, 2"):
            intervene_on_blocks(maker, (5, 1, 2), ReadsPixels(), model.draw(1, seeded()))
        with pytest.raises(AnalysisError, match=r"a bucket of at least 2 blocks.*--blocks 10"):
            intervene_on_blocks(maker, (1, 1, 1), ReadsPixels(), torch.zeros(4, 3, dtype=torch.int64))


def test_correlations_are_pearsons_and_none_with_what_is_constant():
    latents = torch.randn(50, 3, generator=seeded())
    probabilities = torch.rand(50, 2, generator=seeded(1), dtype=torch.float64)
    together = torch.cat([latents.double(), probabilities], dim=1).T
    torch.testing.assert_close(correlations(latents, probabilities), torch.corrcoef(together)[:3, 3:])
    assert correlations(latents, torch.ones(50, 1)).abs().max() == 0


def test_scores_that_are_not_finite_are_refused():
    with pytest.raises(AnalysisError, match=r"scores that are NaN or infinite.*earlier checkpoint"):
        probabilities_of(torch.tensor([[0.0, math.nan]]))


def test_batches_stay_within_the_pixels_and_change_nothing():
    space, latents = planted_map(), torch.randn(9, 16, generator=seeded())
    one, other = (class_probabilities(space, ReadsPixels(), latents, batch_size=size) for size in (2, 100))
    assert torch.equal(one, other) and one.dtype == torch.float64
    assert batch_size_of((3, 64, 64), 2**14) == 4 and batch_size_of((1, 8, 8), 2**20) == 128
    assert batch_size_of((1, 64, 64), 1) == 1


def test_no_latents_have_no_probabilities():
    empty: Tensor = class_probabilities(planted_map(), ReadsPixels(), torch.empty(0, 16))
    assert empty.shape == (0, 4)
