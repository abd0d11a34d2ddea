"""Option values that are more than one word or number, as the library takes them. Imports no torch."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from typing import Any

import typer

from rpganify.errors import PathError, closest

# An input in a list or dict is called `styles[0]`, so a name may hold more than an identifier does.
_NAME = re.compile(r"[^\W\d][^\s=]*")


def parse_buckets(values: Sequence[str] | None) -> int | list[str] | None:
    """What `--buckets` asks for: a number of automatic buckets, chosen ones, or None for the natural stages.

    Args:
        values: one per time the option was given; entries within one are parted by spaces, and an
            entry may hold several layers joined by ",".
    Returns:
        `["5"]` gives `5`; `["l1 block2 b5,c5"]` and `["l1", "block2", "b5,c5"]` give the three entries.
    """
    entries = [entry for value in values or () for entry in value.split()]
    if len(entries) == 1 and _is_integer(entries[0]):
        return int(entries[0])
    return entries or None


def parse_blocks(values: Sequence[str] | None) -> int | list[int] | None:
    """What `--blocks` asks for: one count for all buckets, or one for each; parted by spaces or commas.

    Raises:
        typer.BadParameter: something that is no whole number.
    """
    entries = [entry for value in values or () for entry in value.replace(",", " ").split()]
    for entry in entries:
        if not _is_integer(entry):
            raise typer.BadParameter(
                f"{entry!r} is no number of blocks; give one for all (40) or one for each bucket ('20 20 20 8').",
                param_hint="--blocks",
            )
    if len(entries) == 1:
        return int(entries[0])
    return [int(entry) for entry in entries] or None


def parse_block_cases(text: str | None) -> list[int | tuple[int, ...]] | None:
    """The numbers of blocks to try one after the other; None without a wish.

    Returns:
        `"1,40"` gives `[1, 40]`; `"20 20 8,40"` gives `[(20, 20, 8), 40]`.
    Raises:
        typer.BadParameter: something that is no whole number, or nothing between two commas.
    """
    if text is None:
        return None
    cases: list[int | tuple[int, ...]] = []
    for part in text.split(","):
        counts = parse_blocks([part])
        if counts is None:
            raise typer.BadParameter(
                f"Between two commas of {text!r} is no number; write 1,10,40.", param_hint="--blocks"
            )
        cases.append(counts if isinstance(counts, int) else tuple(counts))
    return list(dict.fromkeys(cases))


def parse_sizes(text: str | None, option: str) -> list[int] | None:
    """Whole numbers, 1 or larger, parted by commas: `16,64,256`; None without a wish.

    Args:
        option: how it is called, for the message.
    Raises:
        typer.BadParameter: something else.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    for part in parts:
        if not part.isdecimal() or int(part) < 1:
            raise typer.BadParameter(
                f"{part!r} in {text!r} is no number, 1 or larger; several are parted by commas: 16,64,256.",
                param_hint=option,
            )
    return list(dict.fromkeys(int(part) for part in parts))


def parse_indices(text: str | None, option: str) -> list[int]:
    """Places counted from 0, in rising order: `0-3,7` gives `[0, 1, 2, 3, 7]`; nothing without a wish.

    Args:
        option: how it is called, for the message.
    Raises:
        typer.BadParameter: something else.
    """
    found: set[int] = set()
    for part in text.replace(" ", "").split(",") if text is not None else ():
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not (last.isdecimal() and int(first) <= int(last))):
            raise typer.BadParameter(
                f"{part!r} in {text!r} is neither a place nor a range of them; write 0-63, or 0-3,7.", param_hint=option
            )
        found.update(range(int(first), int(last or first) + 1))
    return sorted(found)


def parse_counts(text: str, option: str, example: str) -> list[int]:
    """Whole numbers, one per bucket, parted by commas or spaces: `5,5,0,0`.

    Raises:
        typer.BadParameter: something that is no whole number.
    """
    entries = text.replace(",", " ").split()
    for entry in entries:
        if not _is_integer(entry):
            raise typer.BadParameter(
                f"{entry!r} is no whole number; give one per bucket: {example}.", param_hint=option
            )
    return [int(entry) for entry in entries]


def parse_bucket_range(text: str, bucket_names: Sequence[str]) -> list[int]:
    """The indices of the buckets that `3-5`, `3,4` or `l3,l4` names; numbers from 1.

    Raises:
        PathError: there is no such bucket.
    """
    found = []
    for part in text.replace(" ", ",").split(","):
        ends = re.fullmatch(r"(\d+)-(\d+)", part)
        if ends is None or part in bucket_names:
            found.append(find_bucket(bucket_names, part))
        else:
            first, last = (find_bucket(bucket_names, end) for end in ends.groups())
            found += range(first, last + 1)
    return found


def parse_drops(values: Sequence[str] | None, bucket_names: Sequence[str]) -> dict[int, list[int]] | None:
    """Which blocks go: `2=0,3-5` names blocks 0, 3, 4 and 5 of the second bucket; None without a wish.

    Raises:
        typer.BadParameter: it is not written so.
        PathError: there is no such bucket.
    """
    drops: dict[int, list[int]] = {}
    for value in values or ():
        name, equals, text = value.rpartition("=")
        parts = [re.fullmatch(r"(\d+)(?:-(\d+))?", part.strip()) for part in text.split(",")]
        if not equals or not all(parts):
            raise typer.BadParameter(f"{value!r} is not BUCKET=BLOCKS, such as 2=0,3-5 or l1=7.", param_hint="--drop")
        blocks = drops.setdefault(find_bucket(bucket_names, name), [])
        for part in parts:
            if part is not None:
                blocks += range(int(part[1]), int(part[2] or part[1]) + 1)
    return drops or None


def parse_pairs(values: Sequence[str] | None, option: str, example: str) -> dict[str, str]:
    """The `name=value` texts of a repeated option as a mapping; values stay text.

    Args:
        values: one per time the option was given.
        option: how it is called, for the message.
        example: a right one, for the message.
    Raises:
        typer.BadParameter: no "=", no name, or a name given twice.
    """
    pairs: dict[str, str] = {}
    for value in values or ():
        name, equals, text = value.partition("=")
        if not equals or not _NAME.fullmatch(name):
            raise typer.BadParameter(f"{value!r} is not name=value, such as {example}.", param_hint=option)
        if name in pairs:
            raise typer.BadParameter(f"{name!r} is given twice.", param_hint=option)
        pairs[name] = text
    return pairs


def parse_literals(values: Sequence[str] | None, option: str, example: str) -> dict[str, Any]:
    """As `parse_pairs`, with values that are Python literals (`10`, `0.5`, `True`, `(1, 2)`) read as such."""
    return {name: read_literal(text) for name, text in parse_pairs(values, option, example).items()}


def find_bucket(bucket_names: Sequence[str], text: str) -> int:
    """The index of the bucket that a user names: its number from 1, or its name.

    Raises:
        PathError: no bucket is called so.
    """
    if text in bucket_names:
        return bucket_names.index(text)
    if text.isdecimal() and 1 <= int(text) <= len(bucket_names):
        return int(text) - 1
    listed = ", ".join(f"{index} ({name})" for index, name in enumerate(bucket_names, 1))
    raise PathError(f"There is no bucket {text!r}: this model has {listed}.{closest(text, list(bucket_names))}")


def read_literal(text: str) -> Any:
    """The Python literal that a text writes, or the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _is_integer(text: str) -> bool:
    return text.removeprefix("-").isdecimal()
