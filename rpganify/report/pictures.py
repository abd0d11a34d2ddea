"""Pictures as PNG files: figures for light and dark pages, and small pictures, ready to stand in a page."""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Callable
from dataclasses import dataclass

from rpganify.report.dark import dark_png
from rpganify.report.report import Figure, Report

# Figures are drawn at 200 dpi; two of their pixels to one of the page's is their natural size, crisp on fine screens.
PIXELS_PER_PX = 2

ToPng = Callable[[Figure], bytes]


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as a page holds it.

    Args:
        light: as a data URI.
        dark: the same for dark pages; empty if it has none.
        width_px, height_px: of the page's pixels, at its natural size.
    """

    light: str
    dark: str
    width_px: int
    height_px: int


def figure_to_png(figure: Figure) -> bytes:
    """The picture as a PNG file; equal figures give equal bytes."""
    if isinstance(figure.picture, bytes):
        return figure.picture
    buffer = io.BytesIO()
    figure.picture.savefig(buffer, format="png", dpi="figure", metadata={"Software": None})
    return buffer.getvalue()


def picture_of(figure: Figure, to_png: ToPng = figure_to_png) -> Picture:
    """The figure, ready to stand in a page; `to_png` draws it, or has drawn it before."""
    light, dark = to_png(figure), figure_to_dark_png(figure)
    width, height = png_size(light)
    dark_uri = data_uri(dark) if dark is not None else ""
    return Picture(data_uri(light), dark_uri, max(1, width // PIXELS_PER_PX), max(1, height // PIXELS_PER_PX))


def pictures_of(report: Report) -> dict[str, bytes]:
    """The report's pictures as PNG files by name, and those for dark pages under `dark_name(name)`."""
    pictures: dict[str, bytes] = {}
    for figure in report.figures:
        name = report.file(figure)
        pictures[name] = figure_to_png(figure)
        dark = figure_to_dark_png(figure)
        if dark is not None:
            pictures[dark_name(name)] = dark
    return pictures


def dark_name(name: str) -> str:
    """The name of a picture's version for dark pages: `x.dark.png` of `x.png`."""
    return f"{name.removesuffix('.png')}.dark.png"


def figure_to_dark_png(figure: Figure) -> bytes | None:
    """The picture for dark pages; None if it is a PNG file that came without."""
    return figure.dark if isinstance(figure.picture, bytes) else dark_png(figure.picture)


def data_uri(png: bytes) -> str:
    """The file in a text that stands in a page."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def png_size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels."""
    width, height = struct.unpack(">II", png[16:24])  # of the IHDR chunk, which comes first
    return width, height
