"""Blocks that do harm are found by the distance to real images; with a number in mind, always the worst."""

from __future__ import annotations

import pytest
import torch

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.pruning.low_quality import choose_low_quality
from rpganify.analysis.pruning.scores import MAX_FEATURES
from rpganify.errors import AnalysisError, PlanError
from rpganify.surgery.drop import kept_blocks
from tests.unit.analysis.pruning.planted import Quarters, context, harmed
from tests.unit.surgery.models import converted


def test_planted_blocks_go_and_no_others() -> None:
    model = harmed()
    found = choose_low_quality(model, context(model))
    assert found.by_bucket == {1: [2], 2: [3]}
    assert all(drop.change.high < 0 and drop.is_harmful for drop in found.drops)
    assert not any(score.is_harmful for score in found.rest) and len(found.rest) == 4 + 3 + 4
    assert found.changed_share(model.plan.num_blocks) == pytest.approx(1 - 3 / 4 * 4 / 5)
    pruned = rpganify.prune(model, low_quality=True, context=context(model))
    assert kept_blocks(pruned) == [[0, 1, 2, 3], [0, 1, 3], [0, 1, 2, 4]]


def test_the_model_is_left_as_it_was_and_the_seed_decides() -> None:
    model = harmed().train()
    state, chance = {name: one.clone() for name, one in model.state_dict().items()}, torch.get_rng_state()
    first, again = (choose_low_quality(model, context(model), worst=2) for _ in range(2))
    assert first == again
    assert model.training and torch.equal(torch.get_rng_state(), chance)
    assert all(torch.equal(state[name], one) for name, one in model.state_dict().items())


def test_numbers_are_met_with_the_worst_first() -> None:
    model = harmed()
    worst = choose_low_quality(model, context(model), worst=3)
    assert len(worst.drops) == 3
    assert {(drop.bucket, drop.block) for drop in worst.drops[:2]} == {(1, 2), (2, 3)}
    kept = choose_low_quality(model, context(model), keep=[4, 3, 2])
    assert {bucket: len(blocks) for bucket, blocks in kept.by_bucket.items()} == {1: 1, 2: 3}
    assert 2 in kept.by_bucket[1] and 3 in kept.by_bucket[2]
    pruned = rpganify.prune(
        model, low_quality=True, target_coverage=0.5, num_images=80, context=context(model, 300), keeps_buckets=True
    )
    assert pruned.paths.cardinality >= 40
    # No further block could go.
    smaller = [pruned.paths.cardinality // m * (m - 1) for m in pruned.plan.num_blocks if m > 1]
    assert all(count < 40 for count in smaller)


def test_every_bucket_keeps_a_block_whatever_the_wish() -> None:
    model = harmed()
    found = choose_low_quality(model, context(model, 300), worst=10)
    assert {bucket: len(blocks) for bucket, blocks in found.by_bucket.items()} == {0: 3, 1: 3, 2: 4}


def test_features_may_be_many_and_say_the_same() -> None:
    model = harmed()
    found = choose_low_quality(model, context(model, extractor=Quarters(num_copies=20)))
    assert found.by_bucket == {1: [2], 2: [3]} and MAX_FEATURES < 4 * 20


@pytest.mark.parametrize(
    ("wishes", "num_images", "error", "message"),
    [
        (
            {"worst": 0},
            600,
            PlanError,
            r"The worst 0 blocks cannot be dropped: there are 13 in 3 buckets.* from 1 to 10",
        ),
        ({"worst": 11}, 600, PlanError, "The worst 11 blocks cannot be dropped"),
        ({"keep": [4, 4, 6]}, 600, PlanError, "has 5 blocks and cannot keep 6"),
        ({"keep": [4, 4, 5]}, 600, AnalysisError, "every bucket has no more blocks than it is to keep"),
        ({"min_paths": 80}, 600, AnalysisError, "fewer than 80 paths"),
        ({"keep": [1, 1, 1], "worst": 2}, 600, AnalysisError, r"not more than one of these"),
        ({}, 99, AnalysisError, "at least 100 of both"),
    ],
)
def test_wishes_that_cannot_be_met_are_refused(
    wishes: dict[str, object], num_images: int, error: type[Exception], message: str
) -> None:
    model = harmed()
    with pytest.raises(error, match=message):
        choose_low_quality(model, context(model, num_images), **wishes)  # type: ignore[arg-type]


def test_too_few_images_are_refused() -> None:
    model = rpganify.grow(harmed(), (0, 0, 20), init="copy")
    with pytest.raises(AnalysisError, match=r"120 images show each of the 25 blocks of bucket 'l3' 4 times.*2500"):
        choose_low_quality(model, context(harmed(), 120))
    with pytest.raises(AnalysisError, match=r"120 images say little .* 64 features, 64 at most\. Take 256 or more"):
        choose_low_quality(harmed(), context(harmed(), 120, Quarters(num_copies=20)))


def test_data_and_an_extractor_are_needed_and_several_blocks() -> None:
    with pytest.raises(AnalysisError, match="no extractor was named"):
        choose_low_quality(harmed(), AnalysisContext())
    with pytest.raises(AnalysisError, match="no data set was named"):
        choose_low_quality(harmed(), AnalysisContext(extractor=Quarters()))
    model = converted((1, 1, 1))
    with pytest.raises(AnalysisError, match="Every bucket of this model has one block"):
        choose_low_quality(model, context(harmed()))


def test_a_model_without_harmful_blocks_has_nothing_to_drop() -> None:
    model = harmed()
    sound = rpganify.prune(model, drop={1: [2], 2: [3]})
    with pytest.raises(AnalysisError, match=r"no block does harm beyond chance.*of bucket \d, without which.*--worst"):
        choose_low_quality(sound, context(model))
