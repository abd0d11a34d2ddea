"""One case: a generator, its blocks, a batch size; everything that is measured of it, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rpganify.bench.alternatives import measure_kernels
from rpganify.bench.bound import Bandwidth, LayerCost, measure_bandwidth, measure_layers
from rpganify.bench.kernels import kernel_difference
from rpganify.bench.memory import peak_bytes
from rpganify.bench.subjects import BACKWARD, Subjects
from rpganify.bench.timing import OnRound, Timing, run_in_turn


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What was measured.

    Args:
        generator: as the user calls it.
        num_blocks: per bucket.
        batch_size: samples per pass.
        timings: passes by name, as `Subjects.passes` calls them.
        peaks: the most memory that tensors took during a pass, bytes, by name.
        bandwidth: of the memory.
        layers: the layers with blocks.
        difference: of the images from those with one call per block, see `kernels.kernel_difference`.
        notes: what was left out, and why.
    """

    generator: str
    num_blocks: tuple[int, ...]
    batch_size: int
    timings: Mapping[str, Timing]
    peaks: Mapping[str, int]
    bandwidth: Bandwidth
    layers: tuple[LayerCost, ...]
    difference: float
    notes: tuple[str, ...] = ()

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
            "seconds": {name: timing.to_json() for name, timing in self.timings.items()},
            "bound": {"forward": self.bound_s(False), "forward + backward": self.bound_s(True)},
            "ratios": {"forward": self.ratios(False), "forward + backward": self.ratios(True)},
            "peak_bytes": dict(self.peaks),
            "bandwidth_bytes_per_s": asdict(self.bandwidth),
            "layers": [
                {
                    **asdict(layer),
                    "sample_shape": list(layer.sample_shape),
                    "kernels": [asdict(k) for k in layer.kernels],
                }
                for layer in self.layers
            ],
            "kernel_difference": self.difference,
            "notes": list(self.notes),
        }


def measure_case(
    name: str,
    subjects: Subjects,
    *,
    num_rounds: int,
    has_loop: bool = True,
    compares_kernels: bool = False,
    on_round: OnRound | None = None,
) -> CaseResult:
    """Times a generator's passes in turn, in training mode, and works out the bound.

    Args:
        name: of the generator, for people.
        subjects: what is timed.
        num_rounds: rounds that count.
        has_loop: whether the loop over samples is timed too.
        compares_kernels: whether every layer is also timed by itself, by each of its kernels.
        on_round: told after each round of the passes.
    """
    routed, device = subjects.routed, subjects.device
    subjects.plain.train()
    routed.train()
    notes = []
    refusal = subjects.why_no_loop() if has_loop else None
    if refusal is not None:
        notes.append(f"{name}: the loop over samples is left out, since a sample by itself is refused: {refusal}")
    passes = subjects.passes(has_loop=has_loop and refusal is None)
    timings = run_in_turn(passes, num_rounds=num_rounds, device=device, on_round=on_round)
    peaks = {name: peak_bytes(one, device) for name, one in passes.items()}
    paths = subjects.paths()
    stacked = sum(
        parameter.numel() * parameter.element_size()
        for bucket in range(routed.plan.num_buckets)
        for parameter in routed.bucket_parameters(bucket).values()
    )
    bandwidth = measure_bandwidth(stacked, device)
    kernels = measure_kernels(routed, paths[0], subjects.conditions(), device) if compares_kernels else None
    layers = measure_layers(routed, paths, bandwidth, device, kernels=kernels)
    counted = {layer.name for layer in layers}
    owned = [layer for layer in routed.blueprint.layers if routed.plan.bucket_of(layer.name) is not None]
    if others := sum(layer.num_parameters for layer in owned if layer.name not in counted):
        whole = sum(layer.num_parameters for layer in owned)
        notes.append(
            f"{name}: the bound counts the reading of {whole - others:,} of a path's {whole:,} parameters; the others belong "
            "to no built-in layer, and run operation by operation"
        )
    difference = kernel_difference(routed, paths[0], subjects.conditions(), subjects.seed)
    return CaseResult(
        generator=name,
        num_blocks=tuple(routed.plan.num_blocks),
        batch_size=subjects.batch_size,
        timings=timings,
        peaks=peaks,
        bandwidth=bandwidth,
        layers=tuple(layers),
        difference=difference,
        notes=tuple(notes),
    )
