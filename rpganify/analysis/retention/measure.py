"""Measures images of old and new paths against real ones of the old classes, of the new ones, and of all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.classes.statistics import share_interval
from rpganify.analysis.generation import evaluating
from rpganify.analysis.path_kinds import PathKind, kind_batches, path_kinds
from rpganify.analysis.quality.frechet import FeatureStatistics, feature_statistics
from rpganify.analysis.quality.measure import draw_seed, require_data, require_extractor
from rpganify.analysis.quality.metrics import neighbour_precision_recall
from rpganify.analysis.quality.samples import describe_images, real_batches, real_indices, require_same_shape
from rpganify.analysis.retention.interval import frechet_estimate
from rpganify.data.images import ImageData
from rpganify.errors import AnalysisError

OLD, NEW, ALL = "old", "new", "all"
REAL = "real"
# Images are drawn until there are enough of the old and of the new classes, up to so many times the wanted number.
MAX_ROUNDS = 8


@dataclass(frozen=True, slots=True)
class ClassGroup:
    """Classes of the data that are looked at together.

    Args:
        key: `old`, `new` or `all`.
        classes: their labels, ascending.
        num_data: images of them in the data set.
    """

    key: str
    classes: tuple[int, ...]
    num_data: int

    @property
    def title(self) -> str:
        """In words."""
        return f"{self.key} classes"


@dataclass(frozen=True, slots=True)
class GroupQuality:
    """How near images are to the real ones of some classes.

    Args:
        num_images: that were compared, and as many real ones at most.
        frechet: with its interval; None where the features are too many for it.
        precision, recall: by nearest neighbours.
    """

    num_images: int
    frechet: Estimate | None
    precision: float
    recall: float


@dataclass(frozen=True, slots=True)
class RetentionSubject:
    """Whose images were measured.

    Args:
        key: `all`, `old`, `new`, or `real` for real images against other real ones.
        title: in words.
        quality: by the classes' key; classes of which there are too few images are absent.
        new_share: share of the images that are of the new classes; None without a classifier, and of real images.
    """

    key: str
    title: str
    quality: dict[str, GroupQuality]
    new_share: Estimate | None = None


@dataclass(frozen=True, slots=True)
class RetentionMeasurement:
    """All that was measured.

    Args:
        subjects: the model's kinds of paths, all paths last, then other real images where there are enough.
        groups: old, new and all classes.
        num_wanted: images that are compared with the real ones of each.
        num_features: of the extractor.
        is_by_class: whether a classifier chose, for each group of classes, the images that it finds to be of these.
        class_names: of the data.
    """

    subjects: tuple[RetentionSubject, ...]
    groups: tuple[ClassGroup, ...]
    num_wanted: int
    num_features: int
    is_by_class: bool
    class_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Reference:
    """Real images of a group of classes, and others of the same, if there are enough."""

    group: ClassGroup
    features: Tensor
    statistics: FeatureStatistics
    others: Tensor | None

    def quality_of(self, generated: Tensor) -> GroupQuality:
        precision, recall = neighbour_precision_recall(generated, self.features)
        return GroupQuality(len(generated), frechet_estimate(generated, self.statistics), precision, recall)


def class_groups(context: AnalysisContext) -> tuple[ImageData, tuple[ClassGroup, ...]]:
    """The real images, and their old, new and all classes.

    Raises:
        AnalysisError: there is no data with labels, the old classes are not known, or there are no others.
    """
    data = require_data(context, "Retention")
    if data.labels is None:
        raise AnalysisError(
            f"Retention tells old classes from new ones by the labels of the real images, and {data.name} has none. Name "
            "data with labels: `--data mnist`, `--data folder:DIR` with a folder for each class."
        )
    if not context.old_classes:
        raise AnalysisError(
            "Retention needs to know which classes the model had before it grew. Say it: `--old-classes 0-6`, or in Python "
            "AnalysisContext(old_classes=(0, 1, 2, 3, 4, 5, 6))."
        )
    counts = torch.bincount(data.labels).tolist()
    present = [label for label, count in enumerate(counts) if count]
    old = tuple(label for label in present if label in context.old_classes)
    new = tuple(label for label in present if label not in context.old_classes)
    if not old or not new:
        raise AnalysisError(
            f"Of the classes of {data.name}, {len(old)} are old and {len(new)} new, so there is nothing to tell apart. Name "
            "data that holds both, such as `--data mnist --old-classes 0-6`."
        )
    groups = ((OLD, old), (NEW, new), (ALL, tuple(present)))
    return data, tuple(ClassGroup(key, classes, sum(counts[label] for label in classes)) for key, classes in groups)


def measure_retention(model: nn.Module, context: AnalysisContext) -> RetentionMeasurement:
    """Quality of the images of each kind of the model's paths, against the real images of each group of classes.

    With a classifier, the images that it finds to be of old classes are compared with real ones of old classes, and likewise
    new ones; without, all images of the kind with each.

    Raises:
        AnalysisError: see `class_groups`; or no extractor, too few images, another shape, or a classifier of other classes.
    """
    data, groups = class_groups(context)
    kinds = path_kinds(model, "Retention")
    require_same_shape(tuple(getattr(model, "image_shape", ())), data, "Retention")
    describer = _Describer(context, data)
    num_real = sum(2 * min(context.num_images, group.num_data) for group in groups)
    rounds = MAX_ROUNDS if describer.tells_classes else 1
    total, done = num_real + rounds * len(kinds) * context.num_images, 0

    def describe(batches: Iterable[Tensor], num_images: int) -> tuple[Tensor, ...]:
        nonlocal done
        described = describe_images(describer, batches, lambda n: context.progress("retention", done + n, total))
        done += num_images
        return described

    references = []
    for group in groups:
        members = torch.isin(data.labels, torch.tensor(group.classes)).nonzero()[:, 0]  # type: ignore[arg-type]
        count = min(context.num_images, group.num_data)
        has_others = group.num_data >= 2 * count
        order = members[real_indices(group.num_data, count * (1 + has_others), context.seed)]
        features = describe(real_batches(data, order), len(order))[0]
        others = features[count:] if has_others else None
        references.append(_Reference(group, features[:count], feature_statistics(features[:count]), others))
    subjects = []
    for kind in kinds:
        drawn: list[tuple[Tensor, ...]] = []
        for number in range(rounds):
            seed = draw_seed(context.seed, number)
            with evaluating(model, seed):
                batches = kind_batches(model, kind, context.num_images, seed, context)
                drawn.append(describe(batches, context.num_images))
            if not _goes_on(drawn, references, context.num_images):
                break
        subjects.append(_subject(kind, drawn, references))
    real = {one.group.key: one.quality_of(one.others) for one in references if one.others is not None}
    if real:
        subjects.append(RetentionSubject(REAL, "other real images", real))
    context.progress("retention", total, total)
    return RetentionMeasurement(
        tuple(subjects),
        groups,
        context.num_images,
        references[0].features.shape[1],
        describer.tells_classes,
        tuple(data.class_names),
    )


class _Describer:
    """Features of images and, with a classifier, their classes."""

    def __init__(self, context: AnalysisContext, data: ImageData) -> None:
        self._extractor, self._classifier = require_extractor(context), context.classifier
        if self._classifier is None:
            return
        num_classes = self._classifier.scores(torch.zeros(1, *data.image_shape)).shape[1]
        if num_classes != data.num_classes:
            raise AnalysisError(
                f"{self._classifier.name} tells {num_classes} classes apart, and {data.name} has {data.num_classes}. Name a "
                f"classifier of the same classes: `rpganify classifier {data.name} -o FILE` makes one."
            )

    @property
    def tells_classes(self) -> bool:
        return self._classifier is not None

    def __call__(self, images: Tensor) -> tuple[Tensor, ...]:
        features = self._extractor(images)
        return (features,) if self._classifier is None else (features, self._classifier.classes(images))


def _chosen(drawn: list[tuple[Tensor, ...]], group: ClassGroup) -> Tensor:
    """Features of the images that are compared with the real ones of a group."""
    features = torch.cat([one[0] for one in drawn])
    if group.key == ALL or len(drawn[0]) == 1:
        return features
    return features[torch.isin(torch.cat([one[1] for one in drawn]), torch.tensor(group.classes))]


def _goes_on(drawn: list[tuple[Tensor, ...]], references: list[_Reference], num_images: int) -> bool:
    """Whether images are still missing that further rounds are likely to bring."""
    for reference in references:
        found, wanted = len(_chosen(drawn, reference.group)), len(reference.features)
        if found < wanted <= found / len(drawn) * MAX_ROUNDS:
            return True
    return False


def _subject(kind: PathKind, drawn: list[tuple[Tensor, ...]], references: list[_Reference]) -> RetentionSubject:
    quality = {}
    for reference in references:
        generated = _chosen(drawn, reference.group)[: len(reference.features)]
        if len(generated) == len(reference.features):
            quality[reference.group.key] = reference.quality_of(generated)
    share = None
    if len(drawn[0]) > 1:
        # Of the first round alone: how many rounds there are depends on the share itself.
        new = next(one.group for one in references if one.group.key == NEW)
        classes = drawn[0][1]
        share = share_interval(int(torch.isin(classes, torch.tensor(new.classes)).sum()), len(classes))
    return RetentionSubject(kind.key, kind.title, quality, share)
