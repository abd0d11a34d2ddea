"""The tables of blocks: a line per bucket, then every block, every effect and every pair."""

from __future__ import annotations

import torch
from scipy.stats import spearmanr

from rpganify.analysis.blocks.verdicts import BlocksOfBucket
from rpganify.analysis.blocks.words import most_alike
from rpganify.report.report import Cell, Column, Table


def blocks_tables(found: tuple[BlocksOfBucket, ...], names: list[str]) -> tuple[Table, ...]:
    """All tables of the report.

    Args:
        found: of every bucket of more than one block.
        names: of all buckets.
    """
    return (_buckets_table(found, names), _blocks_table(found, names), _effects_table(found), _pairs_table(found))


def _buckets_table(found: tuple[BlocksOfBucket, ...], names: list[str]) -> Table:
    columns = (
        Column("bucket"),
        Column("name"),
        Column("blocks"),
        Column("dead"),
        Column("the same"),
        Column("most alike"),
        Column("their distance", "grey levels"),
        Column("median distance", "grey levels"),
        Column("images and weights, rank correlation"),
    )
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        first, second, apart = most_alike(one)
        rows.append(
            (
                one.effects.bucket + 1,
                names[one.effects.bucket],
                one.effects.num_blocks,
                ", ".join(str(block) for block in one.verdicts.dead) or "none",
                "; ".join(" = ".join(str(block) for block in group) for group in one.verdicts.duplicates) or "none",
                f"{first} and {second}",
                apart,
                one.verdicts.median_distance,
                rank_correlation(one),
            )
        )
    return Table("buckets", "Blocks of each bucket", columns, tuple(rows))


def rank_correlation(found: BlocksOfBucket) -> float | None:
    """Spearman's, over pairs of blocks, of their distances by images and by weights; None if there is none."""
    if found.weights is None or found.effects.num_blocks < 3:
        return None
    one, other = torch.triu_indices(found.effects.num_blocks, found.effects.num_blocks, 1)
    by_images, by_weights = found.effects.distances[one, other], found.weights.distances[one, other]
    if by_images.max() == by_images.min() or by_weights.max() == by_weights.min():
        return None
    return float(spearmanr(by_images.numpy(), by_weights.numpy()).statistic)


def _blocks_table(found: tuple[BlocksOfBucket, ...], names: list[str]) -> Table:
    columns = (
        Column("bucket"),
        Column("name"),
        Column("block"),
        Column("spread over settings", "grey levels"),
        Column("nearest by images"),
        Column("distance", "grey levels"),
        Column("nearest by weights"),
        Column("weight distance", "std"),
        Column("size of its weights", "std"),
        Column("dead"),
    )
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        for block in range(one.effects.num_blocks):
            near, apart = _nearest(one.effects.distances, block)
            of_weights: tuple[Cell, Cell, Cell] = (None, None, None)
            if one.weights is not None:
                of_weights = (*_nearest(one.weights.distances, block), float(one.weights.sizes[block]))
            spread = float(one.effects.spreads[block])
            label = (one.effects.bucket + 1, names[one.effects.bucket], block)
            rows.append((*label, spread, near, apart, *of_weights, block in one.verdicts.dead))
    return Table("blocks", "every block", columns, tuple(rows), is_raw=True)


def _nearest(distances: torch.Tensor, block: int) -> tuple[int, float]:
    row = distances[block].clone()
    row[block] = torch.inf
    near = int(row.argmin())
    return near, float(row[near])


def _effects_table(found: tuple[BlocksOfBucket, ...]) -> Table:
    heads = ("bucket", "block", "statistic", "unit", "effect", "effect, from", "effect, to", "std of the statistic")
    rows = tuple(
        (one.effects.bucket + 1, block, of.title, of.unit or "–", effect.value, effect.low, effect.high, of.std)
        for one in found
        for of in one.effects.effects
        for block, effect in enumerate(of.blocks)
    )
    return Table("effects", "effect of every block on every statistic", tuple(map(Column, heads)), rows, is_raw=True)


def _pairs_table(found: tuple[BlocksOfBucket, ...]) -> Table:
    columns = (
        *(Column("bucket"), Column("block"), Column("and block")),
        *(Column("image distance", "grey levels"), Column("weight distance", "std")),
    )
    rows = tuple(
        (
            *(found_of.effects.bucket + 1, one, other, float(found_of.effects.distances[one, other])),
            None if found_of.weights is None else float(found_of.weights.distances[one, other]),
        )
        for found_of in found
        for one in range(found_of.effects.num_blocks)
        for other in range(one + 1, found_of.effects.num_blocks)
    )
    return Table("pairs", "distance of every two blocks", columns, rows, is_raw=True)
