"""What `rpganify bench` measured, as tables for people and as data for scripts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rpganify.bench.bound import LayerCost
from rpganify.bench.case import CaseResult
from rpganify.bench.environment import Environment
from rpganify.bench.kernels import SINGLE_BLOCK, TOLERANCE
from rpganify.bench.step import StepResult
from rpganify.bench.subjects import BACKWARD
from rpganify.bench.timing import Timing
from rpganify.cli.console import show, show_table
from rpganify.cli.formatting import format_shape

_PASSES = (("forward", False), ("forward + backward", True))
_NONE = "–"
_COSTS = ("plain", "bound", "routed", "best")


@dataclass(frozen=True, slots=True)
class BenchResult:
    """A case, and a training step where one was asked for."""

    case: CaseResult
    step: StepResult | None = None


def case_title(generator: str, num_blocks: Sequence[int], batch_size: int) -> str:
    """`sngan32 channels=64, 5 × 40 blocks, batch 64`; numbers of blocks that differ are listed."""
    is_even = len(set(num_blocks)) == 1
    blocks = f"{len(num_blocks)} × {num_blocks[0]}" if is_even else " ".join(str(count) for count in num_blocks)
    return f"{generator}, {blocks} blocks, batch {batch_size}"


def show_cases(results: Sequence[BenchResult]) -> None:
    """Times, ratios and memory, a row per pass."""
    rows: list[Sequence[str] | str] = []
    for result in results:
        case = result.case
        rows.append(_title(case))
        for name, is_both in _PASSES:
            suffix, ratios = BACKWARD * is_both, case.ratios(is_both)
            plain, routed = f"plain{suffix}", f"routed{suffix}"
            rows.append(
                [
                    f"  {name}",
                    _spread(case.timings[plain]),
                    _spread(case.timings[routed]),
                    _ratio(ratios["routed / plain"]),
                    _milliseconds(case.bound_s(is_both)),
                    _ratio(ratios["routed / bound"]),
                    _ratio(ratios.get("loop / routed")),
                    _ratio(ratios["frozen / plain"]),
                    f"{_mebibytes(case.peaks[plain])} / {_mebibytes(case.peaks[routed])}",
                ]
            )
    show_table(
        [
            ("", "left"),
            ("plain ms\n(quarters)", "right"),
            ("routed ms\n(quarters)", "right"),
            ("routed\n/ plain", "right"),
            ("bound\nms", "right"),
            ("routed\n/ bound", "right"),
            ("loop\n/ routed", "right"),
            ("frozen\n/ plain", "right"),
            ("peak MiB\nplain / routed", "right"),
        ],
        rows,
    )


def show_steps(results: Sequence[BenchResult]) -> None:
    """Whole training steps, a row per case."""
    rows = []
    for result in results:
        if result.step is None:
            continue
        timings = result.step.timings
        rows.append(
            [
                _title(result.case),
                str(result.step.d_steps),
                _spread(timings["standard"]),
                _spread(timings["random path"]),
                _ratio(result.step.ratio),
                f"{result.step.diversity_share:.1%}",
            ]
        )
    show("")
    show_table(
        [
            ("training step", "left"),
            ("discriminator\nsteps", "right"),
            ("standard ms\n(quarters)", "right"),
            ("random path ms\n(quarters)", "right"),
            ("random path\n/ standard", "right"),
            ("diversity\nloss", "right"),
        ],
        rows,
    )


def show_layers(results: Sequence[BenchResult]) -> None:
    """Every layer that has blocks: how it runs, what it costs by itself, and what it would by its fastest kernel."""
    rows: list[Sequence[str] | str] = []
    for result in results:
        layers = result.case.layers
        rows.append(_title(result.case))
        for layer in layers:
            rows.append(
                [
                    f"  {layer.name}",
                    layer.bucket,
                    "in a segment" if layer.is_in_segment else _kernel(layer.kernel),
                    format_shape(layer.sample_shape),
                    f"{layer.num_present:.1f}",
                    f"{layer.block_bytes / 2**10:,.1f}",
                    *_layer_times(layer, False),
                    *_layer_times(layer, True),
                ]
            )
        sums = [_sum([_layer_seconds(layer, is_both) for layer in layers]) for is_both in (False, True)]
        rows.append(["  all", "", "", "", "", "", *sums[0], *sums[1]])
    show("")
    show_table(
        [
            ("layer", "left"),
            ("bucket", "left"),
            ("kernel", "left"),
            ("input", "left"),
            ("blocks", "right"),
            ("KiB\nblock", "right"),
            *(("forward ms\nplain" if name == "plain" else f"\n{name}", "right") for name in _COSTS),
            *(("+ backward\nplain" if name == "plain" else f"\n{name}", "right") for name in _COSTS),
        ],
        rows,
    )
    show(
        "routed: the layer by itself, by its kernel; best: by the fastest of its kernels. A segment keeps its samples in the"
    )
    show("cache from layer to layer, and may take less than the sum of its layers.")


def _layer_seconds(layer: LayerCost, is_both: bool) -> tuple[float | None, ...]:
    """In the order of `_COSTS`."""
    plain = (layer.both_s, layer.bound_both_s) if is_both else (layer.forward_s, layer.bound_forward_s)
    return (*plain, layer.routed_s(is_both), layer.best_s(is_both))


def _layer_times(layer: LayerCost, is_both: bool) -> list[str]:
    return [_NONE if one is None else _milliseconds(one) for one in _layer_seconds(layer, is_both)]


def _sum(rows: Sequence[tuple[float | None, ...]]) -> list[str]:
    """The sum of every column; none where a layer was not measured."""
    sums = [None if None in column else sum(one or 0.0 for one in column) for column in zip(*rows, strict=True)]
    return [_NONE if one is None else _milliseconds(one) for one in sums]


def show_footer(environment: Environment, results: Sequence[BenchResult]) -> None:
    """Under what it was measured, and how far the kernels' images are apart."""
    cases = [result.case for result in results]
    reads, writes = ([getattr(case.bandwidth, name) for case in cases] for name in ("read", "write"))
    show("")
    show(environment_line(environment))
    show(f"memory is read at {_gigabytes(reads)} GB/s and written at {_gigabytes(writes)} GB/s (for the bound)")
    worst = max(case.difference for case in cases)
    show(
        f"kernels: {environment.kernel}; images by them and by one call per block differ by at most {worst:.1e} of the "
        f"largest value (tolerance in float32: {TOLERANCE:.0e})"
    )


