"""The tensors that layers have under each product's choice of blocks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rpganify.conversion.known import build_layer
from rpganify.conversion.replication import tensors_by_name
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.restack import stacked_tensors


@dataclass(frozen=True, slots=True)
class ChosenTensors:
    """Tensors of a model's layers in float64, with the products first.

    Args:
        tensors: of the model by name.
        stacked: those with a block axis -> bucket.
        model: for what its layers are.
        blocks: bucket -> the block of each product, int64 `(num_products,)`.
    """

    tensors: Mapping[str, Tensor]
    stacked: Mapping[str, int]
    model: RandomPathGenerator
    blocks: Mapping[int, Tensor]

    @classmethod
    def of(cls, model: RandomPathGenerator, blocks: Mapping[int, Tensor]) -> ChosenTensors:
        """Those of a model."""
        return cls(tensors_by_name(model), stacked_tensors(model), model, blocks)

    @property
    def num_products(self) -> int:
        """How many choices of blocks."""
        return len(next(iter(self.blocks.values())))

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.Z.device

    def of_layer(self, layer: str) -> dict[str, Tensor]:
        """A layer's parameters and buffers by their names in it: `(num_products, ...)`, or `(1, ...)` where all share it."""
        found = {}
        for local, plain in self.plain_of(layer).items():
            if not plain.is_floating_point():
                continue
            name = self._full_name(layer, local)
            value, bucket = self.tensors[name].detach(), self.stacked.get(name)
            chosen = value[None] if bucket is None else value[self.blocks[bucket].to(value.device)]
            found[local] = chosen.double()
        return found

    def only(self, product: int) -> ChosenTensors:
        """The same for one product alone."""
        return replace(self, blocks={bucket: rows[product : product + 1] for bucket, rows in self.blocks.items()})

    def dtype_of(self, layer: str) -> torch.dtype:
        """The type that a layer's numbers have in the model."""
        return next(
            tensor.dtype for local in self.plain_of(layer)
            if (tensor := self.tensors[self._full_name(layer, local)]).is_floating_point()
        )  # fmt: skip

    def num_values(self, layer: str) -> int:
        """Numbers in one block of a layer."""
        return sum(plain.numel() for plain in self.plain_of(layer).values())

    def plain_of(self, layer: str) -> dict[str, Tensor]:
        """One block's tensors, without values."""
        plain = build_layer(self.model.blueprint.layer_configs[layer])
        return {**dict(plain.named_parameters()), **dict(plain.named_buffers())}

    def _full_name(self, layer: str, local: str) -> str:
        name = f"{layer}.{local}"
        return self.model.blueprint.aliases.get(name, name)
