"""Buckets: automatic ones follow the generator's stages, chosen ones are what was chosen; every refusal."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.conversion.converting import Inspection, convert_inspected, inspect_generator
from rpganify.errors import PlanError
from rpganify.plan import BucketSpec, Plan
from tests.generators import CASES
from tests.generators.case import LATENT, image
from tests.generators.regions import ParameterLists

SNGAN = ("l1", "block2", "block3", "block4", "c5")


@pytest.fixture(scope="module")
def generator() -> nn.Module:
    torch.manual_seed(0)
    return rpganify.architecture("sngan32", channels=8)


@pytest.fixture(scope="module")
def sngan(generator: nn.Module) -> Inspection:
    return inspect_generator(generator)


def layers_of(plan: Plan) -> list[tuple[str, ...]]:
    return [bucket.layers for bucket in plan.buckets]


@pytest.mark.parametrize("buckets", [None, 5])
def test_sngan32_falls_into_dense_three_residual_blocks_and_last_convolution_by_itself(
    sngan: Inspection, buckets: int | None
) -> None:
    plan = sngan.plan(buckets, 40)
    assert tuple(bucket.name for bucket in plan.buckets) == SNGAN
    assert layers_of(plan) == [
        ("l1",),
        ("block2.c1", "block2.c2"),
        ("block3.c1", "block3.c2"),
        ("block4.c1", "block4.c2"),
        ("c5",),
    ]
    assert plan.shared == ("b5",)
    assert plan.paths.cardinality == 102_400_000


def test_residual_blocks_stay_in_one_piece_while_stages_suffice(sngan: Inspection) -> None:
    for num_buckets in range(1, 6):
        for layers in layers_of(sngan.plan(num_buckets)):
            for block in ("block2", "block3", "block4"):
                assert sum(layer.startswith(block) for layer in layers) in (0, 2), (num_buckets, layers)


def test_fewer_buckets_merge_the_lightest_neighbours(sngan: Inspection) -> None:
    # 16 512 parameters in l1, 1 168 in each block, 219 in c5.
    assert [bucket.name for bucket in sngan.plan(4).buckets] == ["l1", "block2", "block3", "block4..c5"]
    assert [bucket.name for bucket in sngan.plan(2).buckets] == ["l1", "block2..c5"]


def test_more_buckets_split_the_stages_down_to_single_layers(sngan: Inspection) -> None:
    assert [len(layers) for layers in layers_of(sngan.plan(8))] == [1] * 8
    assert [bucket.name for bucket in sngan.plan(6).buckets] == ["l1", "block2.c1", "block2.c2", *SNGAN[2:]]


def test_more_buckets_than_layers_are_refused_with_the_most_there_can_be(sngan: Inspection) -> None:
    with pytest.raises(
        PlanError,
        match=r"9 buckets, but this generator has only 8 layers to put into them\. Ask for at most 8, e\.g\. ",
    ):
        sngan.plan(9)


@pytest.mark.parametrize("num_buckets", [0, -2])
def test_less_than_one_bucket_is_refused(sngan: Inspection, num_buckets: int) -> None:
    with pytest.raises(PlanError, match=f"at least 1 bucket, got {num_buckets}"):
        sngan.plan(num_buckets)


def test_with_norms_per_block_a_norm_goes_with_the_layer_before_it(sngan: Inspection) -> None:
    assert layers_of(sngan.plan(5, norm="per-block"))[3:] == [("block4.c1", "block4.c2", "b5"), ("c5",)]
    assert sngan.plan(5, norm="per-block").shared == ()


def test_splitting_a_stage_keeps_each_norm_with_the_layer_before_it(sngan: Inspection) -> None:
    plan = sngan.plan(8, norm="per-block")
    assert layers_of(plan)[-3:] == [("block4.c1",), ("block4.c2", "b5"), ("c5",)]
    assert [bucket.name for bucket in plan.buckets][-3:] == ["block4.c1", "block4.c2", "c5"]


def test_chosen_buckets_are_named_as_they_were_written_and_the_rest_is_shared(sngan: Inspection) -> None:
    plan = sngan.plan(["block2,block3", "type:Linear"], [20, 8])
    assert [(bucket.name, bucket.layers, bucket.num_blocks) for bucket in plan.buckets] == [
        ("block2,block3", ("block2.c1", "block2.c2", "block3.c1", "block3.c2"), 20),
        ("type:Linear", ("l1",), 8),
    ]
    assert plan.shared == ("block4.c1", "block4.c2", "b5", "c5")


@pytest.mark.parametrize(
    ("buckets", "blocks", "message"),
    [
        (["l1", "block9"], 2, r"No layer of this generator matches 'block9'\. Did you mean 'block[234]'"),
        (["block2", "block2.c1"], 2, r"Layer 'block2\.c1' is in bucket 'block2' and in 'block2\.c1'; buckets must not"),
        (["l1", "l1"], 2, r"Two buckets are called 'l1'"),
        (["b5"], 2, r"'b5' selects norm layers only"),
        ([], 2, r"The list of buckets is empty"),
        (5, 0, r"Every bucket needs at least 1 block, got 0, 0, 0, 0, 0\."),
        (["l1", "c5"], [3, -1], r"Every bucket needs at least 1 block, got 3, -1\."),
        (5, [20, 20, 8], r"3 block counts \(20, 20, 8\) for 5 buckets; give one number for all, or 5 of them\."),
        (["l1"], [2, 2], r"2 block counts \(2, 2\) for 1 buckets"),
        (None, [], r"0 block counts \(\) for 5 buckets"),
    ],
)
def test_plans_that_cannot_be_are_refused(sngan: Inspection, buckets: Any, blocks: Any, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        sngan.plan(buckets, blocks)


@pytest.mark.parametrize(
    ("buckets", "blocks"),
    [
        ("block2", 2),
        (2.5, 2),
        (True, 2),
        (5, 2.5),
        (5, "40"),
        (5, True),
        (5, [2, 2, 2, 2, 2.5]),
        ([1, 2], 2),
        (5, None),
    ],
)
def test_buckets_and_blocks_of_the_wrong_type_are_refused_and_not_guessed(
    sngan: Inspection, buckets: Any, blocks: Any
) -> None:
    with pytest.raises(PlanError, match=r"buckets|blocks"):
        sngan.plan(buckets, blocks)


def test_a_finished_plan_is_used_as_it_is(sngan: Inspection, generator: nn.Module) -> None:
    plan = Plan((BucketSpec("ends", ("l1", "c5"), 2), BucketSpec("middle", ("block3.c1",), 3)), init="copy")
    model = convert_inspected(generator, sngan, plan).model
    assert model.plan == plan
    assert model.get_parameter("l1.weight").shape[0] == 2 and model.get_parameter("block3.c1.weight").shape[0] == 3
    assert model.get_parameter("block2.c1.weight").dim() == 4


def test_a_finished_plan_for_another_generator_is_refused_with_the_nearest_layer(
    sngan: Inspection, generator: nn.Module
) -> None:
    plan = Plan((BucketSpec("a", ("block2.conv1",), 2),))
    with pytest.raises(
        PlanError, match=r"bucket 'a' names a layer 'block2\.conv1' that this generator does not have\. Did you mean '"
    ):
        convert_inspected(generator, sngan, plan)


def test_automatic_buckets_keep_together_what_meets_before_a_sample() -> None:
    """`torch.addmm(bias, z, weight)` combines two parameters; layers that share a tensor are one bucket, too."""
    torch.manual_seed(0)
    model = rpganify.wrap(ParameterLists(), blocks=2, init="jitter", latent=f"z:{LATENT}")
    assert layers_of(model.plan) == [("biases", "weights")] or layers_of(model.plan) == [("weights", "biases")]
    tied = rpganify.wrap(CASES["TiesWeights"].build(), blocks=2, init="jitter")
    assert ("one", "two") in layers_of(tied.plan)


def test_layers_that_share_a_parameter_in_two_buckets_are_refused_by_both_names() -> None:
    with pytest.raises(
        PlanError, match=r"'one' and 'two' share the parameter 'one\.weight' but are in buckets 'one' and 'two'"
    ):
        rpganify.wrap(CASES["TiesWeights"].build(), buckets=["one", "two"], blocks=2)


def test_a_shared_layer_whose_parameter_is_in_a_bucket_is_refused() -> None:
    with pytest.raises(
        PlanError, match=r"'two' is shared by all paths, but its parameter 'one\.weight' also belongs to bucket 'one'"
    ):
        rpganify.wrap(CASES["TiesWeights"].build(), buckets=["one"], blocks=2)


def test_parameters_of_two_buckets_that_meet_before_a_sample_are_refused_with_the_line() -> None:
    with pytest.raises(
        PlanError, match=r"buckets 'weights' and 'biases' are combined \(regions\.py:\d+: `h = torch\.addmm"
    ):
        rpganify.wrap(ParameterLists(), buckets=["weights", "biases"], blocks=2, latent=f"z:{LATENT}")


class Nested(nn.Module):
    """A Sequential of Sequentials inside an only child, an unused branch, a layer used out of order."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Sequential(nn.Linear(LATENT, 8), nn.ReLU(), nn.Linear(8, 8)), nn.Sequential(nn.Tanh(), nn.Linear(8, 48))
        )

    def forward(self, z: Tensor) -> Tensor:
        return image(self.model(z))


