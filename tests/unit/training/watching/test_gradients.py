"""Alarms of gradients that vanish, explode, or differ between buckets."""

import math

import pytest
import torch

from rpganify.training.watching.gradients import gradient_norms
from tests.unit.training.fakes import TinyLatent, TinyPaths, seeded
from tests.unit.training.watching.watched import checked, with_gradients


def test_gradient_norms_are_those_of_all_parameters_of_a_bucket_together():
    model = with_gradients(seeded(TinyPaths))
    expected = {
        name: torch.cat([p.grad.flatten() for p in model.bucket_parameters(index).values()]).norm().item()
        for index, name in enumerate(("one", "two"))
    }
    assert gradient_norms(model) == pytest.approx(expected, rel=1e-6)
    model.first_weight.grad = model.first_bias.grad = None
    assert gradient_norms(model) == pytest.approx({"two": expected["two"]}, rel=1e-6)
    assert gradient_norms(seeded(TinyPaths)) == {}


def test_a_standard_generators_gradient_is_one():
    model = with_gradients(seeded(TinyLatent))
    expected = torch.cat([parameter.grad.flatten() for parameter in model.parameters()]).norm().item()
    assert gradient_norms(model) == pytest.approx({"generator": expected}, rel=1e-6)
    assert gradient_norms(seeded(TinyLatent)) == {}


@pytest.mark.parametrize("build", [TinyPaths, TinyLatent])
def test_a_gradient_below_adams_epsilon_has_vanished(build):
    model = with_gradients(seeded(build), 1e-9)
    alarms = checked(model, 8)
    assert list(alarms) == [3]
    first = alarms[3][0]
    where = "bucket one" if build is TinyPaths else "the generator"
    assert first.kind == "gradients"
    assert first.message.startswith(f"The gradient of {where} has vanished: its norm was at most ")
    assert "per value, which is less than Adam's epsilon" in first.message
    assert checked(with_gradients(seeded(build), 1e-7), 8) == {}


def test_gradients_that_come_back_and_vanish_again_are_told_of_again():
    model = seeded(TinyLatent)
    alarms = checked(model, 12, change=lambda step: with_gradients(model, 1e-3 if step in (5, 6) else 1e-9))
    assert list(alarms) == [3, 9]


def test_a_gradient_that_is_a_thousand_times_its_usual_size_has_exploded():
    model = seeded(TinyPaths)
    alarms = checked(model, 12, change=lambda step: with_gradients(model, 2e3 if step > 6 else 1.0))
    assert list(alarms) == [9]
    assert [alarm.message.split(":")[0] for alarm in alarms[9]] == [
        "The gradient of bucket one has exploded",
        "The gradient of bucket two has exploded",
    ]
    assert checked(model, 12, change=lambda step: with_gradients(model, 500 if step > 6 else 1.0)) == {}
    once = checked(model, 12, change=lambda step: with_gradients(model, 2e3 if step == 8 else 1.0))
    assert once == {}


def test_a_gradient_that_stays_infinite_is_told_of_and_one_odd_step_is_not():
    model = seeded(TinyLatent)
    alarms = checked(model, 6, change=lambda step: with_gradients(model, math.inf))
    assert list(alarms) == [3]
    assert "was infinite or NaN at the last 3 checks" in alarms[3][0].message
    # fp16 leaves out steps whose gradients overflow, and goes on.
    assert checked(model, 6, change=lambda step: with_gradients(model, math.nan if step == 3 else 1.0)) == {}


def test_buckets_whose_gradients_differ_a_thousandfold_are_told_of():
    def changed(model, factor):
        with_gradients(model)
        for parameter in model.bucket_parameters(0).values():
            parameter.grad *= factor
        return model

    (alarm,) = checked(changed(seeded(TinyPaths), 1e-5), 6)[3]
    assert alarm.kind == "gradients"
    assert "differ by more than 1,000 times" in alarm.message
    assert " in one, " in alarm.message and " in two." in alarm.message
    assert checked(changed(seeded(TinyPaths), 0.05), 6) == {}


def test_a_bucket_that_gets_nothing_beside_one_that_does_is_told_of():
    model = with_gradients(seeded(TinyPaths))
    for parameter in model.bucket_parameters(0).values():
        parameter.grad.zero_()
    (alarms,) = checked(model, 6).values()
    assert {alarm.message.split(":")[0] for alarm in alarms} == {
        "The gradient of bucket one has vanished",
        "The gradients of the buckets differ by more than 1,000 times at the last 3 checks",
    }
