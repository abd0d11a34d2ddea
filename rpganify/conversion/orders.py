"""In which order the samples of each tensor lie while a converted graph is written, and the steps between two orders."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from torch import fx

from rpganify.plan import Plan
from rpganify.routing.routes import (
    between_orders,
    from_each,
    in_order,
    one_each,
    rearranged,
    repeated,
    route_samples,
    spread,
)


@dataclass(frozen=True, slots=True)
class Order:
    """What the rows of a tensor are.

    Args:
        kind: "original", the batch as it was given; "sorted", the batch sorted by a bucket's blocks; "each", one row
            per block present of a bucket, the same for all its samples; "same", one row for all samples.
        bucket: of "sorted" and "each".
    """

    kind: Literal["original", "sorted", "each", "same"]
    bucket: int = -1


ORIGINAL, SAME = Order("original"), Order("same")


def sorted_by(bucket: int) -> Order:
    """Sorted by a bucket's blocks."""
    return Order("sorted", bucket)


def each_of(bucket: int) -> Order:
    """One row per block present of a bucket."""
    return Order("each", bucket)


def common_order(orders: Iterable[tuple[Order, int]]) -> Order:
    """The order in which an operation runs that treats every sample by itself.

    Args:
        orders: of its operands, each with the size of a sample there: the largest stays where it is.
    """
    by_size = [order for order, _ in sorted(orders, key=lambda pair: -pair[1])]
    varied = [order for order in by_size if order != SAME]
    if not varied:
        return SAME
    if len(set(varied)) == 1:
        return varied[0]
    if all(order.kind == "each" for order in varied):
        return sorted_by(varied[0].bucket)
    return next(order for order in varied if order.kind != "each")


class OrderSteps:
    """Adds to a graph what brings tensors from one order into another.

    Args:
        graph: the graph that is being written.
        paths: its input.
        plan: says how many blocks each bucket has.
    """

    def __init__(self, graph: fx.Graph, paths: fx.Node, plan: Plan) -> None:
        self._graph, self._paths = graph, paths
        self._routes = [
            graph.call_function(route_samples, (paths, index, bucket.num_blocks))
            for index, bucket in enumerate(plan.buckets)
        ]
        self._made: dict[tuple[Any, ...], fx.Node] = {}

    def route(self, bucket: int, order: Order = ORIGINAL) -> fx.Node:
        """The route by which a layer of a bucket takes a batch in that order."""
        whole = self._routes[bucket]
        if order == ORIGINAL:
            return whole
        assert order.bucket == bucket
        return self._once(in_order if order.kind == "sorted" else one_each, whole)

    def change(self, x: fx.Node, source: Order, target: Order) -> fx.Node:
        """`x`, whose rows lie as `source` says, as `target` says."""
        if source == target:
            return x
        if source == SAME:
            if target == ORIGINAL:
                # Repeated, not expanded: the original may reshape or overwrite it.
                return self._graph.call_function(repeated, (x, self._paths))
            return self._graph.call_function(spread, (x, self.route(target.bucket, target)))
        assert target.kind in ("original", "sorted")
        source_route = self._routes[source.bucket] if source.bucket >= 0 else None
        target_route = self._routes[target.bucket] if target.bucket >= 0 else None
        index = self._once(from_each if source.kind == "each" else between_orders, source_route, target_route)
        return self._graph.call_function(rearranged, (x, index, target != ORIGINAL))

    def _once(self, function: Callable[..., Any], *args: Any) -> fx.Node:
        key = (function, *args)
        if key not in self._made:
            self._made[key] = self._graph.call_function(function, args)
        return self._made[key]
