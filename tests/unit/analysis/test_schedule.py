import time
from pathlib import Path

import pytest
import torch
from torch import nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.cache import ReportCache, open_cache, run_analyzer
from rpganify.analysis.features import PixelFeatures
from rpganify.analysis.schedule import (
    FIXED_S,
    NEEDS,
    Schedule,
    Speed,
    check_allowed,
    expected_s,
    lacking,
    make_schedule,
    measure_speed,
)
from rpganify.conversion.converting import standard, wrap
from rpganify.data.images import MemoryImages
from rpganify.entries import AnalyzerEntry
from rpganify.errors import AnalysisError
from rpganify.report.report import Report


class Painter(nn.Module):
    """A generator of 4×4 pictures that takes its time."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(4, 16)
        self.out = nn.Linear(16, 16)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.out(torch.relu(self.dense(z)))).view(-1, 1, 4, 4)


class Counting:
    """Says how many images it makes: `per_path` for each path, and the context's number of images."""

    def __init__(self, name: str = "counting", per_path: int = 1000) -> None:
        self.name = name
        self.per_path = per_path

    def num_images(self, model: nn.Module, context: AnalysisContext) -> int:
        return self.per_path * context.num_paths + context.num_images

    def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
        return Report(self.name, "Counting", f"{context.num_paths} {context.num_images}")


@pytest.fixture(scope="module")
def model() -> nn.Module:
    torch.manual_seed(0)
    return wrap(Painter(), buckets=2, blocks=3)


@pytest.fixture(scope="module")
def plain() -> nn.Module:
    return standard(Painter())


def entry(*needs: str) -> AnalyzerEntry:
    return AnalyzerEntry("mine", "help", "nowhere:Mine", needs=needs)


def schedule(folder: Path, model: nn.Module, *analyzers: Counting, limit_s: float = 1e9, **options: object) -> Schedule:
    context = AnalysisContext()
    return make_schedule(analyzers, model, context, open_cache(folder, model, context), limit_s=limit_s, **options)


def test_what_an_analyzer_lacks_is_told_with_what_would_bring_it_in(model: nn.Module, plain: nn.Module):
    everything = entry("buckets", "pictures", "data", "twin", "classifier", "extractor")
    assert lacking(everything, model, AnalysisContext()) == [
        NEEDS[need] for need in ("data", "twin", "classifier", "extractor")
    ]
    data = MemoryImages("set", torch.zeros(1, 1, 4, 4, dtype=torch.uint8))
    full = AnalysisContext(data=data, twin=plain, extractor=PixelFeatures())
    assert lacking(everything, plain, full) == [NEEDS["buckets"], NEEDS["classifier"]]
    with pytest.raises(AnalysisError, match=r"^mine needs real images: --data NAME; and a classifier.*FILE\.$"):
        check_allowed(entry("data", "classifier"), model, AnalysisContext())
    check_allowed(entry("data", "twin", "extractor", "pictures"), plain, full)


def test_a_standard_generator_is_refused_in_the_words_of_the_analyzer(plain: nn.Module):
    with pytest.raises(AnalysisError, match="mine compares buckets, and StandardGenerator has none"):
        check_allowed(entry("buckets", "pictures"), plain, AnalysisContext())


def test_a_signal_is_no_picture():
    signals = standard(nn.Sequential(nn.Linear(4, 32), nn.Unflatten(1, (1, 32))), latent="4")
    assert lacking(entry("pictures"), signals, AnalysisContext()) == [NEEDS["pictures"]]


def test_a_need_that_does_not_exist_is_a_fault_of_the_plugin(model: nn.Module):
    with pytest.raises(AnalysisError, match="The analyzer mine needs 'luck'; there are buckets, pictures, data"):
        lacking(entry("luck"), model, AnalysisContext())


def test_the_expected_time_follows_from_the_number_of_images(model: nn.Module):
    speed = Speed(image_s=0.01, features_s=0.02)
    context = AnalysisContext(num_paths=3, num_images=7)
    assert expected_s(Counting(per_path=10), model, context, speed) == pytest.approx(FIXED_S + 37 * 0.03)

    class Busy(Counting):
        def other_s(self, model: nn.Module, context: AnalysisContext, num_features: int) -> float:
            return 0.5 * context.num_images * num_features

    busy = expected_s(Busy(per_path=10), model, context, Speed(0.01, 0.02, num_features=4))
    assert busy == pytest.approx(FIXED_S + 37 * 0.03 + 14)

    class Blind(Counting):
        uses_extractor = False

    assert expected_s(Blind(per_path=10), model, context, speed) == pytest.approx(FIXED_S + 37 * 0.01)

    class Silent:
        name = "silent"

        def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
            return Report("silent", "Silent", "")

    assert expected_s(Silent(), model, context, speed) is None


