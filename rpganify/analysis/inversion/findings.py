"""What an inversion found, and what follows from it in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.distances import PairDistance
from rpganify.analysis.inversion.inverting import Inversion
from rpganify.analysis.inversion.latent_tuning import Tuned
from rpganify.analysis.inversion.predictor_score import BucketScore
from rpganify.analysis.responsibility.words import percent
from rpganify.paths import PathSpace


@dataclass(frozen=True, slots=True)
class Inverted:
    """All that was measured.

    Args:
        names: of the buckets.
        space: the model's paths.
        distance: between images.
        scores: of the predictor, per bucket.
        num_tested: images that it was tested on.
        is_held_out: whether their paths were kept from training.
        own: images of the model's own paths, inverted.
        own_truth: those paths, int64 `(T, num_buckets)`.
        real: images of a data set, inverted; None without one.
        tuned: the first of those with a `Z` of their own; None if there are none.
        shown: for "own" and "real" the first images, and those of their predicted and found paths.
        seed: of the bootstrap.
    """

    names: tuple[str, ...]
    space: PathSpace
    distance: PairDistance
    scores: tuple[BucketScore, ...]
    num_tested: int
    is_held_out: bool
    own: Inversion
    own_truth: Tensor
    real: Inversion | None
    tuned: Tuned | None
    shown: Mapping[str, tuple[Tensor, Tensor, Tensor]]
    seed: int


def summary(measured: Inverted, share: Estimate, whole: Estimate) -> str:
    """Which bucket shows most and which least, what search finds again, and how near it comes to real images.

    Args:
        measured: what was found.
        share: of the blocks of the model's own images that were found again.
        whole: of their whole paths.
    """
    ranked = sorted(enumerate(measured.scores), key=lambda one: one[1].top1.value)
    known = [(index, score) for index, score in ranked if score.num_blocks > 1]
    sentences = []
    if known:
        sentences.append(f"An image tells the block of {_told(measured, *known[-1])}")
        if len(known) > 1:
            sentences[0] += f", and that of {_told(measured, *known[0])}"
        sentences[0] += "."
    sentences.append(
        f"Search finds {100 * share.value:.0f} % of the blocks of the model's own images again, and "
        f"{100 * whole.value:.0f} % of their whole paths."
    )
    if measured.real is not None:
        before, after = measured.real.distances[:, 0].mean(), measured.real.distances[:, 2].mean()
        if before > 0:
            sentences.append(
                f"The nearest paths to real images are at {100 * float(after / before):.0f} % of a random path's distance."
            )
    return " ".join(sentences)


def bucket_sentence(measured: Inverted, index: int) -> str:
    """What an image tells of one bucket's block."""
    score = measured.scores[index]
    subject = f"Bucket {index + 1} ({measured.names[index]})"
    if score.num_blocks == 1:
        return f"{subject} has one block, so there is nothing to tell."
    found = float((measured.own.found[:, index] == measured.own_truth[:, index]).double().mean())
    searched = f"search finds {100 * found:.0f} % of its blocks again"
    guessing = f"guessing: {100 * score.chance1:.0f} %"
    if score.top1.low <= score.chance1 and score.bits.low <= 0:
        return f"{subject}: an image does not tell its block, {percent(score.top1)} are named ({guessing}); {searched}."
    return f"{subject}: an image names its block in {percent(score.top1)} ({guessing}); {searched}."


def notes(measured: Inverted) -> list[str]:
    """What a reader should know before believing the numbers."""
    told = []
    if not measured.is_held_out:
        told.append(
            "The predictor was tested on paths that it may have been trained on: there are too few paths, or one bucket alone "
            "has several blocks, so none could be held out."
        )
    if measured.tuned is not None:
        before, after = (float(value) for value in measured.tuned.errors.mean(dim=0))
        told.append(
            f"A Z of its own brings the mean squared error of the pixels of {len(measured.tuned.images)} real images, in "
            f"[-1, 1], from {before:.3g} to {after:.3g}."
        )
    return told


def _told(measured: Inverted, index: int, score: BucketScore) -> str:
    return (
        f"bucket {index + 1} ({measured.names[index]}) in {100 * score.top1.value:.0f} % of cases "
        f"(guessing: {100 * score.chance1:.0f} %)"
    )
