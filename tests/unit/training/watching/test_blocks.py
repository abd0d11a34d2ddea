"""Alarms of blocks that are alike, dead or silent."""

import math

import pytest
import torch

from rpganify.training.diversity import block_diversity
from rpganify.training.losses import Hinge
from rpganify.training.watching.block_samples import block_distances, gradient_by_block, sample_bucket
from tests.unit.training.fakes import TinyPaths, seeded
from tests.unit.training.watching.watched import Deaf, checked, trained, with_gradients


def test_a_parameter_of_one_number_per_block_is_sampled_as_one_value():
    gain = torch.nn.Parameter(torch.tensor([0.0, 0.5, 2.0]))
    gain.grad = torch.tensor([1.0, 2.0, 3.0])
    (sample,) = sample_bucket([gain])
    assert (sample.size, sample.is_matrix) == (1, False)
    assert sample.weights.tolist() == [[0.0], [0.5], [2.0]] and sample.gradient.tolist() == [[1.0], [2.0], [3.0]]


def test_independent_blocks_are_at_a_distance_of_2_and_copies_at_0():
    chance = torch.Generator().manual_seed(0)
    weights = torch.randn(6, 300, 100, generator=chance) * 0.02 + 5  # a mean far from 0 takes nothing away
    weights[3] = weights[1]
    bias = torch.zeros(6, 50)
    samples = sample_bucket([torch.nn.Parameter(weights), torch.nn.Parameter(bias)])
    distances = block_distances(samples)
    others = distances[0, 1:]
    assert torch.allclose(others, torch.full((5,), 2.0), rtol=0.15)
    assert distances[1, 3] < 1e-6 and distances.diagonal().abs().max() < 1e-6


def test_a_distance_is_the_mean_over_all_values_each_parameter_by_its_own_variance():
    chance = torch.Generator().manual_seed(0)
    parameters = [
        torch.nn.Parameter(scale * torch.randn(4, *shape, generator=chance))
        for scale, shape in ((1, (5, 7)), (9, (3,)))
    ]
    flat = torch.cat([(p / p.std(correction=0)).flatten(1) for p in parameters], dim=1)
    expected = (flat[:, None] - flat[None]).square().mean(dim=2)
    assert torch.allclose(block_distances(sample_bucket(parameters)), expected, atol=1e-5)


def test_a_large_parameter_is_read_at_places_spread_over_rows_columns_and_kernel():
    size = (64, 64, 3, 3)
    places = torch.arange(math.prod(size)).reshape(1, *size).float()
    (sample,) = sample_bucket([torch.nn.Parameter(places)])
    assert 2048 < sample.weights.shape[1] <= 4096
    assert sample.size == math.prod(size)
    indices = torch.unravel_index(sample.weights[0].long(), size)
    for axis, index in enumerate(indices):
        assert len(index.unique()) == size[axis]


def test_blocks_that_become_alike_are_told_of_once_by_name():
    model = seeded(TinyPaths)

    def collapse(step):
        if step in (4, 7):
            for parameter in model.bucket_parameters(1).values():
                parameter.data[2 if step == 4 else 0] = parameter.data[3]

    alarms = checked(model, 10, change=collapse)
    assert list(alarms) == [4, 7]
    (first,), (second,) = alarms.values()
    assert first.kind == "duplicates"
    assert first.message.startswith(
        "Bucket 2 (two): blocks 2 = 3 have become alike: they differ by at most 0.0% of what"
    )
    assert second.message.startswith("Bucket 2 (two): blocks 0 = 2 = 3 have become alike")


def test_blocks_that_part_and_become_alike_again_are_told_of_again():
    model = seeded(TinyPaths)
    own = {name: p.data[0].clone() for name, p in model.bucket_parameters(0).items()}

    def change(step):
        for name, parameter in model.bucket_parameters(0).items():
            parameter.data[0] = own[name] if step in (1, 4) else parameter.data[1]

    assert list(checked(model, 6, change=change)) == [2, 5]


def test_copies_at_birth_that_grow_apart_are_no_duplicates():
    model = seeded(TinyPaths)
    for index in (0, 1):
        for parameter in model.bucket_parameters(index).values():
            parameter.data[:] = parameter.data[:1]
    chance = torch.Generator().manual_seed(0)

    def grow_apart(step):
        for parameter in model.parameters():
            parameter.data += 1e-3 * torch.randn(parameter.shape, generator=chance)

    assert checked(model, 10, change=grow_apart) == {}


