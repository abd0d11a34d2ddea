"""Whole training steps, timed."""

import json

import pytest
import torch

from rpganify.bench.step import StepResult, measure_step
from rpganify.bench.subjects import Subjects, plain_twin
from rpganify.bench.timing import Timing
from rpganify.models.mlp import mlp_discriminator
from rpganify.training.losses import Hinge
from tests.unit.bench.generators import CPU, converted


def judges():
    torch.manual_seed(1)
    return mlp_discriminator(image_shape=(3, 8, 8), channels=8, spectral_norm=True)


def test_a_step_result_compares_the_two_gans_and_tells_the_diversity_losss_share():
    result = StepResult(
        5,
        {
            "standard": Timing((1.0, 2.0, 4.0)),
            "random path": Timing((1.1, 2.4, 4.4)),
            "diversity loss": Timing((0.11, 0.12, 0.11)),
        },
    )
    assert result.ratio == pytest.approx(1.1)
    assert result.diversity_share == pytest.approx(0.05)
    data = result.to_json()
    assert json.loads(json.dumps(data)) == data
    assert data["seconds"]["standard"]["median"] == 2.0


def test_without_the_diversity_loss_its_share_is_nothing():
    assert StepResult(1, {"standard": Timing((1.0,)), "random path": Timing((2.0,))}).diversity_share == 0.0


def test_both_gans_are_trained_and_the_diversity_loss_is_timed_beside_them():
    routed = converted(3)
    subjects = Subjects(plain_twin(routed), routed, 4, CPU)
    before = [{name: p.detach().clone() for name, p in m.named_parameters()} for m in (routed, subjects.plain)]
    told = []
    result = measure_step(
        subjects, (judges(), judges()), Hinge(), d_steps=2, num_rounds=1, on_round=lambda *r: told.append(r)
    )
    assert set(result.timings) == {"standard", "random path", "diversity loss"}
    assert result.d_steps == 2
    assert told == [(1, 3), (2, 3), (3, 3)]
    for module, values in zip((routed, subjects.plain), before, strict=True):
        assert any(not torch.equal(p, values[name]) for name, p in module.named_parameters())
        assert all(p.grad is None for p in module.parameters())


def test_with_one_block_per_bucket_there_is_no_diversity_loss_to_time():
    routed = converted(1)
    subjects = Subjects(plain_twin(routed), routed, 4, CPU)
    result = measure_step(subjects, (judges(), judges()), Hinge(), d_steps=1, num_rounds=1)
    assert set(result.timings) == {"standard", "random path"}
