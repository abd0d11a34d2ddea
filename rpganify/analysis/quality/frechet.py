"""The Fréchet distance of two sets of features, each taken as a Gaussian."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rpganify.analysis.features import FeatureExtractor
from rpganify.errors import AnalysisError


@dataclass(frozen=True, slots=True)
class FeatureStatistics:
    """Mean and covariance of features; what a Fréchet distance needs of a set of images.

    Args:
        mean: float64 `(D,)`.
        covariance: float64 `(D, D)`, with `num_samples - 1` in the denominator.
        num_samples: how many images they are of.
    """

    mean: Tensor
    covariance: Tensor
    num_samples: int

    @property
    def is_singular(self) -> bool:
        """Whether there are too few samples for a covariance of full rank; the distance is then biased upwards."""
        return self.num_samples <= len(self.mean)


def feature_statistics(features: Tensor) -> FeatureStatistics:
    """Mean and covariance in float64.

    Args:
        features: `(N, D)`, N >= 2.
    Raises:
        AnalysisError: fewer than two samples, another shape, or NaN or infinity among them.
    """
    if features.dim() != 2 or len(features) < 2:
        raise AnalysisError(
            f"A Fréchet distance needs features (N, D) of at least two images each, got {tuple(features.shape)}."
        )
    if not torch.isfinite(features).all():
        raise AnalysisError("The features hold NaN or infinity, so they have no Fréchet distance; look at the images.")
    exact = features.double()
    mean = exact.mean(dim=0)
    centred = exact - mean
    return FeatureStatistics(mean, centred.T @ centred / (len(exact) - 1), len(exact))


def frechet_distance(one: FeatureStatistics, other: FeatureStatistics) -> float:
    """Squared Fréchet distance `‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½)`, >= 0.

    The trace of the root is the sum of the roots of the eigenvalues of `Σ₁^½ Σ₂ Σ₁^½`, which is symmetric
    and positive semi-definite where `Σ₁Σ₂` is not, so singular covariances need no added diagonal.

    Raises:
        AnalysisError: the two are of different extractors, by their numbers of features.
    Source:
        Dowson and Landau 1982; Heusel et al. 2017, who take it of InceptionV3 features and call that FID.
    """
    if len(one.mean) != len(other.mean):
        raise AnalysisError(
            f"Features of length {len(one.mean)} and {len(other.mean)} have no Fréchet distance; "
            "take both sets from one extractor."
        )
    root = _root(one.covariance)
    eigenvalues = _eigenvalues(root @ other.covariance @ root)
    trace = one.covariance.trace() + other.covariance.trace() - 2 * eigenvalues.sqrt().sum()
    shift = (one.mean - other.mean).square().sum()
    return max(0.0, float(shift + trace))


def frechet_name(extractor: FeatureExtractor) -> str:
    """What a report may call it: FID for the paper's InceptionV3 only, else by the extractor's name."""
    return "FID" if extractor.is_papers else f"Fréchet distance ({extractor.name})"


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = (vectors * _without_noise(values).sqrt()) @ vectors.T
    return root


def _eigenvalues(matrix: Tensor) -> Tensor:
    return _without_noise(torch.linalg.eigvalsh((matrix + matrix.T) / 2))


def _without_noise(values: Tensor) -> Tensor:
    # An eigenvalue of 0 comes out as ±1e-16 of the largest; its root would be 1e-8 of it, times up to 2048 of them.
    noise = values.abs().max() * len(values) * torch.finfo(values.dtype).eps
    return torch.where(values > noise, values, torch.zeros_like(values))
