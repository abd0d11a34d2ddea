"""Power spectra of signals whose spectra are known, and buckets whose frequencies are known by construction."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from typer.testing import CliRunner

import rpganify
from rpganify.analysis.analyzer import AnalysisContext
from rpganify.cli.app import app
from rpganify.data.images import MemoryImages
from rpganify.data.signals import MemorySignals
from rpganify.errors import AnalysisError
from rpganify.paths import PathSpace
from rpganify.plan import BucketSpec, Plan
from rpganify.testing import check_analyzer
from rpganify_spectrum.analyzer import Spectrum
from rpganify_spectrum.measuring import measure
from rpganify_spectrum.power import Frequencies

SIZE = 16
WAVE = torch.sin(2 * math.pi * torch.arange(SIZE) / SIZE).expand(SIZE, SIZE)  # 1/16 cycle per pixel
_ROWS = torch.arange(SIZE)
BOARD = (_ROWS[:, None] + _ROWS) % 2 * 2.0 - 1  # the highest frequency there is


class Painter(nn.Module):
    """A converted generator by hand: bucket 1 chooses how much of a wave there is, bucket 2 how much of a checkerboard."""

    codes = "paths"
    conditions = ()

    def __init__(self, waves: list[float], boards: list[float], shape: tuple[int, ...] = (1, SIZE, SIZE)) -> None:
        super().__init__()
        self.plan = Plan((BucketSpec("waves", ("w",), len(waves)), BucketSpec("boards", ("b",), len(boards))))
        self.image_shape = shape
        self.waves, self.boards = nn.Parameter(torch.tensor(waves)), nn.Parameter(torch.tensor(boards))

    @property
    def paths(self) -> PathSpace:
        return self.plan.paths

    def draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        return self.paths.sample(n, generator=generator)

    def images(self, codes: Tensor) -> Tensor:
        wave, board = self.waves[codes[:, 0]], self.boards[codes[:, 1]]
        images = wave[:, None, None] * WAVE + board[:, None, None] * BOARD
        return images[:, None] if len(self.image_shape) == 3 else images[:, :1]


@pytest.mark.parametrize("shape", [(8, 8), (32, 32), (16, 24), (64,), (4096,)])
def test_every_frequency_but_0_is_in_one_ring_and_every_ring_in_one_band(shape: tuple[int, ...]) -> None:
    frequencies = Frequencies.of(shape)
    assert int(frequencies.sizes.sum()) == math.prod(shape) - 1 and (frequencies.sizes > 0).all()
    assert (frequencies.centres.diff() > 0).all() and len(frequencies.centres) <= 66
    assert float(frequencies.centres[-1]) <= math.sqrt(len(shape)) / 2 + 1e-12
    lower, upper = zip(*frequencies.bands, strict=True)
    assert lower[0] == 0 and lower[1:] == upper[:-1] and upper[-1] == pytest.approx(math.sqrt(len(shape)) / 2)
    for ring, band in enumerate(frequencies.band_of_ring.tolist()):
        assert lower[band] - 1e-9 <= float(frequencies.centres[ring]) <= upper[band] + 1e-9


@pytest.mark.parametrize("shape", [(32, 32), (24, 16), (512,)])
def test_white_noise_has_its_variance_in_every_ring(shape: tuple[int, ...]) -> None:
    noise = 3 * torch.randn(600, 2, *shape, generator=torch.Generator().manual_seed(0))
    frequencies = Frequencies.of(shape)
    power = frequencies.power(noise)
    errors = 5 * power.std(0) / math.sqrt(600)  # 5 standard errors of the mean
    assert ((power.mean(0) - 9).abs()[1:] < errors[1:]).all()


def test_a_wave_is_in_the_ring_of_its_frequency_and_a_checkerboard_in_the_last() -> None:
    frequencies = Frequencies.of((32, 32))
    columns = torch.arange(32)
    for cycles in (4, 8, 12):
        wave = torch.cos(2 * math.pi * cycles * columns / 32).expand(1, 1, 32, 32)
        loudest = int(frequencies.power(wave)[0].argmax())
        assert float(frequencies.centres[loudest]) == pytest.approx(cycles / 32, abs=1 / 64)
    board = ((columns[:, None] + columns) % 2 * 2.0 - 1)[None, None]
    assert int(frequencies.power(board)[0].argmax()) == len(frequencies.centres) - 1


def test_power_does_not_depend_on_brightness_and_grows_with_the_square() -> None:
    frequencies, samples = Frequencies.of((16, 16)), torch.randn(3, 1, 16, 16)
    power = frequencies.power(samples)
    assert torch.allclose(frequencies.power(samples + 5), power, rtol=1e-4)
    assert torch.allclose(frequencies.power(3 * samples), 9 * power, rtol=1e-6)


def test_bands_hold_all_power_of_their_rings() -> None:
    frequencies = Frequencies.of((16, 16))
    power = frequencies.power(torch.randn(4, 1, 16, 16))
    bands = frequencies.in_bands(power)
    assert torch.allclose(bands.sum(1), (power * frequencies.sizes).sum(1))
    assert len(frequencies.bands) == bands.shape[1] == 4


def test_the_share_of_a_bucket_is_the_variance_that_its_blocks_make() -> None:
    boards = [0.0, 0.2, 0.4]
    painter = Painter([0.1, 0.3], boards)
    measured = measure(painter, AnalysisContext(num_paths=3000), num_real=2)
    last = len(measured.frequencies.centres) - 1
    of_waves, of_boards = measured.varied
    assert of_waves is not None and of_boards is not None
    # In the last ring there is the board alone: its variance over the blocks, over its mean square.
    values = torch.tensor(boards).double()
    expected = float(values.var(correction=0) / values.square().mean())
    assert float(of_boards.changed.mean(0)[last] / of_boards.whole.mean(0)[last]) == pytest.approx(expected, rel=0.05)
    assert float(of_waves.changed.mean(0)[last] / of_waves.whole.mean(0)[last]) < 0.01
    assert float(of_boards.changed.mean(0)[0] / of_boards.whole.mean(0)[0]) < 0.01


def test_noise_that_the_generator_draws_is_told_apart_from_what_blocks_do() -> None:
    class Noisy(Painter):
        def images(self, codes: Tensor) -> Tensor:
            images = super().images(codes)
            return images + 0.1 * torch.randn(images.shape)

    painter = Noisy([0.1, 0.3], [0.2, 0.2])
    context = AnalysisContext(num_paths=400)
    measured = measure(painter, context, num_real=2)
    assert measured.noise is not None and measured.varied[1] is not None
    middle = measured.frequencies.centres.sub(0.3).abs().argmin()  # neither wave nor board is there
    noise, boards = measured.noise, measured.varied[1]
    assert float(noise.changed.mean(0)[middle]) == pytest.approx(0.01, rel=0.05)
    assert float(noise.changed.mean(0)[middle] / noise.whole.mean(0)[middle]) == pytest.approx(1, abs=0.02)
    assert abs(float(boards.changed.mean(0)[middle] / boards.whole.mean(0)[middle])) < 0.05
    report = Spectrum().analyze(painter, context)
    assert (
        report.table("bands").columns[-2].name == "noise" and "the generator's own noise" in report.figures[0].caption
    )
    assert measure(Painter([0.1, 0.3], [0.2, 0.2]), context, num_real=2).noise is None


def test_the_report_names_the_band_that_is_too_strong_and_the_bucket_behind_it() -> None:
    painter = Painter([0.1, 0.3, 0.5], [0.0, 0.2, 0.4])
    noise = 0.01 * torch.randn(50, SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    values = 0.3 * WAVE + noise
    real = MemoryImages("clean", ((values + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)[:, None])
    report = Spectrum().analyze(painter, AnalysisContext(num_paths=200, data=real))
    assert "more power than real ones at 0.5–0.707 cycles per pixel; there, bucket 2 (boards)" in report.summary
    table = report.table("bands")
    headings = [column.heading for column in table.columns]
    column = headings.index("bucket 2 boards [%]")
    # Variance over mean square: of 0, 0.2, 0.4 it is 40 %, of 0.1, 0.3, 0.5 it is 23 %.
    assert table.rows[-1][column] == pytest.approx(40, abs=5)
    assert table.rows[0][headings.index("bucket 1 waves [%]")] == pytest.approx(23, abs=4)
    assert table.rows[-1][headings.index("generated against real [dB]")] > 10
    assert report.provenance["data"] == "clean" and report.provenance["real samples"] == 50


def test_a_model_that_is_like_its_data_is_told_so() -> None:
    painter = Painter([0.3, 0.3], [0.1, 0.1])
    images = painter.images(torch.zeros(40, 2, dtype=torch.int64)).detach()
    real = MemoryImages("twin", ((images + 1) * 127.5).round().to(torch.uint8))
    report = Spectrum().analyze(painter, AnalysisContext(num_paths=20, data=real))
    assert report.summary.startswith("In no band does the power differ")


def test_a_bucket_of_one_block_has_no_share_and_a_note() -> None:
    report = Spectrum().analyze(Painter([0.1, 0.3], [0.2]), AnalysisContext(num_paths=20))
    assert any("nothing varies and the share is left out (–): bucket 2 (boards)" in note for note in report.notes)
    assert any("no real data to compare with" in note for note in report.notes)
    assert all(row[-1] is None and row[-2] is None for row in report.table("bands").rows)
    assert "bucket 1 (waves) makes the largest difference" in report.summary


def test_a_single_path_has_no_error() -> None:
    report = Spectrum().analyze(Painter([0.1, 0.3], [0.2, 0.3]), AnalysisContext(num_paths=1))
    columns = [index for index, column in enumerate(report.table("bands").columns) if column.is_error]
    assert columns and all(row[index] is None for row in report.table("bands").rows for index in columns)


def test_sound_is_measured_in_kilohertz() -> None:
    painter = Painter([0.1, 0.3], [0.2, 0.3], shape=(1, SIZE))
    data = MemorySignals("tones", 0.5 * torch.rand(10, 1, SIZE), sample_rate=8000)
    report = Spectrum().analyze(painter, AnalysisContext(num_paths=20, data=data))
    assert report.table("bands").columns[0].unit == "kHz" and report.table("bands").rows[-1][1] == 4.0
    assert "kHz" in report.summary


def test_a_standard_generator_is_measured_without_shares() -> None:
    plain = rpganify.standard(rpganify.architecture("mlp28", channels=8))
    report = Spectrum().analyze(plain, AnalysisContext(num_paths=8))
    assert any("A standard generator has no buckets" in note for note in report.notes) and report.summary == ""
    assert [column.name for column in report.table("bands").columns] == ["from", "to", "generated power"]


@pytest.mark.parametrize("shape", [(5,), (1, 3), (3, 16, 2)])
def test_samples_without_room_for_a_spectrum_are_refused(shape: tuple[int, ...]) -> None:
    painter = Painter([0.1], [0.2])
    painter.image_shape = shape
    with pytest.raises(AnalysisError, match=r"spectrum needs samples of a channel axis and others of 4 or more"):
        Spectrum().analyze(painter, AnalysisContext())


def test_data_of_another_shape_is_refused() -> None:
    data = MemoryImages("small", torch.zeros(2, 1, 8, 8, dtype=torch.uint8))
    with pytest.raises(AnalysisError, match=r"samples of small are \(1, 8, 8\), the model's \(1, 16, 16\)"):
        Spectrum().analyze(Painter([0.1], [0.2]), AnalysisContext(data=data))


def test_one_real_sample_is_no_mean() -> None:
    with pytest.raises(AnalysisError, match="at least 2 samples, got num_real=1"):
        Spectrum(num_real=1)


def test_the_analyzer_keeps_the_laws() -> None:
    check_analyzer(Spectrum())


def test_a_model_is_converted_trained_saved_opened_and_analyzed_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command in (
        ["convert", "mlp28", "--blocks", "2", "--arg", "channels=8", "-o", "model.rpgan"],
        ["train", "model.rpgan", "--data", "digits", "--steps", "2", "--batch-size", "4", "-o", "run"],
        ["analyze", "run", "spectrum", "--paths", "4", "--data", "digits[0-3]", "-o", "report"],
    ):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "report").iterdir()} >= {
        "index.html",
        "spectrum-bands.csv",
        "spectrum-rings.csv",
        "spectrum-spectrum.png",
    }
    told = json.loads((tmp_path / "report" / "spectrum.json").read_text())
    assert told["provenance"]["data"] == "digits[0-3]"
    assert "resized from 8x8 to 28x28" in result.stderr
