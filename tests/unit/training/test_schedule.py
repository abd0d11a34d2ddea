import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpganify.training.schedule import rate_factor

SCHEDULES = ["constant", "linear", "cosine"]


def test_a_constant_rate_is_one_after_its_rise_however_long_the_training_is():
    assert [rate_factor("constant", step, None, 0) for step in (0, 1, 10**6)] == [1.0, 1.0, 1.0]
    assert [rate_factor("constant", step, None, 3) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_a_linear_rate_falls_by_equal_amounts_and_would_be_nought_after_the_last_step():
    assert [rate_factor("linear", step, 4, 0) for step in range(5)] == [1.0, 0.75, 0.5, 0.25, 0.0]
    assert [rate_factor("linear", step, 6, 2) for step in range(7)] == pytest.approx(
        [1 / 3, 2 / 3, 1.0, 0.75, 0.5, 0.25, 0.0]
    )


def test_a_cosine_rate_falls_along_half_a_wave():
    factors = [rate_factor("cosine", step, 12, 0) for step in (0, 3, 4, 6, 8, 12)]
    assert factors == pytest.approx([1.0, (1 + math.sqrt(0.5)) / 2, 0.75, 0.5, 0.25, 0.0])


@given(
    schedule=st.sampled_from(SCHEDULES), steps=st.integers(1, 60), warmup=st.integers(0, 80), step=st.integers(0, 200)
)
def test_every_rate_is_between_nought_and_one_rises_in_the_warmup_and_never_afterwards(schedule, steps, warmup, step):
    here, there = (rate_factor(schedule, at, steps, warmup) for at in (step, step + 1))
    assert 0 <= here <= 1
    if step < warmup:
        assert (
            here < there or step + 1 == warmup >= steps
        )  # where nothing is left after the rise, it has fallen already
    else:
        assert there <= here
