"""The generator as its authors' public code runs it: what routing is compared with besides the plain generator."""

from __future__ import annotations

import copy
from collections.abc import Iterator

from torch import Tensor, fx, nn

from rpganify.routing.generator import RandomPathGenerator, image_of
from rpganify.routing.inputs import read_conditions
from rpganify.routing.kernels import pinned_kernel
from rpganify.routing.program import Program, RoutedProgram
from rpganify.routing.routes import Route, route_samples


class SampleLoop(nn.Module):
    """Every block's parameters by themselves; in every bucket one sample after the other, joined to a batch behind it.

    What no bucket holds, such as a shared norm, takes the whole batch. Gradients are summed up in a block's parameters
    sample by sample.

    Args:
        routed: its blocks are copied; what all paths share is its own.
    Source:
        The class `BlocksBunch` of RPGAN's public code.
    """

    def __init__(self, routed: RandomPathGenerator) -> None:
        super().__init__()
        self._routed = (routed,)  # no part of this module: its stacked parameters are not used
        stacked = {
            name: bucket for bucket in range(routed.plan.num_buckets) for name in routed.bucket_parameters(bucket)
        }
        self._bucket_of = stacked
        self._stacks = {name: parameter for name, parameter in routed.named_parameters() if name in stacked}
        self._shared = [parameter for name, parameter in routed.named_parameters() if name not in stacked]
        self._programs: dict[RoutedProgram, Program] = {}
        self.blocks = {
            name: [nn.Parameter(row.detach().clone().contiguous()) for row in stack]
            for name, stack in self._stacks.items()
        }

    def parameters(self, recurse: bool = True) -> Iterator[nn.Parameter]:
        """All blocks' parameters, each by itself, and the shared ones."""
        for blocks in self.blocks.values():
            yield from blocks
        yield from self._shared

    def forward(self, paths: Tensor, conditions: dict[str, Tensor]) -> Tensor:
        """The images of the paths: `(N, ...)`."""
        (routed,) = self._routed
        program, tensors = routed.program()
        others = read_conditions(routed.blueprint.inputs, conditions, len(paths))
        looping = self._programs.get(program)
        if looping is None:
            looping = self._programs[program] = Program(_with_routes_by(self._route, program.graph))
        with pinned_kernel("by-block"):
            return image_of(routed.blueprint, looping(tensors, paths, *others, generator=None))

    def _route(self, paths: Tensor, bucket: int, num_blocks: int) -> Route:
        """Every sample by itself, where it is, with the parameters of its block."""
        blocks = paths[:, bucket].tolist()
        route = Route(num_blocks, tuple(blocks), (1,) * len(blocks), None, None, lays_out=False)
        for name, stack in self._stacks.items():
            if self._bucket_of[name] == bucket:
                rows = dict(enumerate[Tensor](self.blocks[name]))
                route.rows.update({(id(stack), has_gradients): (stack, rows) for has_gradients in (False, True)})
        return route


def _with_routes_by(make: object, graph: fx.Graph) -> fx.Graph:
    """The graph with another function in the place of `route_samples`."""
    copied = copy.deepcopy(graph)
    for node in copied.nodes:
        if node.target is route_samples:
            node.target = make
    return copied