def environment_line(environment: Environment) -> str:
    """Device, threads and memory, as a phrase."""
    num, waiting = environment.num_threads, "sleep" if environment.threads_sleep else "spin"
    threads = f"1 thread that {waiting}s" if num == 1 else f"{num} threads that {waiting}"
    freed = "kept by the process" if environment.keeps_memory else "returned to the system"
    if environment.device != "cpu":
        freed = "kept by torch"
    return f"{environment.device}, {threads} between calls, torch {environment.torch_version}; freed memory is {freed}"


def bench_to_json(environment: Environment, results: Sequence[BenchResult]) -> dict[str, Any]:
    """All of it as plain data: seconds, bytes, ratios."""
    return {
        "environment": environment.to_json(),
        "tolerance": TOLERANCE,
        "cases": [
            {**result.case.to_json(), "step": None if result.step is None else result.step.to_json()}
            for result in results
        ],
    }


def _title(case: CaseResult) -> str:
    return case_title(case.generator, case.num_blocks, case.batch_size)


def _kernel(name: str) -> str:
    return {"by-block": "by block", SINGLE_BLOCK: "the plain layer's call"}.get(name, name)


def _spread(timing: Timing) -> str:
    low, high = timing.spread_s
    return f"{_milliseconds(timing.median_s)} ({_milliseconds(low)}–{_milliseconds(high)})"


def _milliseconds(seconds: float) -> str:
    """Three digits."""
    value = seconds * 1e3
    return f"{value:,.0f}" if value >= 99.95 else f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def _ratio(value: float | None) -> str:
    return _NONE if value is None else f"{value:.2f}"


def _mebibytes(num_bytes: int) -> str:
    value = num_bytes / 2**20
    return f"{value:,.0f}" if value >= 9.95 else f"{value:.1f}"


def _gigabytes(speeds: Sequence[float]) -> str:
    low, high = f"{min(speeds) / 1e9:.1f}", f"{max(speeds) / 1e9:.1f}"
    return low if low == high else f"{low} to {high}"
