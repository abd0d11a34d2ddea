"""The plan: which layers make which bucket, and how many blocks each has. No tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from rpganify.errors import PlanError
from rpganify.paths import PathSpace

NormMode = Literal["shared", "per-block"]

# The input that takes the latent's place. As a layer of a bucket it has a block axis: several Z, one chosen by the path.
FIXED_INPUT = "Z"


@dataclass(frozen=True, slots=True)
class BucketSpec:
    """One bucket: layers that share one block index.

    Args:
        name: how tables and figures call it; unique in the plan.
        layers: dotted names of the generator's parametric layers, in the order of the forward pass.
        num_blocks: copies of these layers' parameters, >= 1.
    """

    name: str
    layers: tuple[str, ...]
    num_blocks: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The immutable recipe of a conversion.

    Args:
        buckets: in the order of the path's columns.
        shared: layers that all paths share; norms by default, and whatever no bucket claims.
        norm: what happens to norm layers inside a bucket.
        init: how the blocks of a bucket differ at birth, the name of a replication. It may be one of a plugin that is
            not there any more: a plan also tells what was done.
    Raises:
        PlanError: no bucket, an empty one, a layer in two, fewer than one block, or a name used twice.
    """

    buckets: tuple[BucketSpec, ...]
    shared: tuple[str, ...] = ()
    norm: NormMode = "shared"
    init: str = "fresh"

    def __post_init__(self) -> None:
        if not self.buckets:
            raise PlanError("A plan needs at least one bucket.")
        owner: dict[str, str] = {}
        names = [bucket.name for bucket in self.buckets]
        for bucket in self.buckets:
            if names.count(bucket.name) > 1:
                raise PlanError(f"Two buckets are called {bucket.name!r}; give each its own name.")
            if not bucket.layers:
                raise PlanError(f"Bucket {bucket.name!r} holds no layer.")
            if bucket.num_blocks < 1:
                raise PlanError(f"Bucket {bucket.name!r} needs at least 1 block, got {bucket.num_blocks}.")
            for layer in bucket.layers:
                if layer in owner:
                    raise PlanError(
                        f"Layer {layer!r} is in bucket {owner[layer]!r} and in {bucket.name!r}; "
                        "buckets must not overlap. Leave it out of one of them."
                    )
                owner[layer] = bucket.name
        for layer in self.shared:
            if layer in owner:
                raise PlanError(f"Layer {layer!r} is in bucket {owner[layer]!r} and also listed as shared.")
        if self.norm not in get_args(NormMode) or not isinstance(self.init, str) or not self.init:
            raise PlanError(
                f"norm is one of {get_args(NormMode)} and init the name of a replication, such as 'fresh'; "
                f"got {self.norm!r} and {self.init!r}."
            )

    @property
    def num_blocks(self) -> tuple[int, ...]:
        """Blocks of each bucket."""
        return tuple(bucket.num_blocks for bucket in self.buckets)

    @property
    def num_buckets(self) -> int:
        """How many buckets, the length of a path."""
        return len(self.buckets)

    @property
    def paths(self) -> PathSpace:
        """The path space that this plan spans."""
        return PathSpace(self.num_blocks, tuple(bucket.name for bucket in self.buckets))

    def bucket_of(self, layer: str) -> int | None:
        """Index of the bucket that holds a layer; None if all paths share it."""
        for index, bucket in enumerate(self.buckets):
            if layer in bucket.layers:
                return index
        return None

    def to_json(self) -> dict[str, Any]:
        """Plain data; `Plan.from_json` gives an equal plan back."""
        return {
            "buckets": [
                {"name": bucket.name, "layers": list(bucket.layers), "num_blocks": bucket.num_blocks}
                for bucket in self.buckets
            ],
            "shared": list(self.shared),
            "norm": self.norm,
            "init": self.init,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Plan:
        """The plan that `to_json` wrote.

        Raises:
            PlanError: a key is missing, or a value is not what a plan holds.
        """
        try:
            buckets = tuple(
                BucketSpec(str(b["name"]), _names(b["layers"]), _count(b["num_blocks"])) for b in data["buckets"]
            )
            return cls(buckets, _names(data.get("shared", [])), data.get("norm", "shared"), data.get("init", "fresh"))
        except (KeyError, TypeError, AttributeError) as error:
            raise PlanError(
                f"This is no plan: {error!r}. A plan is what `rpganify convert … --write-plan plan.json` writes."
            ) from error


def _names(data: Any) -> tuple[str, ...]:
    if not isinstance(data, (list, tuple)) or not all(isinstance(name, str) for name in data):
        raise TypeError(f"a list of layer names is needed, not {data!r}")
    return tuple(data)


def _count(data: Any) -> int:
    if not isinstance(data, int) or isinstance(data, bool):
        raise TypeError(f"num_blocks is a whole number, not {data!r}")
    return data
