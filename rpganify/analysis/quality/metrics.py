"""Numbers on the quality of generated images, from features: by torch-fidelity, the Fréchet distance by our own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from rpganify.analysis.features import FeatureExtractor
from rpganify.analysis.quality.frechet import feature_statistics, frechet_distance, frechet_name
from rpganify.analysis.quality.precision_recall import NUM_RUNS, PrecisionRecallCurve, precision_recall_curve
from rpganify.errors import AnalysisError

NUM_SUBSETS = 100
MAX_SUBSET = 1000
NUM_SPLITS = 10
NUM_NEIGHBOURS = 3
# A distance matrix of 2000 × 50 000 float32 values is 400 MB; all 50 000² would be 10 GB.
NEIGHBOUR_BATCH = 2000


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure of quality, as tables show it.

    Args:
        key: in files.
        is_lower_better: else higher is.
        has_real: whether it compares with real images.
    """

    key: str
    is_lower_better: bool
    has_real: bool = True


METRICS = (
    Metric("frechet", is_lower_better=True),
    Metric("kernel", is_lower_better=True),
    Metric("class-score", is_lower_better=False, has_real=False),
    Metric("precision", is_lower_better=False),
    Metric("recall", is_lower_better=False),
    Metric("f-precision", is_lower_better=False),
    Metric("f-recall", is_lower_better=False),
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number, and how far it varies.

    Args:
        value: the number.
        std: None where it does not vary.
        std_over: what it varies over; empty without `std`.
    """

    value: float
    std: float | None = None
    std_over: str = ""


@dataclass(frozen=True, slots=True)
class QualityNumbers:
    """What is known of one set of generated images.

    Args:
        numbers: by the metric's key; one that could not be taken is absent.
        curve: precision and recall.
    """

    numbers: dict[str, Estimate]
    curve: PrecisionRecallCurve


def metric_title(metric: Metric, extractor: FeatureExtractor, scores_name: str) -> str:
    """What a report may call a metric: FID, KID and Inception score for the paper's InceptionV3 only.

    Args:
        metric: one of `METRICS`.
        extractor: that gives the features.
        scores_name: of what gives the class scores.
    """
    is_inception = extractor.is_papers
    return {
        "frechet": frechet_name(extractor),
        "kernel": "KID" if is_inception else f"Kernel distance ({extractor.name})",
        "class-score": "Inception score" if is_inception else f"Class score ({scores_name})",
        "precision": "Precision (k-NN)",
        "recall": "Recall (k-NN)",
        "f-precision": "F1/8 of the curve",
        "f-recall": "F8 of the curve",
    }[metric.key]


def quality_numbers(generated: Tensor, real: Tensor, scores: Tensor | None, seed: int) -> QualityNumbers:
    """All numbers of one set of images.

    Args:
        generated: features `(N, D)`.
        real: features `(M, D)`.
        scores: class scores of the generated images `(N, num_classes)`, or None.
        seed: of subsets, splits and clusterings.
    Returns:
        Without "frechet" where there are no more images than features, without "class-score" where there are no scores.
    Raises:
        AnalysisError: torch-fidelity is not installed.
    """
    numbers = {}
    if min(len(generated), len(real)) > generated.shape[1]:
        numbers["frechet"] = Estimate(frechet_distance(feature_statistics(generated), feature_statistics(real)))
    numbers["kernel"] = kernel_distance(generated, real, seed)
    if scores is not None:
        numbers["class-score"] = class_score(scores, seed)
    precision, recall = neighbour_precision_recall(generated, real)
    numbers |= {"precision": Estimate(precision), "recall": Estimate(recall)}
    curve = precision_recall_curve(generated, real, seed=seed)
    runs = f"{NUM_RUNS} clusterings"
    numbers["f-precision"] = Estimate(curve.f_precision, curve.f_precision_std, runs)
    numbers["f-recall"] = Estimate(curve.f_recall, curve.f_recall_std, runs)
    return QualityNumbers(numbers, curve)


def kernel_distance(generated: Tensor, real: Tensor, seed: int) -> Estimate:
    """Squared maximum mean discrepancy under the kernel `(xᵀy / D + 1)³`, mean and std over 100 random subsets.

    It is unbiased, and may be below 0 where both sets are alike.

    Args:
        generated: features `(N, D)`.
        real: features `(M, D)`.
        seed: of the subsets.
    Source:
        Bińkowski et al., Demystifying MMD GANs, 2018, who call it KID with InceptionV3; by torch-fidelity.
    """
    theirs = _fidelity("metric_kid")
    size = subset_size(min(len(generated), len(real)))
    found = theirs.kid_features_to_metric(
        generated.double(),
        real.double(),
        kid_subsets=NUM_SUBSETS,
        kid_subset_size=size,
        rng_seed=seed % 2**32,
        verbose=False,
    )
    mean, std = (float(found[key]) for key in (theirs.KEY_METRIC_KID_MEAN, theirs.KEY_METRIC_KID_STD))
    return Estimate(mean, std, f"{NUM_SUBSETS} subsets of {size}")


def subset_size(num_images: int) -> int:
    """Images per subset: 1000 as usual, half of all where there are fewer than 2000, as equal subsets would not vary."""
    return min(MAX_SUBSET, num_images // 2)


def class_score(scores: Tensor, seed: int) -> Estimate:
    """`exp(mean KL(p(y|x) ‖ p(y)))` of class probabilities, mean and std over ten splits; 1 to the number of classes.

    Args:
        scores: before the softmax, `(N, num_classes)`.
        seed: of the order in which images go to splits.
    Source:
        Salimans et al. 2016, who call it Inception score with that network's classes; by torch-fidelity.
    """
    theirs = _fidelity("metric_isc")
    found = theirs.isc_features_to_metric(scores, splits=NUM_SPLITS, shuffle=True, rng_seed=seed % 2**32)
    mean, std = (float(found[key]) for key in (theirs.KEY_METRIC_ISC_MEAN, theirs.KEY_METRIC_ISC_STD))
    return Estimate(mean, std, f"{NUM_SPLITS} splits of {len(scores) // NUM_SPLITS}")


def neighbour_precision_recall(generated: Tensor, real: Tensor) -> tuple[float, float]:
    """Share of generated images inside the real ones' manifold, and the reverse, by the 3 nearest neighbours.

    A manifold is the union of balls around each image that reach to its third neighbour of the same set.

    Args:
        generated: features `(N, D)`, N > 3.
        real: features `(M, D)`, M > 3.
    Source:
        Kynkäänniemi et al. 2019; by torch-fidelity, from 0.4 on: it swapped the two before.
    """
    theirs = _fidelity("metric_prc")
    found = theirs.prc_features_to_metric(
        generated.float(),
        real.float(),
        prc_neighborhood=NUM_NEIGHBOURS,
        prc_batch_size=NEIGHBOUR_BATCH,
        save_cpu_ram=True,
        verbose=False,
    )
    return float(found[theirs.KEY_METRIC_PRECISION]), float(found[theirs.KEY_METRIC_RECALL])


def require_fidelity() -> str:
    """The version of torch-fidelity.

    Raises:
        AnalysisError: it is missing, or older than 0.4.
    """
    from importlib.metadata import version

    _fidelity("metric_prc")
    found = version("torch-fidelity")
    if tuple(int(part) for part in found.split(".")[:2]) < (0, 4):
        raise AnalysisError(
            f"torch-fidelity {found} is installed, and before 0.4 it gave recall for precision and precision for recall. "
            "Install a newer one with `pip install -U 'rpganify[metrics]'`."
        )
    return found


def _fidelity(module: str) -> Any:
    import importlib

    try:
        return importlib.import_module(f"torch_fidelity.{module}")
    except ImportError as error:
        raise AnalysisError(
            "Measures of quality need the package torch-fidelity, which is not installed. "
            "Install it with `pip install 'rpganify[metrics]'`."
        ) from error
