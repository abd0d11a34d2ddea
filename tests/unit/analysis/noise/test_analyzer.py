import csv
import io
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.distances import ColourDistance, FeatureDistance
from rpganify.analysis.features import PixelFeatures
from rpganify.analysis.generation import ImageMaker, evaluating
from rpganify.analysis.noise.analyzer import Noise
from rpganify.analysis.noise.measure import Match, choose_distances, match_strength, measure_noise_distances, spread
from rpganify.analysis.noise.quality import measure_noise_quality
from rpganify.analysis.noise.weights import NoisyMaker, noisy_buckets
from rpganify.analysis.provenance import model_sha256
from rpganify.analysis.quality.analyzer import Quality
from rpganify.analysis.quality.frechet import feature_statistics, frechet_distance
from rpganify.analysis.quality.samples import real_indices
from rpganify.data.images import MemoryImages, to_float
from rpganify.errors import AnalysisError
from rpganify.report.report import Report
from rpganify.report.writing import table_to_csv, write_reports
from rpganify.testing import check_analyzer
from tests.unit.analysis.noise.test_weights import TwoLayers, same, tensors_of

PIXELS = FeatureDistance(PixelFeatures(), key="pixels", word="Euclidean")


class Pooled(PixelFeatures):
    """Four features of an image."""

    name = "pooled"

    def __call__(self, images: Tensor) -> Tensor:
        return nn.functional.adaptive_avg_pool2d(images, (2, 2)).mean(dim=1).flatten(1)


class ThreeLayers(TwoLayers):
    """The second bucket changes the image much, the first little, the third nothing."""

    def __init__(self, channels: int = 3) -> None:
        super().__init__(channels)
        self.third = nn.Linear(5, 1)
        with torch.no_grad():
            self.third.weight.mul_(0.01)

    def forward(self, z: Tensor) -> Tensor:
        return super().forward(z) + 0.05 * self.third(z)[:, :, None, None]


@pytest.fixture(params=[3, 1], ids=["RGB", "grey"])
def pair(request: pytest.FixtureRequest) -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    plain = ThreeLayers(request.param)
    return rpganify.wrap(plain, buckets=["first", "second", "third"], blocks=[6, 8, 5]), rpganify.standard(plain)


def context(twin: nn.Module | None, **settings: object) -> AnalysisContext:
    given = {"twin": twin, "extractor": Pooled(), "num_images": 60, "num_paths": 12} | settings
    return AnalysisContext(**given)  # type: ignore[arg-type]


def real_images(channels: int, num_images: int = 80) -> MemoryImages:
    pixels = torch.randint(256, (num_images, channels, 8, 8), dtype=torch.uint8)
    return MemoryImages("noise:test", pixels)


def rows(report: Report, table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table_to_csv(report.table(table)))))


def test_the_matched_strength_changes_images_as_much_as_was_wanted(pair: tuple[nn.Module, nn.Module]):
    rp, twin = pair
    maker = NoisyMaker(twin, noisy_buckets(rp.plan, twin), context(twin))  # type: ignore[arg-type]
    with evaluating(twin, 0):
        z, seeds = maker.latents(6, 3), [1, 2, 3, 4]
        distances = [float(spread(maker, 1, strength, z, seeds, [PIXELS]).mean()) for strength in (0.05, 0.3, 1.5)]
        assert distances == sorted(distances) and distances[0] > 0
        for wanted in (0.5, 3.0):
            match = match_strength(maker, 1, wanted, PIXELS, maker.context)
            assert match.strength is not None and match.found == pytest.approx(wanted, rel=0.35)  # on fresh draws
        weak, strong = (match_strength(maker, 1, wanted, PIXELS, maker.context).strength or 0 for wanted in (0.5, 3.0))
        assert weak < strong


def test_on_the_draws_it_was_found_by_the_strength_matches_closely(pair: tuple[nn.Module, nn.Module]):
    from rpganify.analysis.noise.measure import NUM_LATENTS, _seeds
    from rpganify.analysis.quality.measure import draw_seed

    rp, twin = pair
    given = context(twin)
    maker = NoisyMaker(twin, noisy_buckets(rp.plan, twin), given)  # type: ignore[arg-type]
    with evaluating(twin, 0):
        strength = match_strength(maker, 1, 2.0, PIXELS, given).strength or 0.0
        z = maker.latents(NUM_LATENTS, draw_seed(given.seed, 0))
        found = float(spread(maker, 1, strength, z, _seeds(given, 1, 0), [PIXELS]).mean())
    assert found == pytest.approx(2.0, rel=0.01)


