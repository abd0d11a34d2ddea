"""Counts the classes of a model's images, of its standard twin's, and of real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext, require_classifier
from rpganify.analysis.classifier_features import ClassifierFeatures
from rpganify.analysis.generation import evaluating
from rpganify.analysis.path_kinds import ALL, kind_batches, path_kinds
from rpganify.analysis.quality.measure import draw_seed
from rpganify.analysis.quality.samples import describe_images, real_batches, real_indices, require_same_shape

SURE = 0.9
# Real images cost no generator, and their shares are what all others are held against.
REAL_FACTOR = 10
TWIN, REAL = "twin", "real"


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """Whose images were counted.

    Args:
        key: `all`, `old`, `new`, `twin` or `real`.
        title: in words.
        counts: images of each class, int64 `(num_classes,)`.
        num_sure: images of whose class the classifier is more than 90 % sure.
    """

    key: str
    title: str
    counts: Tensor
    num_sure: int

    @property
    def num_images(self) -> int:
        """How many were counted."""
        return int(self.counts.sum())

    @property
    def shares(self) -> Tensor:
        """Of each class, float64 `(num_classes,)`."""
        return self.counts.double() / self.counts.sum()


@dataclass(frozen=True, slots=True)
class ClassMeasurement:
    """All counts.

    Args:
        subjects: of generated images; the model's own, all of its paths last, then its twin's.
        real: of real images by the classifier; None without data.
        labels: how many images of the whole data set have each label; None without labels of the same classes.
        agreement: share of the counted real images that the classifier gives their label; None without labels.
        class_names: one per class.
        old_classes: labels that the model knew before it grew; empty if not known.
    """

    subjects: tuple[ClassCounts, ...]
    real: ClassCounts | None
    labels: Tensor | None
    agreement: float | None
    class_names: tuple[str, ...]
    old_classes: tuple[int, ...]

    @property
    def model(self) -> ClassCounts:
        """The model's images of all paths."""
        return next(subject for subject in self.subjects if subject.key == ALL)


def measure_classes(model: nn.Module, context: AnalysisContext) -> ClassMeasurement:
    """Counts of `context.num_images` images of each kind of the model's paths, of the twin, and of real ones.

    Raises:
        AnalysisError: no classifier, no pictures, or real images of another shape.
    """
    classifier = require_classifier(context, "classes")
    kinds = path_kinds(model, "Classes")
    twins = () if context.twin is None else path_kinds(context.twin, "Classes")[-1:]
    data = context.data
    num_real = 0 if data is None else min(len(data), REAL_FACTOR * context.num_images)
    total = (len(kinds) + len(twins)) * context.num_images + num_real
    done = 0

    def counted(key: str, title: str, batches: Iterable[Tensor], num_images: int) -> tuple[ClassCounts, Tensor]:
        nonlocal done
        before = done
        found = _count(classifier, key, title, batches, lambda n: context.progress("classes", before + n, total))
        done += num_images
        return found

    sources = [(kind.key, kind.title, model, kind) for kind in kinds]
    if context.twin is not None:
        sources += [(TWIN, "standard twin", context.twin, kind) for kind in twins]
    seed = draw_seed(context.seed, 0)
    subjects = []
    for key, title, generator, kind in sources:
        with evaluating(generator, seed):
            batches = kind_batches(generator, kind, context.num_images, seed, context)
            subjects.append(counted(key, title, batches, context.num_images)[0])
    real = labels = agreement = None
    if data is not None:
        require_same_shape(tuple(getattr(model, "image_shape", ())), data, "Classes")
        indices = real_indices(len(data), num_real, context.seed)
        real, classes = counted(REAL, "real images", real_batches(data, indices), num_real)
        if data.labels is not None and data.num_classes == len(real.counts):
            labels = torch.bincount(data.labels, minlength=len(real.counts))
            agreement = float((classes == data.labels[indices]).double().mean())
    names = classifier.class_names or (data.class_names if data is not None and labels is not None else ())
    names = names or tuple(str(number) for number in range(len(subjects[0].counts)))
    old_classes = context.old_classes if labels is not None else ()
    return ClassMeasurement(tuple(subjects), real, labels, agreement, names, old_classes)


def _count(
    classifier: ClassifierFeatures,
    key: str,
    title: str,
    batches: Iterable[Tensor],
    progress: Callable[[int], None],
) -> tuple[ClassCounts, Tensor]:
    """The counts, and the class of each image."""
    (scores,) = describe_images(lambda images: (classifier.scores(images),), batches, progress)
    probabilities, classes = scores.double().softmax(dim=1).max(dim=1)
    counts = torch.bincount(classes, minlength=scores.shape[1])
    return ClassCounts(key, title, counts, int((probabilities > SURE).sum())), classes
