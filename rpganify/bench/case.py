"""One case: a generator, its blocks, a batch size; everything that is measured of it, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rpganify.bench.bound import Bandwidth, LayerCost, measure_bandwidth, measure_layers
from rpganify.bench.memory import peak_bytes
from rpganify.bench.subjects import Subjects
from rpganify.bench.timing import Timing, run_in_turn

BACKWARD = " + backward"


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What was measured.

    Args:
        generator: its name.
        num_blocks: per bucket.
        batch_size: samples per pass.
        timings: passes by name, as `Subjects.passes` calls them.
        peaks: the most memory that tensors took during a pass with gradients, bytes, by name.
        bandwidth: of the memory.
        layers: the layers with blocks.
    """

    generator: str
    num_blocks: tuple[int, ...]
    batch_size: int
    timings: Mapping[str, Timing]
    peaks: Mapping[str, int]
    bandwidth: Bandwidth
    layers: tuple[LayerCost, ...]

    def bound_s(self, is_both: bool) -> float:
        """The least that the routed pass can take, in seconds."""
        plain = self.timings["plain" + BACKWARD * is_both].median_s
        if is_both:
            return plain + sum(layer.bound_both_s - layer.both_s for layer in self.layers)
        return plain + sum(layer.bound_forward_s - layer.forward_s for layer in self.layers)

    def ratios(self, is_both: bool) -> dict[str, float]:
        """The routed pass against each other, and the frozen path against the plain generator."""
        suffix = BACKWARD * is_both
        routed, plain = self.timings["routed" + suffix], self.timings["plain" + suffix]
        found = {
            "routed / plain": routed.ratio(plain),
            "routed / bound": routed.median_s / self.bound_s(is_both),
            "frozen / plain": self.timings["frozen" + suffix].ratio(plain),
        }
        if "loop" + suffix in self.timings:
            found["loop / routed"] = self.timings["loop" + suffix].ratio(routed)
        return found

    def to_json(self) -> dict[str, Any]:
        """Plain data: seconds, bytes, ratios."""
        return {
            "generator": self.generator,
            "num_blocks": list(self.num_blocks),
            "batch_size": self.batch_size,
            "seconds": {
                name: {"median": timing.median_s, "quarters": list(timing.spread_s), "runs": list(timing.runs_s)}
                for name, timing in self.timings.items()
            },
            "bound": {"forward": self.bound_s(False), "forward + backward": self.bound_s(True)},
            "ratios": {"forward": self.ratios(False), "forward + backward": self.ratios(True)},
            "peak_bytes": dict(self.peaks),
            "bandwidth_bytes_per_s": asdict(self.bandwidth),
            "layers": [asdict(layer) for layer in self.layers],
        }


def measure_case(subjects: Subjects, *, num_rounds: int, has_loop: bool = True) -> CaseResult:
    """Times a generator's passes in turn, in training mode, and works out the bound."""
    subjects.plain.train()
    subjects.routed.train()
    passes = subjects.passes(has_loop=has_loop)
    timings = run_in_turn(passes, num_rounds=num_rounds, device=subjects.device)
    peaks = {
        name.removesuffix(BACKWARD): peak_bytes(one, subjects.device)
        for name, one in passes.items()
        if name.endswith(BACKWARD)
    }
    stacked = sum(
        parameter.numel() * parameter.element_size()
        for bucket in range(subjects.routed.plan.num_buckets)
        for parameter in subjects.routed.bucket_parameters(bucket).values()
    )
    bandwidth = measure_bandwidth(stacked, subjects.device)
    layers = measure_layers(subjects.plain, subjects.routed, subjects.paths(), bandwidth, subjects.device)
    for module in (subjects.plain, subjects.routed):
        module.zero_grad(set_to_none=True)
    name, blocks = subjects.routed.blueprint.name, subjects.routed.plan.num_blocks
    return CaseResult(name, tuple(blocks), subjects.batch_size, timings, peaks, bandwidth, tuple(layers))