def test_what_no_noise_can_do_and_what_needs_none_has_no_strength(pair: tuple[nn.Module, nn.Module]):
    rp, twin = pair
    maker = NoisyMaker(twin, noisy_buckets(rp.plan, twin), context(twin))  # type: ignore[arg-type]
    with evaluating(twin, 0):
        assert match_strength(maker, 1, 1e6, PIXELS, maker.context) == Match(None, 1e6, None)
        assert match_strength(maker, 1, 0.0, PIXELS, maker.context) == Match(None, 0.0, None)


def test_distances_under_noise_are_means_over_pairs_of_noises():
    plain = TwoLayers()
    rp, twin = rpganify.wrap(plain, buckets=["first", "second"], blocks=3), rpganify.standard(plain)
    maker = NoisyMaker(twin, noisy_buckets(rp.plan, twin), context(twin))
    with evaluating(twin, 0):
        z = maker.latents(2, 0)
        images = to_float(maker.noisy(0, 0.4, z, [7, 8, 9]))
        found = spread(maker, 0, 0.4, z, [7, 8, 9], [ColourDistance(3), PIXELS])
    expected = [
        sum(float((images[p, i] - images[p, j]).norm()) for i, j in ((0, 1), (0, 2), (1, 2))) / 3 for p in range(2)
    ]
    assert found.shape == (2, 5) and found[:, 4].tolist() == pytest.approx(expected, rel=1e-5)


def test_distances_are_the_contexts_or_colour_and_semantics():
    distances, matched = choose_distances(AnalysisContext(), 3)
    assert [distance.key for distance in distances] == ["colour"] and matched == 0
    distances, matched = choose_distances(AnalysisContext(extractor=PixelFeatures()), 3)
    assert [distance.key for distance in distances] == ["colour", "semantic"] and matched == 1
    assert choose_distances(AnalysisContext(distances=(PIXELS,)), 3) == ((PIXELS,), 0)


def test_frechet_distances_are_to_real_images_or_to_the_models_own(pair: tuple[nn.Module, nn.Module]):
    rp, twin = pair
    data = real_images(rp.image_shape[0])  # type: ignore[index]
    for given in (context(twin, data=data), context(twin)):
        noisy = NoisyMaker(twin, noisy_buckets(rp.plan, twin), given)  # type: ignore[arg-type]
        with evaluating(rp, 0), evaluating(twin, 0):
            maker = ImageMaker(rp, given)  # type: ignore[arg-type]
            measured = measure_noise_distances(rp, maker, noisy, given)  # type: ignore[arg-type]
            found = measure_noise_quality(rp, maker, noisy, measured.matches, given, Pooled())  # type: ignore[arg-type]
            assert found.num_images == 60 and found.own_blocks.error is not None
            if given.data is None:
                assert not found.is_real and found.own_blocks.value < 0.1 and found.own_noise.value < 0.1
                continue
            real = feature_statistics(Pooled()(to_float(data.images(real_indices(80, 60, 0)))))
            many = feature_statistics(Pooled()(to_float(noisy.plain(noisy.latents(2000, 77)))))
            assert found.own_noise.value == pytest.approx(frechet_distance(real, many), rel=0.3)
            # Another block of a random path is another random path.
            blocks = [distance.value for distance in found.blocks if distance is not None]
            assert blocks == pytest.approx([found.own_blocks.value] * 3, rel=0.3)


def test_the_report_has_all_tables_figures_and_a_sentence_per_bucket(pair: tuple[nn.Module, nn.Module], tmp_path: Path):
    rp, twin = pair
    report = Noise().analyze(rp, context(twin, data=real_images(rp.image_shape[0])))  # type: ignore[index]
    assert [table.name for table in report.tables] == ["buckets", "frechet", "ranks", "distances"]
    assert [figure.name for figure in report.figures] == ["grid", "responsibility", "frechet"]
    assert len(report.per_bucket) == 3 and report.per_bucket[1].startswith("Bucket 2 (second): noise of")
    assert "60 real images of noise:test" in report.table("frechet").title
    assert "under noise" in report.summary or "rank correlation" in report.summary
    first = rows(report, "frechet")[0]
    assert (first["bucket"], first["name"]) == ("none", "unchanged images") and float(first["noise costs"]) == 0
    for row in rows(report, "frechet")[1:]:
        if row["noise"]:
            assert float(row["noise costs"]) == pytest.approx(float(row["noise"]) - float(first["noise"]))
    write_reports([report], tmp_path, title="m")
    for figure in report.figures:
        assert (tmp_path / f"noise-{figure.name}.png").stat().st_size > 10_000


