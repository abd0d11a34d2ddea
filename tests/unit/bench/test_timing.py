"""Durations, their medians and spreads, and who is run when."""

import torch

from rpganify.bench import timing
from rpganify.bench.timing import Timing, run_in_turn

CPU = torch.device("cpu")


def test_the_median_and_the_quarters_are_those_of_the_runs():
    one = Timing((5.0, 1.0, 2.0, 4.0, 3.0))
    assert one.median_s == 3.0
    assert one.spread_s == (2.0, 4.0)
    assert Timing((7.0,)).spread_s == (7.0, 7.0)


def test_a_ratio_compares_the_runs_of_one_round_so_that_a_slow_round_does_not_count_twice():
    plain = Timing((1.0, 10.0, 1.0))
    routed = Timing((1.1, 11.0, 1.3))
    assert abs(routed.ratio(plain) - 1.1) < 1e-12
    low, high = routed.ratio_spread(plain)
    assert abs(low - 1.1) < 1e-12
    assert abs(high - 1.2) < 1e-12
    # By medians alone it would have been another number.
    assert routed.median_s / plain.median_s == 1.3


def test_a_timing_as_data_holds_every_run():
    assert Timing((1.0, 3.0)).to_json() == {"median": 2.0, "quarters": [1.5, 2.5], "runs": [1.0, 3.0]}


def test_things_run_in_turn_and_warming_up_does_not_count(monkeypatch):
    now = 0.0
    calls = []

    def taking(name, seconds):
        def run():
            nonlocal now
            calls.append(name)
            now += seconds(calls.count(name))

        return run

    monkeypatch.setattr(timing.time, "perf_counter", lambda: now)
    told = []
    # The first two calls of each take long: first use of memory, first choice of an algorithm.
    found = run_in_turn(
        {"a": taking("a", lambda n: 100 if n <= 2 else n), "b": taking("b", lambda n: 100 if n <= 2 else 10 * n)},
        num_rounds=3,
        device=CPU,
        on_round=lambda done, total: told.append((done, total)),
    )
    assert calls == ["a", "b"] * 5
    assert found == {"a": Timing((3.0, 4.0, 5.0)), "b": Timing((30.0, 40.0, 50.0))}
    assert told == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]
