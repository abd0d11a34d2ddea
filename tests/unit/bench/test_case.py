"""A case's bound and ratios, and all of it as data."""

import json

import pytest

from rpganify.bench.case import measure_case
from rpganify.bench.subjects import BACKWARD, Subjects, plain_twin
from tests.unit.bench.generators import CPU, converted
from tests.unit.bench.results import case_result


def test_the_bound_is_the_plain_time_with_every_layer_at_least_as_long_as_reading_its_blocks():
    # Two layers of 4 ms that cannot be under 6 ms: 2 ms more each; with gradients 8 ms more each.
    case = case_result()
    assert case.bound_s(False) == pytest.approx(0.020 + 2 * 0.002)
    assert case.bound_s(True) == pytest.approx(0.060 + 2 * 0.008)


def test_ratios_are_the_routed_pass_against_each_other_and_the_frozen_one_against_the_plain():
    forward, both = case_result().ratios(False), case_result().ratios(True)
    assert forward == pytest.approx(
        {"routed / plain": 1.5, "routed / bound": 0.030 / 0.024, "frozen / plain": 1.0, "loop / routed": 5.0}
    )
    assert both["routed / bound"] == pytest.approx(0.090 / 0.076)
    assert "loop / routed" not in case_result(has_loop=False).ratios(False)


def test_a_case_as_data_is_plain_json():
    data = case_result().to_json()
    assert json.loads(json.dumps(data)) == data
    assert data["num_blocks"] == [8, 8]
    assert data["bound"] == pytest.approx({"forward": 0.024, "forward + backward": 0.076})
    assert data["ratios"]["forward"]["routed / plain"] == pytest.approx(1.5)
    assert data["layers"][0]["sample_shape"] == [64, 8, 8]
    assert data["bandwidth_bytes_per_s"] == {"read": 8e9, "write": 4e9}


def test_measuring_takes_every_pass_and_leaves_no_gradients():
    routed = converted(num_blocks=3)
    subjects = Subjects(plain_twin(routed), routed, 4, CPU)
    told = []
    case = measure_case("small", subjects, num_rounds=2, on_round=lambda *round_: told.append(round_))
    names = {name + suffix for name in ("plain", "routed", "frozen", "loop") for suffix in ("", BACKWARD)}
    assert set(case.timings) == set(case.peaks) == names
    assert all(len(timing.runs_s) == 2 for timing in case.timings.values())
    assert told[-1] == (4, 4)
    assert [layer.name for layer in case.layers] == ["first", "conv", "last"]
    assert case.difference < 2e-4
    assert case.notes == ()
    assert all(p.grad is None for module in (routed, subjects.plain) for p in module.parameters())


def test_a_generator_that_refuses_a_single_sample_is_measured_without_the_loop_and_says_why(monkeypatch):
    routed = converted(2)
    monkeypatch.setattr(Subjects, "why_no_loop", lambda self: "Expected more.")
    case = measure_case("normed", Subjects(plain_twin(routed), routed, 4, CPU), num_rounds=1)
    assert "loop" not in case.timings
    (note,) = case.notes
    assert note == "normed: the loop over samples is left out, since a sample by itself is refused: Expected more."
