"""The analyzer `spectrum`: how much power generated samples have at each frequency, and which bucket makes it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.provenance import provenance
from rpganify.data.images import sample_rate_of
from rpganify.errors import AnalysisError
from rpganify.report.report import Cell, Column, Figure, JsonValue, Report, Table
from rpganify_spectrum.figure import decibels, draw_spectrum
from rpganify_spectrum.measuring import Measured, Varied, measure

NUM_REAL = 1000

DEFINITION = """
The power spectrum of a sample is the squared magnitude of its Fourier transform, here behind a Hann window, averaged over
channels and over all directions (rings of equal frequency), then over samples. Upsampling that leaves traces, such as a
checkerboard of transposed convolutions, is power at high frequencies that real data has not. In images, frequencies beyond
1/2 cycle per pixel are diagonal ones; a checkerboard of single pixels is the last.

Shares: in {num_paths} random paths one bucket's block is replaced by another one. Half the power of the difference, times the
chance that a block drawn at random is another one, is the power that the choice of this bucket's block makes while all others
stay; it is divided by the mean power of the samples. Shares of several buckets need not add up to 100 %, as buckets interact;
what all blocks of a bucket do alike is in no share. If the generator draws noise of its own, the same paths are made once
more: the power of that difference is the noise's, and is taken off the buckets'. Samples are taken as they would be saved,
pictures with 8 bits.

