"""What is on a page and in which order: the sections, and in each the reports of all models side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rpganify.report.report import Report
from rpganify.report.subject import Subject

# A reader first wants to see, then to know how much, then what it was made of. Other reports stand before the last two.
ORDER = (
    "variations", "responsibility", "diversity", "blocks", "noise", "quality", "quality-comparison", "retention",
    "retention-comparison", "classes", "classes-comparison", "inversion",
)  # fmt: skip
LAST = ("training", "plan")

MAX_FINDING, MAX_FINDINGS = 560, 3  # characters, and how many of them leave the first screen one

WORDS = (
    ("Bucket", "Layers of the generator that share one choice. Buckets count from 1, in the generator's order."),
    ("Block", "One copy of a bucket's parameters. A bucket has several; blocks count from 0."),
    ("Path", "One block of each bucket, printed as their numbers: `3-17-0-22-5`. A path makes one image."),
    ("Fixed input", "The one vector that goes into the first layer for every image. It is learned; only paths differ."),
    ("Path space, coverage", "All paths; and how many paths there are for each image of the training data."),
    ("Freeze, vary", "Keep a bucket's block as it is; exchange a bucket's block for others."),
    ("Standard generator", "A generator as GANs usually have: a random vector goes in, and there are no buckets."),
    ("±, […, …]", "One standard deviation around a mean, and an interval that holds the truth in 95 of 100 analyses."),
)


@dataclass(frozen=True, slots=True)
class Page:
    """What a page shows.

    Args:
        title: its heading.
        subjects: at least one, each under its own name and key.
        kicker: a line above the heading, what kind of page this is.
        comparisons: reports on all models together.
        colophon: by what and when it was made; below everything.
    """

    title: str
    subjects: tuple[Subject, ...]
    kicker: str = "What the layers do"
    comparisons: tuple[Report, ...] = ()
    colophon: str = "Made by `rpganify`."

    def folder(self, subject: Subject) -> str:
        """Where the files of a subject lie, from the page: beside it, or if there are several in a folder of their own."""
        return "" if len(self.subjects) == 1 else f"{subject.key}/"


@dataclass(frozen=True, slots=True)
class Part:
    """One report of a section.

    Args:
        report: shown.
        heading: the model that it is on, where there are several.
        folder: of its files, from the page.
    """

    report: Report
    heading: str
    folder: str


@dataclass(frozen=True, slots=True)
class Section:
    """Reports of one name.

    Args:
        key: for links.
        title: its heading.
        parts: one per model that has such a report.
    """

    key: str
    title: str
    parts: tuple[Part, ...]


def sections_of(page: Page) -> list[Section]:
    """The sections of a page, in its order."""
    parts: dict[str, list[Part]] = {}
    for report in page.comparisons:
        parts.setdefault(report.name, []).append(Part(report, "", ""))
    for subject in page.subjects:
        for report in subject.reports:
            heading = subject.name if len(page.subjects) > 1 else ""
            parts.setdefault(report.name, []).append(Part(report, heading, page.folder(subject)))
    return [Section(name, parts[name][0].report.title, tuple(parts[name])) for name in sorted(parts, key=rank_of)]


def findings_of(subject: Subject) -> list[tuple[str, str, str]]:
    """What its reports found, for the first screen: section, short title, and the finding, where it is short."""
    reports = sorted(subject.reports, key=lambda report: rank_of(report.name))
    told = [one for one in reports if one.name not in LAST and 0 < len(one.summary) <= MAX_FINDING]
    return [(one.name, short_title(one.name), one.summary) for one in told[:MAX_FINDINGS]]


def short_title(name: str) -> str:
    """A report's name as the contents show it."""
    return name.replace("-", " ").replace("_", " ").capitalize()


def contents_of(page: Page, sections: Sequence[Section]) -> list[tuple[str, str]]:
    """Key and short title of everything that the table of contents lists."""
    carded = [subject for subject in page.subjects if subject.cards]
    several = len(page.subjects) > 1
    entries = [(f"buckets-{one.key}", f"Buckets of {one.name}" if several else "Buckets") for one in carded]
    if any(subject.samples for subject in page.subjects):
        entries.append(("samples", "Samples"))
    entries += [(one.key, short_title(one.key)) for one in sections]
    return [*entries, ("words", "Words")]


def rank_of(name: str) -> tuple[int, str]:
    """Where a report of that name stands on a page; smaller is earlier."""
    if name in ORDER:
        return ORDER.index(name), ""
    if name in LAST:
        return len(ORDER) + 1 + LAST.index(name), ""
    return len(ORDER), name
