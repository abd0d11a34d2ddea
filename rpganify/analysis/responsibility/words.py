"""What the shares say, in sentences that follow from the numbers alone."""

from __future__ import annotations

from collections.abc import Sequence

from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.responsibility.shares import Responsibilities, Share

MAX_STATISTICS = 3  # a sentence names no more of them
NOTEWORTHY = 0.005  # half a per cent, the least that is printed as 1 %


def percent(estimate: Estimate, is_exact: bool = False) -> str:
    """A share with its interval, as `62 % [57, 67]`; without one where it is exact."""
    value, low, high = numbers(estimate)
    return f"{value} %" if is_exact else f"{value} % [{low}, {high}]"


def numbers(estimate: Estimate) -> tuple[str, str, str]:
    """A share and its ends in per cent; with one decimal where all are below 10, so that 0.4 does not read as nothing."""
    values = (100 * estimate.value, 100 * estimate.low, 100 * estimate.high)
    decimals = 1 if max(abs(value) for value in values) < 9.95 else 0
    value, low, high = (_number(one, decimals) for one in values)
    return value, low, high


def bucket_sentence(measured: Responsibilities, bucket: int, names: Sequence[str]) -> str:
    """What one bucket decides.

    Args:
        measured: the shares.
        bucket: its index.
        names: of all buckets.
    """
    subject = f"Bucket {bucket + 1} ({names[bucket]})"
    known = [share for share in measured.main if not share.is_constant]
    if not known:
        return f"{subject} decides nothing, as no statistic varies."
    if known[0].indices.first[bucket] is None:
        return f"{subject} has one block, so there is nothing that it could decide."
    alone = _largest(known, [share.indices.first[bucket] for share in known])
    joint = _largest(known, [share.indices.joint[bucket] for share in known])
    if not alone:
        told = f"{subject} alone {_nothing(measured, known, bucket)}"
        return told + (_together(measured, joint[0][0], bucket, ", but ") if joint else ".")
    parts = [f"{percent(estimate, measured.is_exact)} of the {share.title}" for share, estimate in alone]
    leads = [share.title for share, _ in alone if _leader(share) == bucket]
    told = f"{subject} alone decides {_listed(parts)}"
    if leads and len(names) > 1:
        every = {1: "of this", 2: "of both"}.get(len(parts), "of all three")
        told += f", more {every if len(leads) == len(parts) else f'of the {_listed(leads)}'} than any other bucket"
    return told + (_together(measured, joint[0][0], bucket, "; ") if joint else ".")


def summary(measured: Responsibilities, names: Sequence[str]) -> str:
    """Which bucket decides most of which statistic, and how much buckets decide one at a time."""
    led: dict[int, list[str]] = {}
    for share in measured.main:
        leader = None if share.is_constant else _leader(share)
        if leader is not None:
            first = share.indices.first[leader]
            assert first is not None
            led.setdefault(leader, []).append(f"{share.title} ({numbers(first)[0]} %)")
    told = [f"bucket {bucket + 1} ({names[bucket]}) has most of the {_listed(led[bucket])}" for bucket in sorted(led)]
    leaders = f"Of what buckets decide alone, {'; '.join(told)}. " if told else ""
    return leaders + _one_at_a_time(measured)


def _one_at_a_time(measured: Responsibilities) -> str:
    known = [(share, share.indices.alone) for share in measured.main if share.indices.alone is not None]
    if not known:
        return "No statistic varies from path to path, so no bucket is responsible for anything."
    ordered = sorted(((alone.value, index, share, alone) for index, (share, alone) in enumerate(known)))
    told = f"Buckets one at a time decide {percent(ordered[-1][3], measured.is_exact)} of the {ordered[-1][2].title}"
    if len(ordered) > 1:
        told += f" (the most) and {percent(ordered[0][3], measured.is_exact)} of the {ordered[0][2].title} (the least)"
    return f"{told}; what is left to 100 % is decided by combinations of buckets."


def _leader(share: Share) -> int | None:
    """The bucket that alone decides most of a statistic, if that can be told from 0."""
    known = [(one.value, bucket) for bucket, one in enumerate(share.indices.first) if one and _is_noteworthy(one)]
    return max(known)[1] if known else None


def _largest(known: Sequence[Share], estimates: Sequence[Estimate | None]) -> list[tuple[Share, Estimate]]:
    """The statistics of which a share can be told from 0, the largest share first; at most three."""
    clear = [
        (share, one) for share, one in zip(known, estimates, strict=True) if one is not None and _is_noteworthy(one)
    ]
    return sorted(clear, key=lambda pair: -pair[1].value)[:MAX_STATISTICS]


def _is_noteworthy(estimate: Estimate) -> bool:
    return estimate.is_above_zero and estimate.value >= NOTEWORTHY


def _nothing(measured: Responsibilities, known: Sequence[Share], bucket: int) -> str:
    most = max(known, key=lambda share: _value(share.indices.first[bucket]))
    estimate = most.indices.first[bucket]
    assert estimate is not None
    largest = f"the largest is {percent(estimate, measured.is_exact)} of the {most.title}"
    if estimate.is_above_zero:
        return f"decides next to nothing ({largest})"
    return f"decides no share that can be told from 0 ({largest})"


def _together(measured: Responsibilities, share: Share, bucket: int, before: str) -> str:
    """The statistic in which its combinations with other buckets count most, and the pair that counts most there."""
    joint = share.indices.joint[bucket]
    assert joint is not None
    told = f"{before}together with others, it decides {percent(joint, measured.is_exact)} of the {share.title}"
    pairs = [
        (pair, estimate)
        for pair, estimate in share.indices.pairs.items()
        if bucket in pair and estimate is not None and _is_noteworthy(estimate)
    ]
    if not pairs:
        return f"{told}."
    (one, two), estimate = max(pairs, key=lambda pair: pair[1].value)
    other = two if one == bucket else one
    return f"{told}, above all with bucket {other + 1} ({percent(estimate, measured.is_exact)})."


def _value(estimate: Estimate | None) -> float:
    return float("-inf") if estimate is None else estimate.value


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _number(value: float, decimals: int) -> str:
    told = f"{value:.{decimals}f}"
    return "0" if float(told) == 0 else told.replace("-", "\N{MINUS SIGN}")
