"""The variance decomposition by its definition, one path after another: the oracle for Sobol indices."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np


def effects(values: np.ndarray) -> dict[tuple[int, ...], float]:
    """Variance of each set of buckets' own effect, of a number known for every path `(m_1, …, m_k)`.

    An effect is the mean over the other buckets less all effects of smaller sets, computed path by path.
    """
    k = values.ndim
    parts: dict[tuple[int, ...], dict[tuple[int, ...], float]] = {(): {(): float(np.mean(values))}}
    for size in range(1, k + 1):
        for chosen in combinations(range(k), size):
            parts[chosen] = {}
            for blocks in product(*(range(values.shape[bucket]) for bucket in chosen)):
                at: list[slice | int] = [slice(None)] * k
                for bucket, block in zip(chosen, blocks, strict=True):
                    at[bucket] = block
                mean = float(np.mean(values[tuple(at)]))
                for smaller in range(size):
                    for kept in combinations(range(size), smaller):
                        mean -= parts[tuple(chosen[i] for i in kept)][tuple(blocks[i] for i in kept)]
                parts[chosen][blocks] = mean
    return {chosen: float(np.mean(np.square(list(of_set.values())))) for chosen, of_set in parts.items() if chosen}


def indices(values: np.ndarray) -> tuple[list[float], list[float], dict[tuple[int, int], float]]:
    """First-order, total and second-order indices of a vector `(m_1, …, m_k, d)`, variances added over its components."""
    of_each = [effects(values[..., component]) for component in range(values.shape[-1])]
    total = {chosen: sum(one[chosen] for one in of_each) for chosen in of_each[0]}
    variance = sum(total.values())
    buckets = range(values.ndim - 1)
    first = [total[(bucket,)] / variance for bucket in buckets]
    whole = [sum(part for chosen, part in total.items() if bucket in chosen) / variance for bucket in buckets]
    pairs = {(i, j): total[(i, j)] / variance for i, j in combinations(buckets, 2)}
    return first, whole, pairs
