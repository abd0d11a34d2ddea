"""Figures for a dark page: what is dark becomes light and the other way round; photographs stay as they are."""

from __future__ import annotations

import colorsys
import io
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from matplotlib import colors
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import Collection, QuadMesh
from matplotlib.figure import Figure as Drawing
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from rpganify.report.style import INK, MUTED, PAPER, RULE

DARK_PAPER = "#181c22"
_DARK = {INK: "#e8ebef", MUTED: "#9aa4b0", RULE: "#363e48", PAPER: DARK_PAPER, "#000000": "#e8ebef"}
_DARKEST, _LIGHTEST = 0.12, 0.93  # lightness of dark paper and of the ink on it
_PAIRS = [(np.array(colors.to_rgb(light)), np.array(colors.to_rgb(dark))) for light, dark in _DARK.items()]

Setter = Callable[[Any], Any]


def dark_png(drawing: Drawing) -> bytes:
    """The figure on dark paper, as PNG; the figure itself is left as it was.

    Ink, muted ink, rules and paper of `report.style` have their counterparts; every other colour keeps its hue, and its
    lightness is turned round, so that all contrasts stay. Images stay as they are, and so does the text that lies on
    one, such as numbers on a heat map that is drawn as an image.
    """
    drawing.draw_without_rendering()  # places everything, so that what lies on a picture can be told
    # Setting a colour back is not always the same as never having set it: an edge may follow the face.
    before = [(artist, dict(vars(artist))) for artist in drawing.findobj()]
    try:
        for setter, old in list(_colours(drawing)):
            new = _darkened(old)
            if new is not None:
                setter(new)
        buffer = io.BytesIO()
        drawing.savefig(
            buffer, format="png", dpi="figure", facecolor=drawing.get_facecolor(), metadata={"Software": None}
        )
        return buffer.getvalue()
    finally:
        for artist, state in before:
            vars(artist).update(state)


def _colours(drawing: Drawing) -> Iterator[tuple[Setter, Any]]:
    """Every colour in the figure that may change: how it is set, and its value."""
    grounds = [_extent(artist) for artist in drawing.findobj(lambda one: isinstance(one, AxesImage | QuadMesh))]
    for artist in drawing.findobj():
        if isinstance(artist, Text):
            if not any(_covers(ground, artist) for ground in grounds):
                yield artist.set_color, artist.get_color()
        elif isinstance(artist, Line2D):
            yield artist.set_color, artist.get_color()
            if artist.get_marker() not in (None, "None", ""):
                yield artist.set_markerfacecolor, artist.get_markerfacecolor()
                yield artist.set_markeredgecolor, artist.get_markeredgecolor()
        elif isinstance(artist, Patch | Collection) and not isinstance(artist, QuadMesh):
            yield artist.set_facecolor, artist.get_facecolor()
            yield artist.set_edgecolor, artist.get_edgecolor()


def _darkened(colour: Any) -> Any:
    """The dark counterpart of a colour or of an array of colours; None if it stays as it is."""
    if isinstance(colour, str) and colour in ("none", "auto", "inherit", "face"):
        return None
    try:
        rgba = np.atleast_2d(colors.to_rgba_array(colour)).copy()
    except (ValueError, TypeError):
        return None
    for row in rgba:
        row[:3] = _dark_of(row[:3])
    return rgba if np.ndim(colour) == 2 else tuple(rgba[0])


def _dark_of(rgb: Any) -> Any:
    for light, dark in _PAIRS:
        if np.abs(rgb - light).max() < 1e-3:
            return dark
    hue, lightness, saturation = colorsys.rgb_to_hls(*rgb)
    # On a dark ground a full colour glares.
    return colorsys.hls_to_rgb(hue, _LIGHTEST - lightness * (_LIGHTEST - _DARKEST), 0.8 * saturation)


def _extent(artist: Artist) -> tuple[float, float, float, float]:
    box = artist.get_window_extent()
    axes = artist.axes
    if isinstance(axes, Axes):
        seen = axes.get_window_extent()
        return max(box.x0, seen.x0), max(box.y0, seen.y0), min(box.x1, seen.x1), min(box.y1, seen.y1)
    return box.x0, box.y0, box.x1, box.y1


def _covers(ground: tuple[float, float, float, float], text: Text) -> bool:
    box = text.get_window_extent()
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    return bool(ground[0] <= x <= ground[2] and ground[1] <= y <= ground[3])
