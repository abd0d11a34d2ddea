"""What was found of a bucket's blocks, in sentences that follow from the numbers alone."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rpganify.analysis.blocks.effects import Effects
from rpganify.analysis.blocks.strip import signed
from rpganify.analysis.blocks.verdicts import BlocksOfBucket
from rpganify.analysis.bootstrap import Estimate

NOTEWORTHY = 0.1  # a class that is raised by less is not told


def bucket_sentence(found: BlocksOfBucket, name: str) -> str:
    """Dead blocks, duplicates, the two most alike, and the block that moves a statistic farthest."""
    effects, verdicts = found.effects, found.verdicts
    subject = f"Bucket {effects.bucket + 1} ({name}), of {effects.num_blocks} blocks:"
    if not effects.distances.any():
        return f"{subject} all of them make the same images."
    told = [f"{_blocks(verdicts.dead)} {_is(verdicts.dead)} dead" if verdicts.dead else "none is dead"]
    if verdicts.duplicates:
        groups = "; ".join(f"{_blocks(group)} make nearly the same images" for group in verdicts.duplicates)
        told.append(groups)
    else:
        one, other, apart = most_alike(found)
        told.append(
            f"none is there twice ({one} and {other} are most alike, {apart:.3g} grey levels apart; half of all pairs are "
            f"at least {verdicts.median_distance:.3g} apart)"
        )
    told += _moved(effects.effects)
    return f"{subject} {', '.join(told[:-1])}, and {told[-1]}." if len(told) > 1 else f"{subject} {told[0]}."


def most_alike(found: BlocksOfBucket) -> tuple[int, int, float]:
    """The two blocks whose images differ least, and by how much, in grey levels."""
    distances = found.effects.distances.clone()
    distances.fill_diagonal_(torch.inf)
    one, other = divmod(int(distances.argmin()), len(distances))
    return min(one, other), max(one, other), float(distances[one, other])


def _moved(effects: tuple[Effects, ...]) -> list[str]:
    """What is moved farthest: the statistic, in its standard deviations, and the class, if by a tenth or more."""
    told = []
    moved = _clear([one for one in effects if one.unit])
    if moved:
        statistic, block, effect = max(moved, key=lambda found: abs(found[2].value) / found[0].std)
        told.append(f"block {block} moves the {statistic.title} most, by {_told(effect)} {statistic.unit}")
    raised = [found for found in _clear([one for one in effects if not one.unit]) if found[2].value >= NOTEWORTHY]
    if raised:
        statistic, block, effect = max(raised, key=lambda found: found[2].value)
        told.append(f"block {block} raises {statistic.title} most, by {_told(effect)}")
    return told


def _clear(effects: Sequence[Effects]) -> list[tuple[Effects, int, Estimate]]:
    """The effects that can be told from 0."""
    return [
        (one, block, effect)
        for one in effects
        for block, effect in enumerate(one.blocks)
        if effect.low > 0 or effect.high < 0
    ]


def _told(effect: Estimate) -> str:
    value, low, high = (signed(number, abs(effect.value)) for number in (effect.value, effect.low, effect.high))
    return f"{value} [{low}, {high}]"


def _blocks(blocks: tuple[int, ...]) -> str:
    if len(blocks) == 1:
        return f"block {blocks[0]}"
    return f"blocks {', '.join(str(block) for block in blocks[:-1])} and {blocks[-1]}"


def _is(blocks: tuple[int, ...]) -> str:
    return "is" if len(blocks) == 1 else "are"