± is one standard error over paths. Source of the comparison with real data: Durall et al., "Watch your Up-Convolution",
2020, section 3; shares by bucket are our own.
"""


@dataclass(frozen=True, slots=True)
class Spectrum:
    """The analyzer `spectrum`; for images and for signals of one axis, with or without buckets.

    Args:
        num_real: real samples to compare with, at most; used if the context has data.
    """

    num_real: int = NUM_REAL
    name: str = "spectrum"

    def __post_init__(self) -> None:
        if self.num_real < 2:
            raise AnalysisError(
                f"A spectrum of real data is a mean of at least 2 samples, got num_real={self.num_real}."
            )

    def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
        """A table of bands, the rings as numbers, and a figure.

        Raises:
            AnalysisError: the model's samples have no spatial axis, or the data another shape.
        """
        measured = measure(model, context, self.num_real)
        names = _bucket_names(model)
        unit, factor = _unit(measured, context)
        frequencies = measured.frequencies
        shares = [
            (f"{index + 1} {names[index]}", _share(part.changed, part.whole)[0])
            for index, part in enumerate(measured.varied)
            if part is not None
        ]
        if measured.noise is not None:
            shares.append(("noise", _share(measured.noise.changed, measured.noise.whole)[0]))
        real = None if measured.real is None else measured.real.mean(0)
        drawing = draw_spectrum(
            frequencies.centres * factor, unit, 0.5 * factor, measured.generated.mean(0), real, shares
        )
        num_real = 0 if measured.real is None else len(measured.real)
        settings: dict[str, JsonValue] = {"num_paths": context.num_paths, "real samples": num_real}
        if context.data is not None:
            settings["data"] = context.data.name
        return Report(
            name=self.name,
            title="Power spectrum",
            summary=_summary(measured, names, unit, factor),
            definition=DEFINITION.format(num_paths=context.num_paths),
            tables=(_bands_table(measured, names, unit, factor), _rings_table(measured, names, unit, factor)),
            figures=(Figure("spectrum", _caption(measured), drawing),),
            provenance=provenance(model, context, settings),
            notes=(*measured.notes, *_notes(measured, names)),
        )


def _bucket_names(model: nn.Module) -> tuple[str, ...]:
    plan = getattr(model, "plan", None)
    return () if plan is None else tuple(bucket.name for bucket in plan.buckets)


def _unit(measured: Measured, context: AnalysisContext) -> tuple[str, float]:
    """How frequencies are called, and what makes them so of cycles per pixel or sample."""
    if len(measured.frequencies.shape) > 1:
        return "cycles per pixel", 1.0
    rate = sample_rate_of(context.data)
    return ("kHz", rate / 1000) if rate else ("cycles per sample", 1.0)


def _share(varied: Tensor, generated: Tensor) -> tuple[Tensor, Tensor]:
    """Mean of `varied` over mean of `generated`, with the standard error of that ratio; both `(columns,)`.

    The error is that of a ratio estimator: rows belong together, so their common variation cancels.
    """
    num_rows = len(generated)
    scale = generated.mean(0).clamp_min(torch.finfo(torch.float64).tiny)
    ratio = varied.mean(0) / scale
    if num_rows < 2:
        return ratio, torch.full_like(ratio, math.nan)
    rests = varied - ratio * generated
    return ratio, (rests.square().sum(0) / (num_rows * (num_rows - 1))).sqrt() / scale


def _excess(measured: Measured) -> tuple[Tensor, Tensor] | None:
    """Generated against real power in each band, in dB, with its standard error; None without real data."""
    if measured.real is None:
        return None
    means, errors = [], []
    for power in (measured.generated, measured.real):
        bands = measured.frequencies.in_bands(power)
        means.append(bands.mean(0))
        errors.append(bands.std(0, correction=1) / math.sqrt(len(bands)) / bands.mean(0).clamp_min(1e-300))
    error = 10 / math.log(10) * (errors[0].square() + errors[1].square()).sqrt()
    return decibels(means[0]) - decibels(means[1]), error


def _cell(value: Tensor) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _bands_table(measured: Measured, names: tuple[str, ...], unit: str, factor: float) -> Table:
    frequencies = measured.frequencies
    generated = frequencies.in_bands(measured.generated)
    whole = generated.sum(1, keepdim=True)
    columns = [Column("from", unit), Column("to", unit), Column("generated power", "%")]
    rows: list[list[Cell]] = [
        [lower * factor, upper * factor, _cell(100 * part)]
        for (lower, upper), part in zip(
            frequencies.bands, _share(generated, whole.expand_as(generated))[0], strict=True
        )
    ]
    excess = _excess(measured)
    if measured.real is not None and excess is not None:
        real = frequencies.in_bands(measured.real)
        columns += [
            Column("real power", "%"),
            Column("generated against real", "dB"),
            Column("dB error", is_error=True),
        ]
        for row, part, value, error in zip(rows, real.mean(0) / real.mean(0).sum(), *excess, strict=True):
            row += [_cell(100 * part), _cell(value), _cell(error)]
    parts = [(f"bucket {index + 1} {names[index]}", part) for index, part in enumerate(measured.varied)]
    if measured.noise is not None:
        parts.append(("noise", measured.noise))
    for name, part in parts:
        columns += [Column(name, "%"), Column(f"{name} error", is_error=True)]
        if part is None:
            for row in rows:
                row += [None, None]
            continue
        shares = _share(frequencies.in_bands(part.changed), frequencies.in_bands(part.whole))
        for row, share, error in zip(rows, *shares, strict=True):
            row += [_cell(100 * share), _cell(100 * error)]
    return Table("bands", "Power in each band of frequencies", tuple(columns), tuple(tuple(row) for row in rows))


def _rings_table(measured: Measured, names: tuple[str, ...], unit: str, factor: float) -> Table:
    columns = [Column("frequency", unit), Column("generated power")]
    series = [measured.frequencies.centres * factor, measured.generated.mean(0)]
    if measured.real is not None:
        columns.append(Column("real power"))
        series.append(measured.real.mean(0))
    for index, part in enumerate(measured.varied):
        if part is not None:
            columns.append(Column(f"share of bucket {index + 1} {names[index]}"))
            series.append(_share(part.changed, part.whole)[0])
    if measured.noise is not None:
        columns.append(Column("share of noise"))
        series.append(_share(measured.noise.changed, measured.noise.whole)[0])
    rows = tuple(tuple(_cell(value) for value in row) for row in zip(*series, strict=True))
    return Table("rings", "the spectra as drawn", tuple(columns), rows, is_raw=True)


def _summary(measured: Measured, names: tuple[str, ...], unit: str, factor: float) -> str:
    """The band that differs most from real data, and the bucket that varies most there; without data, the highest band."""
    frequencies, excess = measured.frequencies, _excess(measured)
    if excess is None:
        band, told = len(frequencies.bands) - 1, ""
    else:
        value, error = excess
        band = int(value.abs().argmax())
        if not abs(float(value[band])) > max(1.0, 2 * float(error[band])):
            return "In no band does the power differ from that of real data by more than 1 dB and two standard errors."
        more = "more" if value[band] > 0 else "less"
        told = f"Generated samples have {abs(float(value[band])):.1f} dB {more} power than real ones at "
        told += f"{_range(frequencies.bands[band], factor)} {unit}"
    shares = [
        (_share_in(measured, part, band), f"bucket {index + 1} ({names[index]})")
        for index, part in enumerate(measured.varied)
        if part is not None
    ]
    if measured.noise is not None:
        shares.append((_share_in(measured, measured.noise, band), "the generator's own noise"))
    if not shares:
        return f"{told}." if told else ""
    share, who = max(shares)
    found = f"{who} makes the largest difference, {100 * share:.0f} % of the power."
    return f"{told}; there, {found}" if told else f"At {_range(frequencies.bands[band], factor)} {unit}, {found}"


def _share_in(measured: Measured, part: Varied, band: int) -> float:
    frequencies = measured.frequencies
    return float(_share(frequencies.in_bands(part.changed), frequencies.in_bands(part.whole))[0][band])


def _range(band: tuple[float, float], factor: float) -> str:
    return "–".join(f"{end * factor:.3g}" for end in band)


def _caption(measured: Measured) -> str:
    told = f"Above: mean power of {len(measured.generated)} generated samples"
    told += f" and of {len(measured.real)} real ones (dashed)." if measured.real is not None else "."
    if any(part is not None for part in (*measured.varied, measured.noise)):
        told += " Below: how much of the generated power another block of one bucket changes, all others frozen"
        told += "; and what the generator's own noise changes." if measured.noise is not None else "."
    return told


def _notes(measured: Measured, names: tuple[str, ...]) -> list[str]:
    notes = []
    if measured.real is None:
        notes.append("There was no real data to compare with: `--data NAME` names some.")
    single = [f"{index + 1} ({names[index]})" for index, part in enumerate(measured.varied) if part is None]
    if single:
        notes.append(f"Of one block only, so nothing varies and the share is left out (–): bucket {', '.join(single)}.")
    if not measured.varied:
        notes.append(
            "A standard generator has no buckets, so there are no shares; convert it to see which layer does what."
        )
    return notes
