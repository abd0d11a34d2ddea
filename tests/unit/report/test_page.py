import base64
import io
from html.parser import HTMLParser

import pytest

from rpganify.report.page import format_cell, format_error, render_page
from rpganify.report.report import Cell, Column, Figure, Report, Table
from rpganify.report.style import new_drawing, shorten
from rpganify.report.writing import figure_to_png


class Page(HTMLParser):
    """Collects what a test asks for: tags with their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, tag: str, attribute: str) -> list[str]:
        return [value for name, attrs in self.tags if name == tag and (value := attrs.get(attribute)) is not None]


@pytest.fixture
def report() -> Report:
    columns = (Column("name"), Column("D", "%"), Column("std", is_error=True))
    raw = Table("raw", "everything", columns, (("x", 98765.0, None),), is_raw=True)
    table = Table("main", "The <main> table", columns, (("a & <b>", 1.2345, 0.5), ("c", None, None)))
    return Report(
        name="size",
        title="Size & weight",
        summary="Largest is `a`.",
        definition="First\nparagraph.\n\nSecond one, <script>alert(1)</script>.",
        tables=(table, raw),
        figures=(Figure("plot", 'A "line".', new_drawing(1.0, 0.5)),),
        provenance={"seed": 3, "versions": {"torch": "2.11"}, "paths": [1, 2]},
        notes=("Use `--extractor <FILE>`.",),
    )


@pytest.fixture
def pictures(report: Report) -> dict[str, bytes]:
    return {report.file(figure): figure_to_png(figure) for figure in report.figures}


def test_the_page_fetches_nothing_and_runs_nothing(report: Report, pictures: dict[str, bytes]):
    page = Page(render_page([report], "runs/first", pictures))
    sources = [value for tag, attrs in page.tags for name, value in attrs.items() if name in ("src", "href")]
    assert all(str(v).startswith(("data:", "#")) or str(v).startswith("size") for v in sources), sources
    assert "script" not in [tag for tag, _ in page.tags]
    assert "http" not in render_page([report], "m", pictures)


def test_pictures_are_embedded_with_their_caption_as_text(report: Report, pictures: dict[str, bytes]):
    page = Page(render_page([report], "m", pictures))
    (source,) = page.values("img", "src")
    assert base64.b64decode(source.removeprefix("data:image/png;base64,")) == pictures["size-plot.png"]
    assert page.values("img", "alt") == ['A "line".']
    assert page.values("img", "style") == ["--width: 100px"]


def test_every_text_is_shown_as_it_is_and_none_of_it_becomes_markup(report: Report, pictures: dict[str, bytes]):
    page = Page(render_page([report], "<i>m</i>", pictures))
    for text in ("<i>m</i>", "a & <b>", "The <main> table", "<script>alert(1)</script>", "--extractor <FILE>"):
        assert text in page.text
    assert not {"i", "script", "b"} & {tag for tag, _ in page.tags}


def test_backticks_become_code(report: Report, pictures: dict[str, bytes]):
    html = render_page([report], "m", pictures)
    assert "Largest is <code>a</code>." in html and "<code>--extractor &lt;FILE&gt;</code>." in html


def test_a_deviation_joins_its_value_and_no_value_is_a_dash(report: Report, pictures: dict[str, bytes]):
    html = render_page([report], "m", pictures)
    assert '<td class="number">1.23 ± 0.50</td>' in html
    assert '<td class="number">–</td>' in html


def test_a_raw_table_is_named_but_not_shown(report: Report, pictures: dict[str, bytes]):
    page = Page(render_page([report], "m", pictures))
    assert "98765" not in page.text
    assert "size-raw.csv" in page.values("a", "href") and "(everything: 1 rows)" in page.text


def test_definition_and_provenance_are_a_click_away(report: Report, pictures: dict[str, bytes]):
    page = Page(render_page([report], "m", pictures))
    assert [tag for tag, _ in page.tags].count("details") == 2
    assert "First paragraph." in page.text
    assert all(text in page.text for text in ("seed", "torch", "2.11", "[1, 2]"))


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, "–"),
        (True, "yes"),
        ("word", "word"),
        (102_400_000, "102\u202f400\u202f000"),
        (0.0, "0.00"),
        (1.0, "1.00"),
        (0.44123, "0.441"),
        (12.345, "12.3"),
        (123.45, "123"),
        (-1.5, "\u22121.50"),
        (1.234e-5, "1.23e\u221205"),
        (1.5e9, "1.50e+09"),
    ],
)
def test_a_cell_is_printed_for_reading(cell: Cell, text: str):
    assert format_cell(cell) == text


def test_a_deviation_has_the_decimals_of_its_value():
    assert format_error(0.04567, 1.234) == "0.05"
    assert format_error(0.04567, 0.1234) == "0.046"
    assert format_error(1e-9, 1.0) == format_cell(1e-9)


def test_a_long_name_keeps_both_ends():
    assert shorten("block1.conv", 20) == "block1.conv"
    assert shorten("abcdefghij", 5) == "ab…ij"
    assert len(shorten("x" * 99, 24)) == 24


def test_a_drawing_needs_no_pyplot():
    buffer = io.BytesIO()
    new_drawing(1, 1).savefig(buffer, format="png")
    assert buffer.getvalue().startswith(b"\x89PNG")
