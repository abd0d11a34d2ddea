"""The picture: spectra of generated and real samples above, the share of each bucket below."""

from __future__ import annotations

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from torch import Tensor

from rpganify.report.style import COLOURS, INK, MUTED, new_drawing, plain_axes, shorten

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_LINES = ("-", "--", "-.", ":")


def draw_spectrum(
    frequencies: Tensor,
    unit: str,
    nyquist: float,
    generated: Tensor,
    real: Tensor | None,
    shares: list[tuple[str, Tensor]],
) -> Drawing:
    """Two panels over one axis of frequencies, the lower one only if there are buckets.

    Args:
        frequencies: of the rings, in `unit`, `(num_rings,)`.
        unit: of frequencies.
        nyquist: the highest frequency along an axis, in `unit`.
        generated: mean power, `(num_rings,)`.
        real: the same of real samples, or None.
        shares: name of each bucket that can vary, and of noise; and their shares of the generated power in each ring.
    """
    num_panels = 2 if shares else 1
    drawing = new_drawing(7.0, 2.9 * num_panels)
    panels = drawing.subplots(num_panels, 1, sharex=True, squeeze=False).flatten()
    _draw_power(panels[0], frequencies, generated, real)
    if shares:
        _draw_shares(panels[1], frequencies, shares)
    for axes in panels:
        if float(frequencies[-1]) > 1.01 * nyquist:
            axes.axvline(nyquist, color=MUTED, linewidth=0.8, linestyle=(0, (2, 3)), zorder=1)
    if float(frequencies[-1]) > 1.01 * nyquist:
        panels[0].annotate(
            "corners: checkerboards", (nyquist, 1), (4, -2), xycoords=("data", "axes fraction"),
            textcoords="offset points", va="top", fontsize=7.5, color=MUTED,
        )  # fmt: skip
    panels[-1].set_xlabel(
        f"spatial frequency [{unit}]" if "pixel" in unit else f"frequency [{unit}]", fontsize=9, color=INK
    )
    drawing.tight_layout(pad=1.0, h_pad=1.5)
    return drawing


def decibels(power: Tensor) -> Tensor:
    """10 log₁₀ of power, with a floor of -120."""
    return 10 * torch.log10(power.clamp_min(1e-12))


def _draw_power(axes: Axes, frequencies: Tensor, generated: Tensor, real: Tensor | None) -> None:
    plain_axes(axes)
    if real is not None:
        axes.plot(frequencies, decibels(real), color=INK, linewidth=1.6, linestyle="--", label="real", zorder=3)
    axes.plot(frequencies, decibels(generated), color=COLOURS[0], linewidth=1.8, label="generated", zorder=4)
    axes.set_ylabel("power [dB]", fontsize=9, color=INK)
    axes.set_title("Power at each frequency", fontsize=10, color=INK, loc="left")
    axes.legend(fontsize=8, frameon=False, labelcolor=INK)


def _draw_shares(axes: Axes, frequencies: Tensor, shares: list[tuple[str, Tensor]]) -> None:
    plain_axes(axes)
    for index, (name, share) in enumerate(shares):
        axes.plot(
            frequencies,
            100 * share,
            color=COLOURS[index % len(COLOURS)],
            linestyle=_LINES[index // len(COLOURS) % len(_LINES)],
            linewidth=1.4,
            marker=_MARKERS[index % len(_MARKERS)],
            markersize=4,
            markevery=(index % 3, max(1, len(frequencies) // 12)),
            label=shorten(name, 28),
            zorder=3,
        )
    axes.set_ylim(bottom=0)
    axes.set_ylabel("share of generated power [%]", fontsize=9, color=INK)
    axes.set_title("What another block of one bucket changes", fontsize=10, color=INK, loc="left")
    legend = axes.legend(fontsize=7.5, frameon=False, labelcolor=INK, ncols=2 if len(shares) > 4 else 1)
    for text in legend.get_texts():
        text.set_parse_math(False)  # a bucket may have any name
