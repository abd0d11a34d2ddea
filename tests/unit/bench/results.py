"""A measurement by hand, with numbers that are easy to follow."""

from __future__ import annotations

from rpganify.bench.alternatives import KernelCost
from rpganify.bench.bound import Bandwidth, LayerCost
from rpganify.bench.case import CaseResult
from rpganify.bench.subjects import BACKWARD
from rpganify.bench.timing import Timing

MEBIBYTE = 2**20


def layer_cost(name: str = "up.0", is_in_segment: bool = False, kernel: str = "matmul") -> LayerCost:
    """A layer that takes 4 ms (both: 10 ms), and whose blocks cannot be read under 6 ms (both: 18 ms).

    By `matmul` it takes 7 ms (both: 20 ms) and by `gather` 6.5 ms (both: 21 ms) with its blocks.
    """
    kernels = (KernelCost("matmul", 0.007, 0.020), KernelCost("gather", 0.0065, 0.021))
    return LayerCost(
        name=name,
        kind="Linear",
        bucket="up",
        kernel=kernel,
        is_in_segment=is_in_segment,
        sample_shape=(64, 8, 8),
        block_bytes=3 * 512,
        num_present=7.25,
        forward_s=0.004,
        both_s=0.010,
        bound_forward_s=0.006,
        bound_both_s=0.018,
        kernels=kernels if kernel == "matmul" else (),
    )


def case_result(num_blocks: tuple[int, ...] = (8, 8), has_loop: bool = True, routed_s: float = 0.030) -> CaseResult:
    """Plain 20 ms and 60 ms, routed 30 ms and 90 ms, frozen as plain, the loop five times the routed pass."""
    seconds = {"plain": 0.020, "routed": routed_s, "frozen": 0.020} | ({"loop": 5 * routed_s} if has_loop else {})
    factors = (0.9, 1.0, 1.2)
    timings = {
        name + suffix: Timing(tuple(factor * more * one for factor in factors))
        for name, one in seconds.items()
        for suffix, more in (("", 1), (BACKWARD, 3))
    }
    return CaseResult(
        generator="tiny [x]",
        num_blocks=num_blocks,
        batch_size=16,
        timings=timings,
        peaks={name: (3 if "plain" in name else 5) * MEBIBYTE for name in timings},
        bandwidth=Bandwidth(read=8e9, write=4e9),
        layers=(layer_cost(), layer_cost("up.2", is_in_segment=True, kernel="by-block")),
        difference=3e-7,
        notes=("a note",),
    )
