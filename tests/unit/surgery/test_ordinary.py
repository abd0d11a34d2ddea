"""A bucket of one block is an ordinary layer: the same images by shorter paths."""

from __future__ import annotations

import pytest
import torch

import rpganify
from rpganify.errors import PlanError
from rpganify.surgery.ordinary import make_ordinary
from rpganify.surgery.restack import old_blocks
from tests.generators import CASES
from tests.unit.conversion.converted import conditions, model_copy, seeded
from tests.unit.surgery.models import converted


@pytest.mark.parametrize("name", ["BatchNorms", "ClassLabels", "TiesWeights"])
@torch.no_grad()
def test_any_kind_of_generator_keeps_its_images(name: str) -> None:
    model = rpganify.prune(model_copy(name, 3, "eval", torch.float64), drop={0: [0, 2]}, keeps_buckets=True)
    made = make_ordinary(model, [0])
    paths = model.draw(4, torch.Generator().manual_seed(0))
    others = conditions(model, CASES[name].arguments(4))
    torch.testing.assert_close(
        seeded(lambda: made.images(paths[:, 1:], **others)), seeded(lambda: model.images(paths, **others)), rtol=0,
        atol=1e-12,
    )  # fmt: skip
    assert made.plan.shared == (*model.plan.shared, *model.plan.buckets[0].layers)


def test_a_bucket_of_fixed_inputs_becomes_the_one_input_of_all() -> None:
    model = converted((1, 3, 2), num_Z=4)
    assert model.plan.num_blocks == (4, 1, 3, 2)
    pruned = rpganify.prune(model, drop={0: [0, 1, 3]}, keeps_buckets=True)
    made = make_ordinary(pruned, [0, 1])
    assert made.plan.num_blocks == (3, 2) and "Z" not in made.plan.shared and made.Z.shape == (1, 8)
    paths = made.draw(6)
    zeros = torch.zeros(6, 2, dtype=torch.int64)
    torch.testing.assert_close(made(paths), pruned(torch.cat([zeros, paths], dim=1)), rtol=0, atol=1e-6)


def test_old_blocks_of_a_grown_model_stay_old() -> None:
    grown = rpganify.grow(converted((1, 2, 2)), (0, 3, 0))
    made = make_ordinary(grown, [0])
    assert old_blocks(grown) == (1, 2, 2) and old_blocks(made) == (2, 2)


def test_parameters_that_are_not_trained_stay_so() -> None:
    model = converted((1, 2, 2))
    model.get_parameter("l1.weight").requires_grad_(False)
    made = make_ordinary(model, [0])
    assert not made.get_parameter("l1.weight").requires_grad and made.get_parameter("l2.weight").requires_grad


def test_several_blocks_are_no_ordinary_layer_and_a_bucket_has_to_be_left() -> None:
    with pytest.raises(PlanError, match=r"Bucket 2 \(l2\) has 2 blocks, and only one of a single block is an ordinary"):
        make_ordinary(converted((1, 2, 2)), [1])
    with pytest.raises(PlanError, match=r"No bucket would be left.*`rpganify extract"):
        make_ordinary(converted((1, 1, 1)), [0, 1, 2])