def test_containers_are_descended_into_and_other_modules_are_not() -> None:
    plan = inspect_generator(Nested()).plan()
    assert layers_of(plan) == [("model.0.0",), ("model.0.2",), ("model.1.1",)]


class OutOfOrder(nn.Module):
    """Layers registered in another order than they run."""

    def __init__(self) -> None:
        super().__init__()
        self.out, self.middle, self.first = nn.Linear(8, 48), nn.Linear(8, 8), nn.Linear(LATENT, 8)

    def forward(self, z: Tensor) -> Tensor:
        return image(self.out(self.middle(self.first(z))))


def test_buckets_follow_the_forward_pass_and_not_the_constructor() -> None:
    plan = inspect_generator(OutOfOrder(), latent=f"z:{LATENT}").plan()
    assert [bucket.name for bucket in plan.buckets] == ["first", "middle", "out"]


def test_parameters_of_the_generator_itself_can_be_chosen() -> None:
    """They have no module; the parameter's own name chooses them."""
    model = rpganify.wrap(
        CASES["NoiseMaps"].build(),
        buckets=["fc", "strength"],
        blocks=2,
        latent="z",
        example_inputs=CASES["NoiseMaps"].arguments(2),
    )
    assert set(model.bucket_parameters(1)) == {"strength"}