def test_the_rank_correlation_is_of_the_tables_distances(pair: tuple[nn.Module, nn.Module]):
    from scipy.stats import spearmanr

    rp, twin = pair
    report = Noise().analyze(rp, context(twin, distances=(PIXELS,)))
    table = rows(report, "buckets")
    blocks = [float(row["pixels distance of blocks"]) for row in table]
    for row in rows(report, "ranks"):
        noise = [float(one[f"under noise {float(row['noise']):g}"]) for one in table]
        assert float(row["rank correlation"]) == pytest.approx(float(spearmanr(blocks, noise).statistic))
        assert row["buckets"] == "3"
    assert {float(row["noise"]) for row in rows(report, "ranks")} == {0.1, 0.5}


def test_both_models_are_left_as_they_were_and_equal_seeds_give_equal_reports(pair: tuple[nn.Module, nn.Module]):
    rp, twin = pair[0].train(), pair[1].train()
    before, hashes, state = tensors_of(twin), [model_sha256(rp), model_sha256(twin)], torch.get_rng_state()
    reports = [Noise().analyze(rp, context(twin, seed=seed)) for seed in (1, 1, 2)]
    assert reports[0].tables == reports[1].tables != reports[2].tables
    assert same(twin, before) and [model_sha256(rp), model_sha256(twin)] == hashes
    assert rp.training and twin.training and torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in twin.parameters())


def test_the_weights_come_back_where_an_extractor_fails_in_the_middle(pair: tuple[nn.Module, nn.Module]):
    class Failing(Pooled):
        num_calls = 0

        def __call__(self, images: Tensor) -> Tensor:
            Failing.num_calls += 1
            if Failing.num_calls > 20:
                raise RuntimeError("out of memory")
            return super().__call__(images)

    rp, twin = pair
    before = tensors_of(twin)
    with pytest.raises(RuntimeError, match="out of memory"):
        Noise().analyze(rp, context(twin, extractor=Failing()))
    assert same(twin, before)


def test_what_is_missing_is_told(pair: tuple[nn.Module, nn.Module]):
    rp, twin = pair
    report = Noise().analyze(rp, context(twin, extractor=None))
    assert "frechet" not in {table.name for table in report.tables}
    assert any("no feature extractor was named (`--extractor`)" in note for note in report.notes)
    report = Noise().analyze(rp, context(twin, num_images=4))
    assert any("pooled gives 4 features, and 4 images of each kind are too few" in note for note in report.notes)
    assert any("`--num-images 5`" in note for note in report.notes)
    report = Noise().analyze(rp, context(twin))
    assert any("No real images were named (`--data`)" in note for note in report.notes)
    assert any("random orders reach ±1 with probability 1/3" in note for note in report.notes)


def test_a_bucket_of_one_block_has_no_strength_and_is_left_out_of_the_ranks():
    plain = ThreeLayers()
    rp = rpganify.wrap(plain, buckets=["first", "second", "third"], blocks=[6, 1, 5])
    report = Noise().analyze(rp, context(rpganify.standard(plain), distances=(PIXELS,)))
    assert rows(report, "buckets")[1]["matched strength"] == "" and rows(report, "frechet")[2]["other blocks"] == ""
    assert {row["buckets"] for row in rows(report, "ranks")} == {"2"}
    assert report.per_bucket[1] == (
        "Bucket 2 (second): other blocks change nothing, so there is no strength to compare at."
    )


def test_a_standard_generator_has_no_buckets_to_compare(pair: tuple[nn.Module, nn.Module]):
    with pytest.raises(AnalysisError, match="noise compares buckets, and StandardGenerator has none"):
        Noise().analyze(pair[1], context(pair[1]))


def test_strengths_that_are_no_strengths_are_refused():
    for low, high in ((0.5, 0.1), (0.0, 0.5), (0.1, float("inf"))):
        with pytest.raises(AnalysisError, match=r"0 < low < high.*0.1 and 0.5 of a tensor's own"):
            Noise(low=low, high=high)
    with pytest.raises(AnalysisError, match="0 pictures"):
        Noise(num_pictures=0)


def test_the_number_of_images_it_says_it_makes_is_about_right(pair: tuple[nn.Module, nn.Module]):
    class Counting(Pooled):
        num_seen = 0

        def __call__(self, images: Tensor) -> Tensor:
            Counting.num_seen += len(images)
            return super().__call__(images)

    rp, twin = pair
    given = context(twin, extractor=Counting(), num_images=600, num_paths=100)
    Noise().analyze(rp, given)
    assert Counting.num_seen == pytest.approx(Noise().num_images(rp, given), rel=0.4)


def test_noise_and_quality_keep_the_laws_of_analyzers():
    plain = ThreeLayers()
    rp = rpganify.wrap(plain, buckets=["first", "second", "third"], blocks=[6, 8, 5])
    given = context(rpganify.standard(plain), data=real_images(3, 240), num_images=110, num_paths=3)
    for analyzer in (Noise(), Quality(num_draws=1)):
        check_analyzer(analyzer, model=rp, context=given)