def test_an_analyzer_that_will_refuse_the_model_has_no_expected_time(model: nn.Module):
    class Refusing(Counting):
        def num_images(self, model: nn.Module, context: AnalysisContext) -> int:
            raise AnalysisError("not this one")

    assert expected_s(Refusing(), model, AnalysisContext(), Speed(1, 1)) is None


@pytest.mark.parametrize("which", ["model", "plain"])
def test_speed_is_measured_on_the_models_own_images_and_leaves_no_trace(which: str, request: pytest.FixtureRequest):
    class Slow(PixelFeatures):
        def __call__(self, images: torch.Tensor) -> torch.Tensor:
            time.sleep(0.002 * len(images))
            return super().__call__(images)

    generator = request.getfixturevalue(which)
    generator.train()
    before = torch.get_rng_state()
    speed = measure_speed(generator, AnalysisContext(extractor=Slow()))
    assert 0 < speed.image_s < 1 and 0.002 <= speed.features_s < 0.1 and speed.num_features == 16
    assert torch.equal(torch.get_rng_state(), before) and generator.training
    assert measure_speed(generator, AnalysisContext()).features_s == 0


def test_sizes_shrink_until_the_time_is_kept_and_only_those_that_may(tmp_path: Path, model: nn.Module):
    both = ("num_paths", "num_images")
    full = schedule(tmp_path, model, Counting(), adjustable=both)
    assert (full.context.num_paths, full.context.num_images) == (100, 1000) and full.total_s > FIXED_S
    least = schedule(tmp_path, model, Counting(), adjustable=both, limit_s=0)
    assert (least.context.num_paths, least.context.num_images) == (10, 200)
    assert 0 < least.total_s < full.total_s
    paths = schedule(tmp_path, model, Counting(), adjustable=("num_paths",), limit_s=0)
    assert (paths.context.num_paths, paths.context.num_images) == (10, 1000)
    fixed = schedule(tmp_path, model, Counting(), limit_s=0)
    assert (fixed.context.num_paths, fixed.context.num_images) == (100, 1000)


def test_sizes_that_are_small_already_do_not_grow(tmp_path: Path, model: nn.Module):
    context = AnalysisContext(num_paths=3, num_images=50)
    cache = open_cache(tmp_path, model, context)
    found = make_schedule([Counting()], model, context, cache, limit_s=0, adjustable=("num_paths", "num_images"))
    assert (found.context.num_paths, found.context.num_images) == (3, 50)


def run_all(found: Schedule, model: nn.Module, *analyzers: Counting) -> None:
    for analyzer in analyzers:
        run_analyzer(analyzer, model, found.context, found.cache)


def test_what_was_kept_is_not_due_and_smaller_sizes_that_are_all_there_are_taken_again(
    tmp_path: Path, model: nn.Module
):
    one, two = Counting("one"), Counting("two")
    both = ("num_paths", "num_images")
    first = schedule(tmp_path, model, one, two, adjustable=both, limit_s=0)
    assert list(first.due_s) == ["one", "two"] and first.kept == ()
    run_all(first, model, one)
    second = schedule(tmp_path, model, one, two, adjustable=both, limit_s=0)
    assert list(second.due_s) == ["two"] and second.kept == ("one",)
    run_all(second, model, two)
    # Although there is time for more now: a repeated analysis is read.
    third = schedule(tmp_path, model, one, two, adjustable=both, limit_s=1e9)
    assert third.due_s == {} and third.kept == ("one", "two") and third.context.num_paths == 10
    fresh = schedule(tmp_path, model, one, two, adjustable=both, limit_s=1e9, is_fresh=True)
    assert list(fresh.due_s) == ["one", "two"] and fresh.context.num_paths == 100


def test_the_cache_of_a_schedule_is_that_of_its_sizes(tmp_path: Path, model: nn.Module):
    found = schedule(tmp_path, model, Counting(), adjustable=("num_paths",), limit_s=0)
    assert isinstance(found.cache, ReportCache)
    assert (found.cache.context["num_paths"], found.cache.context["num_images"]) == (10, 1000)
