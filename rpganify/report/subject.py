"""What a page is about: a model in words, facts and small pictures, and the reports on it."""

from __future__ import annotations

from dataclasses import dataclass

from rpganify.report.report import Report


@dataclass(frozen=True, slots=True)
class Tile:
    """A small picture among others.

    Args:
        png: the file; as large as the image is, the page enlarges it.
        label: below it, such as a block's number; empty for none.
        told: what it is, for those who do not see it.
    """

    png: bytes
    label: str = ""
    told: str = ""


@dataclass(frozen=True, slots=True)
class BucketCard:
    """A bucket at a glance.

    Args:
        number: from 1.
        name: of the bucket.
        layers: in it.
        num_blocks: that it has.
        num_parameters: of one block.
        base_block: its block on the base path.
        tiles: the base path's image with other blocks of this bucket.
        words: what was found of the bucket; a sentence each.
    """

    number: int
    name: str
    layers: tuple[str, ...]
    num_blocks: int
    num_parameters: int
    base_block: int
    tiles: tuple[Tile, ...]
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """A model on a page.

    Args:
        name: as its heading; unique on the page.
        key: the same, fit for a file's name and for a link.
        lead: what the model is, in a sentence or two.
        facts: names and values, in the order in which they are shown.
        base: the image whose path the cards vary; None for a model without buckets.
        cards: one per bucket; empty for a model without.
        samples: random images.
        reports: in any order; the page has its own.
        notes: what a reader should know, such as what was left out and why.
    """

    name: str
    key: str
    lead: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    base: Tile | None = None
    cards: tuple[BucketCard, ...] = ()
    samples: tuple[Tile, ...] = ()
    reports: tuple[Report, ...] = ()
    notes: tuple[str, ...] = ()

    def report(self, name: str) -> Report | None:
        """The report of that name, if there is one."""
        return next((report for report in self.reports if report.name == name), None)
