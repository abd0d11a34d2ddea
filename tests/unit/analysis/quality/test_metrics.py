import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from rpganify.analysis.features import PixelFeatures
from rpganify.analysis.generation import to_float
from rpganify.analysis.opening import open_extractor
from rpganify.analysis.quality.metrics import (
    METRICS,
    class_score,
    kernel_distance,
    metric_title,
    neighbour_precision_recall,
    quality_numbers,
    require_fidelity,
    subset_size,
)
from rpganify.errors import AnalysisError
from tests.unit.analysis.test_classifier_features import RESNET, cifar10_images

pytest.importorskip("torch_fidelity")


@pytest.fixture(scope="module")
def by_torch_fidelity(shared_data: Path) -> dict[str, float]:
    """All metrics on two halves of real CIFAR-10 images, by torch-fidelity's own entry point and the same network."""
    from torch_fidelity import calculate_metrics
    from torch_fidelity.feature_extractor_base import FeatureExtractorBase
    from torch_fidelity.registry import FEATURE_EXTRACTORS_REGISTRY

    ours = open_extractor(f"classifier:{shared_data / RESNET}")

    class ResNet(FeatureExtractorBase):  # type: ignore[misc]
        def __init__(self, name: str, features_list: list[str], **kwargs: object) -> None:
            super().__init__(name, features_list)

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return "features", "scores"

        @staticmethod
        def get_default_feature_layer_for_metric(metric: str) -> str:
            return "scores" if metric == "isc" else "features"

        def forward(self, images: Tensor) -> tuple[Tensor, ...]:
            features, scores = ours.features_and_scores(to_float(images))  # type: ignore[attr-defined]
            return tuple({"features": features, "scores": scores}[name] for name in self.features_list)

    class Images(torch.utils.data.Dataset[Tensor]):
        def __init__(self, images: Tensor) -> None:
            self.images = images

        def __len__(self) -> int:
            return len(self.images)

        def __getitem__(self, index: int) -> Tensor:
            return self.images[index]

    images = cifar10_images(shared_data, 800)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(FEATURE_EXTRACTORS_REGISTRY, "resnet-of-this-test", ResNet)
        found: dict[str, float] = calculate_metrics(
            input1=Images(images[:400]),
            input2=Images(images[400:]),
            feature_extractor="resnet-of-this-test",
            fid=True,
            kid=True,
            isc=True,
            prc=True,
            kid_subset_size=200,
            rng_seed=5,
            cuda=False,
            cache=False,
            save_cpu_ram=True,
            verbose=False,
        )
    return found


@pytest.fixture(scope="module")
def halves(shared_data: Path) -> tuple[Tensor, Tensor, Tensor]:
    """Features of both halves, and class scores of the first."""
    extractor = open_extractor(f"classifier:{shared_data / RESNET}")
    features, scores = extractor.features_and_scores(to_float(cifar10_images(shared_data, 800)))  # type: ignore[attr-defined]
    return features[:400], features[400:], scores[:400]


def test_all_numbers_agree_with_torch_fidelity_called_directly_on_real_halves(
    by_torch_fidelity: dict[str, float], halves: tuple[Tensor, Tensor, Tensor]
):
    found = quality_numbers(*halves, seed=5).numbers
    theirs = by_torch_fidelity
    # float32 covariances and kernels there, float64 here
    assert found["frechet"].value == pytest.approx(theirs["frechet_inception_distance"], rel=1e-3)
    assert found["kernel"].value == pytest.approx(theirs["kernel_inception_distance_mean"], abs=1e-6)
    assert found["kernel"].std == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-3)
    assert found["class-score"].value == pytest.approx(theirs["inception_score_mean"], rel=1e-5)
    assert found["class-score"].std == pytest.approx(theirs["inception_score_std"], rel=1e-4)
    assert found["precision"].value == pytest.approx(theirs["precision"], abs=1e-6)
    assert found["recall"].value == pytest.approx(theirs["recall"], abs=1e-6)
    assert 0.5 < found["precision"].value < 1 and 3 < found["class-score"].value < 10  # real images


def test_what_the_spreads_are_over_is_said(halves: tuple[Tensor, Tensor, Tensor]):
    found = quality_numbers(*halves, seed=5).numbers
    assert {key: found[key].std_over for key in ("kernel", "class-score", "f-recall", "frechet")} == {
        "kernel": "100 subsets of 200",
        "class-score": "10 splits of 40",
        "f-recall": "10 clusterings",
        "frechet": "",
    }


def test_precision_is_of_the_generated_images_and_recall_of_the_real_ones():
    rng = torch.Generator().manual_seed(0)
    real = torch.randn(200, 2, generator=rng)
    narrow = torch.randn(200, 2, generator=rng) * 0.05  # in the middle of the real ones: right, but little of them
    precision, recall = neighbour_precision_recall(narrow, real)
    assert precision > 0.95 and recall < 0.3


def test_a_kernel_distance_has_no_bias_and_sees_a_shift():
    rng = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 300, 4, generator=rng)
    same = kernel_distance(one, other, seed=0)
    assert same.std is not None and abs(same.value) < 2 * same.std
    assert kernel_distance(one + 1, other, seed=0).value > 10 * same.std


def test_a_class_score_is_the_number_of_classes_at_best_and_1_at_worst():
    certain = torch.eye(5).repeat(200, 1) * 100
    # A split of 100 holds the five classes almost equally often.
    assert class_score(certain, seed=0).value == pytest.approx(5, rel=0.03)
    assert class_score(torch.zeros(100, 5), seed=0).value == pytest.approx(1)


def test_subsets_are_of_1000_images_or_half_of_them():
    assert [subset_size(num_images) for num_images in (100, 1000, 2000, 50_000)] == [50, 500, 1000, 1000]


def test_no_more_images_than_features_leave_the_frechet_distance_out():
    rng = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 100, 100, generator=rng)
    assert "frechet" not in quality_numbers(one, other, None, seed=0).numbers
    found = quality_numbers(one[:, :99], other[:, :99], None, seed=0).numbers
    assert "frechet" in found and "class-score" not in found


def test_only_the_papers_network_gives_fid_kid_and_inception_score():
    extractor = PixelFeatures()
    titles = [metric_title(metric, extractor, "net") for metric in METRICS]
    assert titles[:3] == ["Fréchet distance (pixels)", "Kernel distance (pixels)", "Class score (net)"]
    assert not any("FID" in title or "KID" in title or "Inception" in title for title in titles)
    extractor.is_papers = True
    titles = [metric_title(metric, extractor, "net") for metric in METRICS]
    assert titles[:3] == ["FID", "KID", "Inception score"]


def test_without_torch_fidelity_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity.metric_prc", None)
    with pytest.raises(AnalysisError, match=r"need the package torch-fidelity.*pip install 'rpganify\[metrics\]'"):
        require_fidelity()


def test_a_torch_fidelity_that_swaps_precision_and_recall_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.3.0")
    with pytest.raises(AnalysisError, match=r"torch-fidelity 0.3.0 is installed, and before 0.4 it gave recall for"):
        require_fidelity()
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.4.0b1")
    assert require_fidelity() == "0.4.0b1"
