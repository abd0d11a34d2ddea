from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.features import PixelFeatures
from rpganify.analysis.generation import to_uint8
from rpganify.analysis.provenance import model_sha256
from rpganify.analysis.quality.analyzer import Quality
from rpganify.analysis.quality.frechet import feature_statistics, frechet_distance
from rpganify.analysis.quality.measure import draw_seed
from rpganify.analysis.quality.samples import real_indices
from rpganify.data.images import MemoryImages, to_float
from rpganify.errors import AnalysisError
from rpganify.report.report import Report
from rpganify.report.writing import report_to_json, write_reports
from tests.unit.analysis.quality.test_monitor import SHAPE, Corners, real_images

pytest.importorskip("torch_fidelity")


class Pooled(PixelFeatures):
    """Eight features of an image, and three scores of them."""

    name = "pooled"

    def __call__(self, images: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(images, (2, 4)).mean(dim=1).flatten(1)

    def features_and_scores(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self(images)
        return features, features[:, :3] * 5


def generator(scale: float = 1.0) -> nn.Module:
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Linear(6, 48), nn.Tanh(), nn.Unflatten(1, SHAPE))
    with torch.no_grad():
        plain[0].weight.mul_(scale)
    return plain


@pytest.fixture
def model() -> nn.Module:
    return rpganify.wrap(generator(), buckets=["0"], blocks=60)


def context(**settings: object) -> AnalysisContext:
    given = {"data": real_images(), "extractor": Pooled(), "num_images": 120} | settings
    return AnalysisContext(**given)  # type: ignore[arg-type]


def number(report: Report, subject: str, key: str) -> tuple[float, float | None, str]:
    for row in report.table("numbers").rows:
        if row[:2] == (subject, key):
            return row[3], row[4], row[5]  # type: ignore[return-value]
    raise LookupError((subject, key))


def test_the_frechet_distance_is_mean_and_std_over_seeded_sets_of_images(model: nn.Module):
    report = Quality(num_draws=3).analyze(model.train(), context(seed=2))
    data = real_images()
    real = feature_statistics(Pooled()(to_float(data.images(real_indices(len(data), 120, 2)))))
    expected = []
    for draw in range(3):
        codes = model.paths.sample(120, generator=torch.Generator().manual_seed(draw_seed(2, draw)))  # type: ignore[operator, union-attr]
        with torch.no_grad():
            images = to_float(to_uint8(model.eval()(codes)))
        expected.append(frechet_distance(real, feature_statistics(Pooled()(images))))
    value, std, over = number(report, "model", "frechet")
    assert value == pytest.approx(np.mean(expected), rel=1e-6)
    assert std == pytest.approx(np.std(expected, ddof=1), rel=1e-6)
    assert over == "3 sets of images"


def test_with_one_set_of_images_the_spread_is_over_splits_and_subsets(model: nn.Module):
    report = Quality(num_draws=1).analyze(model, context())
    assert number(report, "model", "frechet")[1] is None
    assert number(report, "model", "kernel")[2] == "100 subsets of 60"
    assert number(report, "model", "class-score")[2] == "10 splits of 12"
    assert [row[-1] for row in report.table("measures").rows[:3]] == ["–", "100 subsets of 60", "10 splits of 12"]


def test_other_real_images_are_disjoint_from_those_compared_with_and_come_out_best(model: nn.Module):
    assert set(real_indices(300, 120, 0).tolist()).isdisjoint(real_indices(300, 120, 0, skip=120).tolist())
    report = Quality(num_draws=1).analyze(model, context())
    for key in ("frechet", "kernel"):
        assert number(report, "real", key)[0] < number(report, "model", key)[0] / 3
    for key in ("recall", "f-recall", "f-precision"):
        assert number(report, "real", key)[0] > number(report, "model", key)[0]


def test_a_twin_is_measured_beside_the_model(model: nn.Module):
    twin = rpganify.standard(generator(scale=20.0))
    report = Quality(num_draws=2).analyze(model, context(twin=twin))
    alone = Quality(num_draws=2).analyze(twin, context())
    assert number(report, "twin", "frechet") == number(alone, "model", "frechet")
    headings = [column.heading for column in report.table("measures").columns]
    expected = ["measure", "better", "this model", "this model std", "standard twin", "standard twin std"]
    assert headings == [*expected, "other real images"]
    assert report.table("measures").title.endswith("mean ± standard deviation over 2 sets of 120")
    name = "Sequential of 336 parameters"
    assert report.provenance["models"] == {
        "model": {"generator": name, "num_blocks": [60], "sha256": model_sha256(model)},
        "twin": {"generator": name, "num_blocks": None, "sha256": model_sha256(twin)},
    }
    assert "standard twin:" in report.summary and "other real images:" in report.summary


def test_counts_split_extractor_weights_resizing_and_seed_stand_beside_the_numbers(model: nn.Module):
    extractor = Pooled()
    sha256 = "0123456789abcdef" * 4
    extractor.provenance = {"weight file sha256": sha256}
    report = Quality(num_draws=2).analyze(model, context(seed=7, extractor=extractor))
    assert dict(report.table("compared").rows) == {
        "real images": "120 of 300",
        "data set and split": "noise (train, if it has splits)",
        "generated images": "120, 2 sets of them",
        "image shape": "3 × 4 × 4",
        "features": "pooled: 8 per image",
        "weight file SHA-256": "0123456789abcdef…",
        "images first": "taken as they are, rounded to 8 bits",
        "class scores": "pooled",
        "seed": "7",
    }
    told = report.provenance
    assert (told["real images"], told["generated images"], told["seed"]) == (120, 120, 7)
    assert told["extractor"]["weight file sha256"] == sha256  # type: ignore[index, call-overload]


def test_a_named_split_is_told_as_it_is(model: nn.Module):
    data = MemoryImages("cifar10:test", real_images().pixels)
    report = Quality(num_draws=1).analyze(model, context(data=data))
    assert report.provenance["data"] == "cifar10:test"


def test_equal_seeds_give_equal_reports_and_nothing_is_changed(model: nn.Module, tmp_path: Path):
    twin = rpganify.standard(generator()).train()
    model.train()
    before, state = [model_sha256(one) for one in (model, twin)], torch.get_rng_state()
    reports = [Quality(num_draws=1).analyze(model, context(seed=seed, twin=twin)) for seed in (1, 1, 2)]
    assert reports[0].tables == reports[1].tables != reports[2].tables
    assert [model_sha256(one) for one in (model, twin)] == before and model.training and twin.training
    assert torch.equal(torch.get_rng_state(), state)
    write_reports(reports[:1], tmp_path, title="m")
    assert (tmp_path / "quality-curve.png").stat().st_size > 10_000
    assert report_to_json(reports[0])["name"] == "quality"


def test_no_more_images_than_features_leave_the_frechet_distance_out_and_say_what_would_do(model: nn.Module):
    class Wide(PixelFeatures):
        name = "wide"

        def __call__(self, images: Tensor) -> Tensor:
            return images.flatten(1).repeat(1, 4)[:, :150]

    report = Quality(num_draws=1).analyze(model, context(extractor=Wide(), num_images=140))
    assert report.table("measures").rows[0][0] == "Fréchet distance (wide)"
    assert report.table("measures").rows[0][2] is None
    assert any("wide gives 150 features" in note and "`--num-images 151` would do" in note for note in report.notes)
    assert report.summary.startswith("Kernel distance (wide)")
    few = MemoryImages("few", real_images().pixels[:145])
    report = Quality(num_draws=1).analyze(model, context(extractor=Wide(), num_images=140, data=few))
    assert any("The data set has 145, so name an extractor of fewer features" in note for note in report.notes)


def test_what_is_left_out_is_said(model: nn.Module):
    few = MemoryImages("few", real_images().pixels[:150])
    report = Quality(num_draws=1).analyze(model, context(extractor=Corners(), data=few, num_images=200))
    told = " ".join(report.notes)
    assert "No class score: corners does not tell classes apart. Name what does: `--classifier FILE`" in told
    assert "Other real images were not measured: of 150 all 150 that are compared with" in told
    assert "200 generated images are compared with 150 real ones, all that the data set has" in told
    assert [row[0] for row in report.table("curve").rows if row[0] == "real"] == []


def test_a_classifier_of_the_context_gives_class_scores_where_the_extractor_has_none(model: nn.Module):
    class Classifier:
        name = "classifier:mine"

        def scores(self, images: Tensor) -> Tensor:
            return images[:, :, 0, 0] * 5

    report = Quality(num_draws=1).analyze(model, context(extractor=Corners(), classifier=Classifier()))
    row = next(row for row in report.table("numbers").rows if row[1] == "class-score")
    assert row[2] == "Class score (classifier:mine)" and 1 < row[3] < 3  # type: ignore[operator]


def test_progress_ends_at_the_number_of_images(model: nn.Module):
    seen: list[tuple[str, int, int]] = []
    Quality(num_draws=2).analyze(model, context(progress=lambda *step: seen.append(step)))
    assert seen[-1] == ("quality", 480, 480)  # real, two sets, other real
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)


def test_without_data_or_extractor_or_with_too_few_images_it_is_said_what_to_name(model: nn.Module):
    with pytest.raises(AnalysisError, match=r"no data set was named.*`--data cifar10 --data-root DIR`"):
        Quality().analyze(model, context(data=None))
    with pytest.raises(AnalysisError, match=r"no extractor was named.*`--extractor inception:FILE` \(FID\)"):
        Quality().analyze(model, context(extractor=None))
    with pytest.raises(AnalysisError, match=r"of 99 generated and 300 real images would be chance.*at least 100"):
        Quality().analyze(model, context(num_images=99))
    with pytest.raises(AnalysisError, match="at least 1 set of images, got 0"):
        Quality(num_draws=0)


def test_a_twin_of_another_shape_is_refused(model: nn.Module):
    other = rpganify.standard(nn.Sequential(nn.Linear(4, 75), nn.Unflatten(1, (3, 5, 5))))
    with pytest.raises(AnalysisError, match=r"the generator makes \(3, 5, 5\) and noise holds \(3, 4, 4\)"):
        Quality().analyze(model, context(twin=other))
