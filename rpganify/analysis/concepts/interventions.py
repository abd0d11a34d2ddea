"""Interventions: one latent variable at a time is set to a value, and a classifier says what that changes.

Of a standard generator the variables are the numbers of `z`, each set to ±δ; of a converted one they are the buckets, each
set to every one of its blocks. Everything else stays as it was drawn, so all changes are changes of the same images.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from rpganify.analysis.generation import ImageMaker
from rpganify.analysis.latents import LatentMap
from rpganify.errors import AnalysisError

# Larger batches of a standard generator are no faster on a CPU.
MAX_BATCH = 128
DELTAS = (1.0, 2.0, 3.0)

Told = Callable[[int, int], None]


class ConceptClassifier(Protocol):
    """What interventions ask of a classifier; `ClassifierFeatures` offers it."""

    @property
    def concepts(self) -> tuple[str, ...]:
        """A name for each class."""
        ...

    def scores(self, images: Tensor) -> Tensor:
        """Class scores `(N, num_classes)` before the softmax, on the CPU, of images `(N, C, H, W)` in [-1, 1]."""
        ...

    def logits(self, images: Tensor) -> Tensor:
        """The same, differentiable."""
        ...


@dataclass(frozen=True, slots=True)
class LatentInterventions:
    """What setting each number of `z` to ±δ does to the class probabilities of the same n latents.

    Args:
        concepts: names of the classes.
        deltas: ascending, in standard deviations of `z_i`, which is normal.
        latents: as they were drawn, `(n, dim)`, on the CPU.
        base: their class probabilities, float64 `(n, num_concepts)`.
        changes: probabilities after less those before, float64 `(num_deltas, 2, n, dim, num_concepts)`; of the second axis, 0
            sets `z_i` to −δ and 1 to +δ.
    """

    concepts: tuple[str, ...]
    deltas: tuple[float, ...]
    latents: Tensor
    base: Tensor
    changes: Tensor

    @property
    def dim(self) -> int:
        """How many numbers `z` has."""
        return self.latents.shape[1]

    @property
    def effects(self) -> Tensor:
        """Mean changes, `(num_deltas, 2, dim, num_concepts)`."""
        return self.changes.mean(dim=2)


@dataclass(frozen=True, slots=True)
class BlockInterventions:
    """What forcing each block of each bucket does to the class probabilities of the same n paths.

    Args:
        concepts: names of the classes.
        buckets: for each intervention, the bucket's index; int64 `(num_interventions,)`.
        blocks: for each, the block's.
        contexts: the paths whose other blocks stay, `(n, num_buckets)`.
        probabilities: with the block in its place, float64 `(n, num_interventions, num_concepts)`.
    """

    concepts: tuple[str, ...]
    buckets: Tensor
    blocks: Tensor
    contexts: Tensor
    probabilities: Tensor

    @property
    def changes(self) -> Tensor:
        """Probabilities with a block less their mean over all blocks of its bucket in the same context, as `probabilities`."""
        changes = self.probabilities.clone()
        for bucket in self.buckets.unique().tolist():
            of_bucket = self.buckets == bucket
            changes[:, of_bucket] -= changes[:, of_bucket].mean(dim=1, keepdim=True)
        return changes


def class_probabilities(
    space: LatentMap, classifier: ConceptClassifier, latents: Tensor, *, batch_size: int = MAX_BATCH
) -> Tensor:
    """Class probabilities of the images of latents: float64 `(N, num_concepts)`, on the CPU.

    Args:
        space: images as a function of the latent.
        classifier: says what is on them.
        latents: `(N, dim)`.
        batch_size: images at once.
    Raises:
        AnalysisError: images or scores hold NaN or infinity.
    """
    found = []
    with torch.no_grad():
        for batch in latents.to(space.device, space.dtype).split(batch_size):
            found.append(probabilities_of(classifier.scores(space.images(batch).float())))
    return torch.cat(found) if found else torch.empty(0, len(classifier.concepts), dtype=torch.float64)


def probabilities_of(scores: Tensor) -> Tensor:
    """The softmax of class scores, float64.

    Raises:
        AnalysisError: they hold NaN or infinity.
    """
    if not torch.isfinite(scores).all():
        raise AnalysisError(
            "The classifier gives scores that are NaN or infinite, so the images or its weights are. Analyze an earlier "
            "checkpoint, or look at the images first: `rpganify sample MODEL -o grid.png`."
        )
    return scores.double().softmax(dim=1)


def batch_size_of(image_shape: Sequence[int], batch_pixels: int) -> int:
    """Images at once, within so many pixels."""
    return max(1, min(MAX_BATCH, batch_pixels // math.prod(image_shape[1:])))


def intervene_on_latents(
    space: LatentMap,
    classifier: ConceptClassifier,
    num_z: int,
    generator: torch.Generator,
    *,
    deltas: Sequence[float] = DELTAS,
    batch_size: int = MAX_BATCH,
    progress: Told = lambda done, total: None,
) -> LatentInterventions:
    """Sets each number of the same latents to ±δ, one at a time.

    Args:
        space: the random `z` of a standard generator.
        classifier: says what is on the images.
        num_z: latents, at least 2; the images made are `num_z · (1 + 2 · dim · num_deltas)`.
        generator: draws the latents.
        deltas: above 0, in standard deviations of `z_i`.
        batch_size: images at once.
        progress: told how many images are made, and of how many.
    Raises:
        AnalysisError: fewer than 2 latents, or a δ that is not above 0.
    Source:
        Ours, after "Interpreting the Latent Space of GANs via Correlation Analysis"; its text gives no values to set.
    """
    chosen = tuple(sorted(set(deltas)))
    if num_z < 2 or not chosen or chosen[0] <= 0 or not math.isfinite(chosen[-1]):
        raise AnalysisError(
            f"Interventions take at least 2 latents and set z_i to ±δ with δ above 0; got {num_z} latents and δ = "
            f"{', '.join(f'{delta:g}' for delta in deltas) or 'none'}. `--num-z 100 --delta 3` would do."
        )
    latents = space.draw(num_z, generator)
    base = class_probabilities(space, classifier, latents, batch_size=batch_size)
    changes = torch.empty(len(chosen), 2, num_z, space.dim, base.shape[1], dtype=torch.float64)
    values = [(step, side, sign * delta) for step, delta in enumerate(chosen) for side, sign in enumerate((-1, 1))]
    total = num_z * space.dim * len(values)
    for index in range(space.dim):
        moved = latents.repeat(len(values), 1)
        moved[:, index] = torch.tensor([value for _, _, value in values]).repeat_interleave(num_z).to(moved)
        after = class_probabilities(space, classifier, moved, batch_size=batch_size).unflatten(0, (-1, num_z))
        changes[:, :, :, index] = (after - base).unflatten(0, (len(chosen), 2))
        progress((index + 1) * num_z * len(values), total)
    return LatentInterventions(classifier.concepts, chosen, latents.cpu().float(), base, changes)


def intervene_on_blocks(
    maker: ImageMaker,
    num_blocks: Sequence[int],
    classifier: ConceptClassifier,
    contexts: Tensor,
    *,
    progress: Told = lambda done, total: None,
) -> BlockInterventions:
    """Puts every block of every bucket that has several into the same random paths.

    Args:
        maker: of the images of paths, inside `evaluating`.
        num_blocks: of each bucket.
        classifier: says what is on the images.
        contexts: paths, int64 `(n, num_buckets)`, at least 2; the images made are n for each block.
        progress: told how many images are made, and of how many.
    Raises:
        AnalysisError: fewer than 2 paths, or no bucket of several blocks.
    """
    chosen = [(bucket, block) for bucket, m in enumerate(num_blocks) if m > 1 for block in range(m)]
    if len(contexts) < 2 or not chosen:
        raise AnalysisError(
            f"Blocks are compared in at least 2 random paths, in a bucket of at least 2 blocks; got {len(contexts)} paths "
            f"and buckets of {', '.join(map(str, num_blocks))}. Convert with more blocks: `--blocks 10`."
        )
    found = []
    for number, (bucket, block) in enumerate(chosen):
        paths = contexts.clone()
        paths[:, bucket] = block
        found.append(probabilities_of(classifier.scores(maker.values(paths))))
        progress((number + 1) * len(contexts), len(chosen) * len(contexts))
    buckets, blocks = torch.tensor(chosen).T
    return BlockInterventions(classifier.concepts, buckets, blocks, contexts, torch.stack(found, dim=1))


def correlations(latents: Tensor, probabilities: Tensor) -> Tensor:
    """Pearson's correlation of each number of `z` with each class probability, `(dim, num_concepts)`; 0 of a constant.

    Args:
        latents: `(n, dim)`, as they were drawn.
        probabilities: `(n, num_concepts)` of their images.
    """
    one, other = (values.double() - values.double().mean(dim=0) for values in (latents, probabilities))
    sizes = one.norm(dim=0)[:, None] * other.norm(dim=0)
    return torch.where(sizes > 0, one.T @ other / sizes.clamp_min(torch.finfo(torch.float64).tiny), 0.0)
