"""How far apart the blocks of a bucket are in their weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

# Weights are compared so many at a time, as float64: 40 blocks take 20 MB.
CHUNK = 2**16


@dataclass(frozen=True, slots=True)
class BucketWeights:
    """The weights of one bucket's blocks, compared.

    Args:
        distances: of each two blocks, the root of the mean squared difference of their weights, each divided by the
            standard deviation of all blocks' values of its parameter: float64 `(m, m)`. Independent random weights are
            at √2.
        sizes: of each block, the root of its mean squared weight, divided in the same way, `(m,)`.
    """

    distances: Tensor
    sizes: Tensor


def compare_weights(model: nn.Module, bucket: int) -> BucketWeights | None:
    """Distances and sizes; None if the model does not tell a bucket's parameters, or none of them differs.

    Args:
        model: with `bucket_parameters(bucket)`, the parameters by name with the block axis first.
        bucket: its index.
    """
    telling = getattr(model, "bucket_parameters", None)
    if not callable(telling):
        return None
    squares: Tensor | float = 0.0
    sizes: Tensor | float = 0.0
    count = 0
    for parameter in telling(bucket).values():
        weights = parameter.detach().reshape(len(parameter), -1).cpu()  # also (num_blocks,), a number per block
        std = float(weights.double().std(correction=0))
        if std == 0:  # a bias that is still 0 in all blocks tells none from another
            continue
        count += weights.shape[1]
        for part in torch.split(weights, CHUNK, dim=1):
            scaled = part.double() / std
            squares = squares + torch.cdist(scaled, scaled, compute_mode="donot_use_mm_for_euclid_dist").square()
            sizes = sizes + scaled.square().sum(dim=1)
    if not isinstance(squares, Tensor) or not isinstance(sizes, Tensor):
        return None
    return BucketWeights((squares / count).sqrt(), (sizes / count).sqrt())
