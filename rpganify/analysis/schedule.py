"""Which analyses a model allows, how long they will take, and sizes with which they are done in time."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import nn

from rpganify.analysis.analyzer import AnalysisContext, Analyzer, PathModel, require_paths
from rpganify.analysis.cache import ReportCache
from rpganify.analysis.generation import ImageMaker, evaluating, to_float
from rpganify.data.display import is_picture
from rpganify.entries import AnalyzerEntry
from rpganify.errors import AnalysisError

NEEDS = {
    "buckets": "a model with buckets, which `rpganify convert` makes; this is a standard generator",
    "pictures": "a generator of pictures of 1 (grey) or 3 (colour) channels; this one's is none",
    "data": "real images: --data NAME",
    "twin": "a standard generator to compare with: --twin RUN, or --twin my_gan.py:Generator --weights FILE",
    "classifier": "a classifier, for classes: --classifier FILE",
    "extractor": "features: --extractor NAME",
    "old classes": "which classes of the data there were before a model grew: --old-classes 0-6",
}
# Drawing a figure and writing it twice, for light pages and dark ones, takes about this long on the machine at hand.
FIXED_S = 3.0
SHARES = (1.0, 0.5, 0.25, 0.1)
MIN_PATHS, MIN_IMAGES = 10, 200
_PROBE_IMAGES = 64


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast images are made and described.

    Args:
        image_s: seconds per image.
        features_s: seconds per image for the extractor; 0 without one.
        num_features: that the extractor gives; 0 without one.
    """

    image_s: float
    features_s: float
    num_features: int = 0


@dataclass(frozen=True, slots=True)
class Schedule:
    """What will be run.

    Args:
        context: with the sizes that fit the time.
        cache: for that context.
        due_s: expected seconds of each analyzer that has to run, by name; None where it does not say.
        kept: names of those whose reports were kept.
    """

    context: AnalysisContext
    cache: ReportCache
    due_s: dict[str, float | None]
    kept: tuple[str, ...]

    @property
    def total_s(self) -> float:
        """Expected seconds of all that say how long they take."""
        return sum(seconds or 0.0 for seconds in self.due_s.values())


def lacking(entry: AnalyzerEntry, model: nn.Module, context: AnalysisContext) -> list[str]:
    """What the analyzer needs and there is not, each with what would bring it in.

    Raises:
        AnalysisError: a plugin's entry needs something that does not exist.
    """
    there = {
        "buckets": getattr(model, "codes", None) == "paths",
        "pictures": is_picture(tuple(getattr(model, "image_shape", ()))),
        "data": context.data is not None,
        "twin": context.twin is not None,
        "classifier": context.classifier is not None,
        "extractor": context.extractor is not None,
        "old classes": bool(context.old_classes),
    }
    for need in entry.needs:
        if need not in NEEDS:
            raise AnalysisError(f"The analyzer {entry.name} needs {need!r}; there are {', '.join(NEEDS)}.")
    return [NEEDS[need] for need in entry.needs if not there[need]]


def check_allowed(entry: AnalyzerEntry, model: nn.Module, context: AnalysisContext) -> None:
    """Refuses an analyzer that somebody has named and that lacks something, before anything is run.

    Raises:
        AnalysisError: what it lacks, and what would bring it in.
    """
    missing = lacking(entry, model, context)
    if {"buckets", "pictures"} <= set(entry.needs):
        require_paths(model, entry.name)
    if missing:
        raise AnalysisError(f"{entry.name} needs {'; and '.join(missing)}.")


def make_schedule(
    analyzers: Sequence[Analyzer],
    model: nn.Module,
    context: AnalysisContext,
    cache: ReportCache,
    *,
    limit_s: float,
    adjustable: Collection[str] = (),
    is_fresh: bool = False,
) -> Schedule:
    """What to run, with sizes at which it takes no longer than it may.

    Args:
        analyzers: in their order.
        model: to analyze.
        context: with the sizes that are wanted.
        cache: opened for model and context.
        limit_s: how long all of it may take.
        adjustable: of `num_paths` and `num_images`, those that may be made smaller for it.
        is_fresh: whether everything is run again, kept or not.
    """
    shares = SHARES if adjustable else SHARES[:1]
    contexts = [_smaller(context, share, adjustable) for share in shares]
    plans = [_due(analyzers, cache.with_sizes(one), is_fresh) for one in contexts]
    # An earlier analysis with smaller sizes is all there: a slower or faster moment must not undo it.
    chosen = next((index for index, due in enumerate(plans) if not due), None)
    if chosen is not None:
        kept = tuple(analyzer.name for analyzer in analyzers)
        return Schedule(contexts[chosen], cache.with_sizes(contexts[chosen]), {}, kept)
    speed = measure_speed(model, context)
    for one, due in zip(contexts, plans, strict=True):
        names = {analyzer.name for analyzer in due}
        expected = {analyzer.name: expected_s(analyzer, model, one, speed) for analyzer in due}
        kept = tuple(analyzer.name for analyzer in analyzers if analyzer.name not in names)
        schedule = Schedule(one, cache.with_sizes(one), expected, kept)
        if schedule.total_s <= limit_s:
            break
    return schedule


def expected_s(analyzer: Analyzer, model: nn.Module, context: AnalysisContext, speed: Speed) -> float | None:
    """About how long the analyzer takes, from what it says of itself; None where it says nothing."""
    counting, timing = getattr(analyzer, "num_images", None), getattr(analyzer, "other_s", None)
    if not callable(counting):
        return None
    try:
        num_images = int(counting(model, context))
        other_s = float(timing(model, context, speed.num_features)) if callable(timing) else 0.0
    except AnalysisError:  # it will refuse this model, and say why
        return None
    features_s = speed.features_s if getattr(analyzer, "uses_extractor", True) else 0.0
    return FIXED_S + num_images * (speed.image_s + features_s) + other_s


def measure_speed(model: nn.Module, context: AnalysisContext) -> Speed:
    """Seconds per image, on a batch of the model's own images; the first batch, which warms up, is not counted."""
    codes = getattr(model, "draw")(_PROBE_IMAGES, torch.Generator().manual_seed(context.seed))  # noqa: B009
    with evaluating(model, context.seed):
        maker = ImageMaker(cast(PathModel, model), replace(context, progress=lambda what, done, total: None))
        maker.values(codes[:4])
        start = time.perf_counter()
        images = maker(codes)
        image_s = (time.perf_counter() - start) / len(codes)
        features_s, num_features = 0.0, 0
        if context.extractor is not None and is_picture(tuple(images.shape[1:])):
            few = to_float(images[:16])
            context.extractor(few[:2])
            start = time.perf_counter()
            num_features = int(context.extractor(few).shape[1])
            features_s = (time.perf_counter() - start) / len(few)
    return Speed(image_s, features_s, num_features)


def _smaller(context: AnalysisContext, share: float, adjustable: Collection[str]) -> AnalysisContext:
    def sized(name: str, wanted: int, least: int) -> int:
        return min(wanted, max(least, round(wanted * share))) if name in adjustable else wanted

    return replace(
        context,
        num_paths=sized("num_paths", context.num_paths, MIN_PATHS),
        num_images=sized("num_images", context.num_images, MIN_IMAGES),
    )


def _due(analyzers: Sequence[Analyzer], cache: ReportCache, is_fresh: bool) -> list[Analyzer]:
    return [analyzer for analyzer in analyzers if is_fresh or cache.find(analyzer) is None]
