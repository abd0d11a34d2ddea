import dataclasses
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.cache import ENTRY, Finished, open_cache, run_analyzer
from rpganify.analysis.features import PixelFeatures
from rpganify.analysis.fingerprints import context_fingerprint, model_fingerprint
from rpganify.data.images import MemoryImages
from rpganify.errors import AnalysisError
from rpganify.report.report import Column, Figure, Report, Table
from rpganify.report.style import new_drawing
from rpganify.report.writing import pictures_of, report_to_json
from tests.unit.analysis.synthetic import SyntheticGenerator


class Counter:
    """Counts how often it runs; reads the seed and whatever else it is told to."""

    name = "counter"

    def __init__(self, *reads: str) -> None:
        self.reads = ("seed", *reads)
        self.num_runs = 0

    def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
        self.num_runs += 1
        told = [str(getattr(context, name) is not None) for name in self.reads]
        table = Table("main", "Runs", (Column("seed"), Column("value")), ((context.seed, 1 / 3),))
        drawing = new_drawing(1, 1)
        drawing.text(0.1, 0.1, str(context.seed))
        return Report(self.name, "Counter", " ".join(told), (table,), (Figure("plot", "A plot.", drawing),))


def run(
    folder: Path,
    counter: Counter,
    model: nn.Module | None = None,
    context: AnalysisContext | None = None,
    is_fresh: bool = False,
) -> Finished:
    model, context = model or SyntheticGenerator(), context or AnalysisContext()
    return run_analyzer(counter, model, context, open_cache(folder, model, context), is_fresh=is_fresh)


def test_a_repeated_analysis_is_read_and_equals_the_first(tmp_path: Path):
    counter = Counter()
    first, second = run(tmp_path, counter), run(tmp_path, counter)
    assert counter.num_runs == 1 and (first.is_kept, second.is_kept) == (False, True)
    assert report_to_json(second.report) == report_to_json(first.report)
    assert pictures_of(second.report) == pictures_of(first.report) and len(pictures_of(first.report)) == 2
    assert second.seconds == first.seconds


def test_fresh_runs_it_again(tmp_path: Path):
    counter = Counter()
    run(tmp_path, counter)
    assert not run(tmp_path, counter, is_fresh=True).is_kept and counter.num_runs == 2


def test_what_the_analyzer_reads_of_the_context_counts_and_what_it_does_not_read_does_not(tmp_path: Path):
    counter = Counter("twin")
    run(tmp_path, counter)
    run(tmp_path, counter, context=AnalysisContext(num_paths=7, extractor=PixelFeatures(), names={"model": "x"}))
    assert counter.num_runs == 1
    run(tmp_path, counter, context=AnalysisContext(seed=1))
    assert counter.num_runs == 2
    run(tmp_path, counter, context=AnalysisContext(twin=nn.Linear(2, 2)))
    assert counter.num_runs == 3
    run(tmp_path, counter)
    assert counter.num_runs == 3  # all of them are still there


def test_a_copy_of_the_context_counts_as_reading_all_of_it(tmp_path: Path):
    class Copying(Counter):
        def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
            return super().analyze(model, dataclasses.replace(context, seed=5))

    counter = Copying()
    assert run(tmp_path, counter).report.table("main").rows[0][0] == 5
    run(tmp_path, counter, context=AnalysisContext(num_paths=7))
    assert counter.num_runs == 2


def test_another_model_is_another_analysis(tmp_path: Path):
    counter = Counter()
    for seed in (0, 1, 0):
        run(tmp_path, counter, SyntheticGenerator(seed=seed))
    assert counter.num_runs == 2


@pytest.mark.parametrize("damage", ["picture gone", "picture changed", "truncated", "no report", "not JSON", "a list"])
def test_a_damaged_entry_is_computed_again_and_said(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture):
    counter = Counter()
    first = run(tmp_path, counter)
    (entry,) = tmp_path.glob(f"counter-*/{ENTRY}")
    picture = entry.parent / "counter-plot.png"
    if damage == "picture gone":
        picture.unlink()
    elif damage == "picture changed":
        picture.write_bytes(picture.read_bytes()[:-20] + bytes(20))
    elif damage == "truncated":
        entry.write_text(entry.read_text()[:-40])
    elif damage == "no report":
        entry.write_text(json.dumps({**json.loads(entry.read_text()), "report": {}}))
    else:
        entry.write_text("[]" if damage == "a list" else "{")
    again = run(tmp_path, counter)
    assert counter.num_runs == 2 and not again.is_kept
    assert report_to_json(again.report) == report_to_json(first.report)
    assert "is damaged" in caplog.text
    assert run(tmp_path, counter).is_kept


def test_new_code_of_an_analyzer_replaces_what_the_old_one_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    counter = Counter()
    run(tmp_path, counter)
    monkeypatch.setattr("rpganify.analysis.cache.analyzer_version", lambda analyzer: "2.0")
    run(tmp_path, counter)
    assert counter.num_runs == 2 and len(list(tmp_path.iterdir())) == 1


def test_an_analysis_that_fails_keeps_nothing(tmp_path: Path):
    class Refusing(Counter):
        def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
            raise AnalysisError("not this model")

    with pytest.raises(AnalysisError, match="not this model"):
        run(tmp_path, Refusing())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_refused_with_the_way_on(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(AnalysisError, match=r"counter cannot be kept in .*file.*choose another folder with -o"):
        run(tmp_path / "file", Counter())


def test_the_same_tensors_in_another_graph_are_another_model(tiny_models: tuple[nn.Module, nn.Module]):
    relu, tanh = tiny_models
    assert {n: t.tolist() for n, t in relu.state_dict().items()} == {
        n: t.tolist() for n, t in tanh.state_dict().items()
    }
    assert model_fingerprint(relu) != model_fingerprint(tanh)
    assert model_fingerprint(relu) == model_fingerprint(relu)


@pytest.fixture
def tiny_models() -> tuple[nn.Module, nn.Module]:
    from rpganify.conversion.converting import standard

    def generator(activation: nn.Module) -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(4, 16), activation, nn.Unflatten(1, (1, 4, 4)))

    return standard(generator(nn.ReLU()), latent="4"), standard(generator(nn.Tanh()), latent="4")


def test_data_of_one_name_is_told_apart_by_its_images():
    def told(value: int) -> object:
        pixels = torch.full((100, 1, 4, 4), 7, dtype=torch.uint8)
        pixels[-1] = value
        return context_fingerprint(AnalysisContext(data=MemoryImages("set", pixels)))["data"]

    assert told(1) != told(2) and told(1) == told(1)


def test_a_fingerprint_is_plain_data_and_leaves_out_what_changes_no_number():
    context = AnalysisContext(
        extractor=PixelFeatures(), conditions={"label": torch.tensor([3])}, device=torch.device("cpu")
    )
    told = context_fingerprint(context)
    assert json.loads(json.dumps(told)) == told
    assert told["extractor"]["name"] == "pixels" and told["conditions"] == {"label": ["torch.int64", [3]]}
    assert not {"names", "progress", "batch_pixels"} & set(told)
