"""Precision and recall of a distribution of images, as the curve of Sajjadi et al. 2018."""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from rpganify.errors import AnalysisError

NUM_CLUSTERS = 20
NUM_ANGLES = 1001
NUM_RUNS = 10
BETA = 8.0
_EDGE = 1e-10  # an angle of 0 or 90° would divide by 0


@dataclass(frozen=True, slots=True)
class PrecisionRecallCurve:
    """What share of the generated images is like real ones, and what share of the real ones is reached.

    Args:
        precision: float64 `(num_angles,)`, mean over the clusterings; 0 at the first angle.
        recall: the same; 0 at the last angle.
        f_recall: F8, which weighs recall 8 times as much as precision: the largest on the curve.
        f_precision: F1/8, which weighs precision so.
        f_recall_std, f_precision_std: over the clusterings; None for one.
    """

    precision: np.ndarray
    recall: np.ndarray
    f_recall: float
    f_precision: float
    f_recall_std: float | None
    f_precision_std: float | None


def precision_recall_curve(
    generated: Tensor,
    real: Tensor,
    *,
    seed: int = 0,
    num_clusters: int = NUM_CLUSTERS,
    num_angles: int = NUM_ANGLES,
    num_runs: int = NUM_RUNS,
) -> PrecisionRecallCurve:
    """Precision and recall of features, by the histograms of both sets over clusters of their union.

    Args:
        generated: features `(N, D)`.
        real: features `(M, D)`; of both sets the first `min(N, M)` are taken, so that neither rules the clusters.
        seed: of the clusterings.
        num_clusters: of k-means.
        num_angles: points of the curve.
        num_runs: clusterings that the curve is averaged over.
    Raises:
        AnalysisError: fewer images in a set than clusters.
    Source:
        Sajjadi et al., Assessing Generative Models via Precision and Recall, 2018, algorithm 1 with the authors' 20
        clusters by mini-batch k-means, 1001 angles, 10 runs.
    """
    num_images = min(len(generated), len(real))
    if num_images < num_clusters:
        raise AnalysisError(
            f"A precision–recall curve by {num_clusters} clusters needs at least that many images of each kind; "
            f"there are {len(generated)} generated and {len(real)} real ones. Take more, e.g. `--num-images 1000`."
        )
    union = np.concatenate([generated[:num_images].numpy(), real[:num_images].numpy()]).astype(np.float64)
    curves = []
    for run in range(num_runs):
        clusters = cluster(union, num_clusters, int(np.random.SeedSequence([seed, run]).generate_state(1)[0]))
        shares_generated = np.bincount(clusters[:num_images], minlength=num_clusters) / num_images
        shares_real = np.bincount(clusters[num_images:], minlength=num_clusters) / num_images
        curves.append(curve_of_histograms(shares_generated, shares_real, num_angles))
    precision, recall = np.mean(curves, axis=0)
    f_recall, f_precision = f_scores(precision, recall)
    each = np.array([f_scores(*curve) for curve in curves])  # (num_runs, 2)
    stds = each.std(axis=0, ddof=1).tolist() if num_runs > 1 else [None, None]
    return PrecisionRecallCurve(precision, recall, f_recall, f_precision, stds[0], stds[1])


def cluster(points: np.ndarray, num_clusters: int, seed: int) -> np.ndarray:
    """The cluster of each point `(N, D)`: int `(N,)`."""
    state = random.getstate()
    from sklearn.cluster import MiniBatchKMeans

    random.setstate(state)  # what scikit-learn imports draws from Python's generator, once
    found: np.ndarray = MiniBatchKMeans(num_clusters, n_init=10, random_state=seed).fit(points).labels_
    return found


def curve_of_histograms(generated: np.ndarray, real: np.ndarray, num_angles: int) -> tuple[np.ndarray, np.ndarray]:
    """Precision and recall at each angle: `α(λ) = Σ min(λ real, generated)`, `β(λ) = α(λ) / λ`, `λ` the angle's tangent.

    Args:
        generated: share of the generated images in each cluster, `(num_clusters,)`; sums to 1.
        real: of the real ones.
        num_angles: from 0 to 90°.
    """
    slopes = np.tan(np.linspace(_EDGE, np.pi / 2 - _EDGE, num_angles))[:, None]
    precision = np.minimum(slopes * real, generated).sum(axis=1)
    recall = precision / slopes[:, 0]
    # Rounding may leave 1 + 1e-16.
    return precision.clip(0, 1), recall.clip(0, 1)


def f_scores(precision: np.ndarray, recall: np.ndarray, beta: float = BETA) -> tuple[float, float]:
    """The largest `F_β` and `F_1/β` on a curve: recall first, precision second, both in [0, 1]."""
    return _largest_f(precision, recall, beta), _largest_f(precision, recall, 1 / beta)


def _largest_f(precision: np.ndarray, recall: np.ndarray, beta: float) -> float:
    below = beta**2 * precision + recall
    f = (1 + beta**2) * precision * recall / np.where(below > 0, below, 1)
    return float(f.max())