def test_nearly_alike_counts_and_similar_does_not():
    for share, is_alike in ((0.05, True), (0.5, False)):
        model = seeded(TinyPaths)

        def approach(step, model=model, share=share):
            if step == 3:
                for parameter in model.bucket_parameters(0).values():
                    parameter.data[0] = torch.lerp(parameter.data[1], parameter.data[0], share)

        assert bool(checked(model, 4, change=approach)) == is_alike


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_blocks_that_hold_no_numbers_are_dead(value):
    model = seeded(TinyPaths)

    def break_it(step):
        if step == 3:
            model.second_bias.data[1, 7] = value
            model.second_weight.data[2] = value

    alarms = checked(model, 6, change=break_it)
    assert [(step, alarm.kind) for step, found in alarms.items() for alarm in found] == [(3, "dead block")]
    assert alarms[3][0].message == (
        "Bucket 2 (two): the weights of blocks 1 and 2 hold NaN or infinity. Lower --generator-lr; `rpganify prune` drops "
        "such blocks."
    )


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_a_block_whose_weights_are_constant_is_dead_and_biases_that_are_born_so_are_not(value):
    model = seeded(TinyPaths)
    assert model.first_bias.eq(0).all()
    alarms = checked(model, 4, change=lambda step: step == 2 and model.first_weight.data[1].fill_(value))
    assert list(alarms) == [2]
    assert alarms[2][0].message.startswith(
        "Bucket 1 (one): the weights of block 1 are all but constant, while the other blocks' are not."
    )


def test_weights_that_are_constant_in_all_blocks_were_meant_to_be():
    model = seeded(TinyPaths)
    model.second_weight.data.zero_()
    assert checked(model, 4) == {}


@pytest.mark.parametrize("diversity", ["none", "paper"])
def test_a_block_that_is_drawn_and_gets_no_gradient_is_told_of_whatever_the_diversity_loss_adds(tmp_path, diversity):
    alarms = trained(
        tmp_path / "run", seeded(Deaf), Hinge(), steps=100, batch_size=16, watch_every=5, diversity=diversity
    )
    assert len(alarms) == 1
    assert alarms[0]["kind"] == "dead block"
    assert alarms[0]["message"] == (
        "Bucket 2 (two): block 1 got no gradient in 4 checks, in which a block is drawn 16 times on average: nothing that "
        "it does reaches the images. `rpganify prune` drops it."
    )
    # At first biases, all 0 at birth, change by their own size in a step, and so does the diversity loss's gradient.
    assert alarms[0]["step"] == 20 if diversity == "none" else alarms[0]["step"] <= 60


def test_a_block_that_chance_leaves_undrawn_for_a_while_is_not_silent(tmp_path):
    generator = seeded(TinyPaths, num_blocks=(3, 40))
    alarms = trained(
        tmp_path / "run", generator, Hinge(), steps=150, batch_size=4, watch_every=1, diversity="none", d_steps=1
    )
    assert alarms == []


def test_where_some_blocks_are_drawn_less_often_on_purpose_no_gradient_says_nothing():
    model = seeded(TinyPaths)

    def change(step):
        with_gradients(model)
        for parameter in model.bucket_parameters(1).values():
            parameter.grad[1] = 0

    assert checked(model, 12, change=change, draws_all=False) == {}
    assert list(checked(model, 12, change=change)) == [1]  # 64 codes a step leave none of 4 blocks undrawn


def test_what_the_diversity_loss_adds_to_a_gradient_is_taken_off_it():
    model = seeded(TinyPaths)
    told = torch.randn(4, 64, 16, generator=torch.Generator().manual_seed(0))
    told[1] = 0
    pushed = torch.autograd.grad(-1e-2 * block_diversity(model.second_weight), model.second_weight)[0]
    model.second_weight.grad = told + pushed
    expected = told.flatten(1).norm(dim=1)
    samples = sample_bucket([model.second_weight])
    norms = gradient_by_block(samples, 1e-2)
    assert torch.allclose(norms, expected, atol=1e-4)
    assert gradient_by_block(samples, 0.0)[1] > 1e-3
    assert norms[1] < 1e-6


def test_values_of_a_large_parameter_stand_for_all_of_its_gradient():
    chance = torch.Generator().manual_seed(0)
    parameter = torch.nn.Parameter(torch.randn(5, 300, 200, generator=chance))
    told = torch.randn(5, 300, 200, generator=chance) * torch.tensor([1.0, 2.0, 0.0, 1.0, 1.0])[:, None, None]
    parameter.grad = told + torch.autograd.grad(-0.1 * block_diversity(parameter), parameter)[0]
    expected = told.flatten(1).norm(dim=1)
    norms = gradient_by_block(sample_bucket([parameter]), 0.1)
    assert torch.allclose(norms, expected, rtol=0.05, atol=0.01 * expected.mean().item())
    whole = gradient_by_block(sample_bucket([parameter], None), 0.1)
    assert torch.allclose(whole, expected, rtol=1e-3, atol=1e-3)


def test_many_blocks_are_named_by_the_first_of_them():
    model = seeded(TinyPaths, num_blocks=(3, 30))
    alarms = checked(model, 3, change=lambda step: step == 2 and model.second_weight.data[3:17].fill_(0))
    assert "blocks 3, 4, 5, 6, 7, 8 and 8 more are all but constant" in alarms[2][0].message
