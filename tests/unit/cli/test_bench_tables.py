"""The tables of `rpganify bench`, from a measurement by hand."""

import json

import pytest

from rpganify.bench.environment import Environment
from rpganify.bench.step import StepResult
from rpganify.bench.timing import Timing
from rpganify.cli.bench_tables import (
    BenchResult,
    bench_to_json,
    case_title,
    show_cases,
    show_footer,
    show_layers,
    show_steps,
)
from tests.unit.bench.results import case_result

STEP = StepResult(5, {"standard": Timing((1.0,)), "random path": Timing((1.05,)), "diversity loss": Timing((0.021,))})
HERE = Environment("cpu", 2, False, "2.11.0", True, "auto")


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    """As in a log; pytest's workers say how wide their terminal is."""
    monkeypatch.setenv("COLUMNS", "120")


def lines(capsys):
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out.splitlines()


def test_a_title_tells_generator_blocks_and_batch():
    assert case_title("sngan32 channels=64", (40,) * 5, 64) == "sngan32 channels=64, 5 × 40 blocks, batch 64"
    assert case_title("mlp28", (32, 32, 16), 256) == "mlp28, 32 32 16 blocks, batch 256"


def test_a_case_is_a_title_and_a_row_for_each_pass(capsys):
    show_cases([BenchResult(case_result()), BenchResult(case_result((2, 4), has_loop=False))])
    shown = lines(capsys)
    assert len(shown) == 2 + 3 + 3
    assert shown[2] == "tiny [x], 2 × 8 blocks, batch 16"
    assert shown[3].split() == ("forward 20.0 (19.0–22.0) 30.0 (28.5–33.0) 1.50 24.0 1.25 5.00 1.00 3.0 / 5.0".split())
    assert shown[4].split()[:3] == ["forward", "+", "backward"]
    assert shown[5] == "tiny [x], 2 4 blocks, batch 16"
    assert "–" in shown[6].split()
    assert max(map(len, shown)) <= 120


def test_training_steps_have_a_row_per_case(capsys):
    show_steps([BenchResult(case_result(), STEP), BenchResult(case_result())])
    shown = lines(capsys)
    assert len(shown) == 1 + 2 + 1  # the case without a step has none
    assert shown[3].startswith("tiny [x], 2 × 8 blocks, batch 16")
    assert shown[3].split()[-7:] == ["5", "1,000", "(1,000–1,000)", "1,050", "(1,050–1,050)", "1.05", "2.0%"]


def test_the_explanation_tells_kernel_blocks_and_cost_of_every_layer(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    show_layers([BenchResult(case_result())])
    shown = lines(capsys)
    assert shown[3] == "tiny [x], 2 × 8 blocks, batch 16"
    own = "up.0 up matmul 64×8×8 7.2 1.5 4.00 6.00 7.00 6.50 10.0 18.0 20.0 20.0"
    assert shown[4].split() == own.split()
    assert "in a segment" in shown[5]
    assert shown[5].split()[-8:] == "4.00 6.00 – – 10.0 18.0 – –".split()  # not measured by itself
    assert shown[6].split() == "all 8.00 12.0 – – 20.0 36.0 – –".split()
    assert max(map(len, shown)) <= 120


def test_the_footer_tells_under_what_it_was_measured_and_how_far_kernels_are_apart(capsys):
    show_footer(HERE, [BenchResult(case_result())])
    text = "\n".join(lines(capsys))
    assert "cpu, 2 threads that spin between calls, torch 2.11.0; freed memory is kept by the process" in text
    assert "memory is read at 8.0 GB/s and written at 4.0 GB/s" in text
    assert "kernels: auto; images by them and by one call per block differ by at most 3.0e-07 of the largest" in text
    assert text.endswith("value (tolerance in float32: 2e-04)")
    show_footer(Environment("cpu", 1, True, "2.11.0", False, "grouped"), [BenchResult(case_result())])
    assert (
        "cpu, 1 thread that sleeps between calls, torch 2.11.0; freed memory is returned to the system"
        in lines(capsys)[1]
    )


def test_the_results_as_data_are_plain_json():
    data = bench_to_json(HERE, [BenchResult(case_result(), STEP), BenchResult(case_result())])
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["environment"]["keeps_memory"] is True
    assert [case["step"] is None for case in data["cases"]] == [False, True]
    assert data["tolerance"] == 2e-4
