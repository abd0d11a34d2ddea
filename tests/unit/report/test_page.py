import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from PIL import Image

from rpganify.report.contents import WORDS
from rpganify.report.contents import Page as ContentPage
from rpganify.report.page import format_cell, format_error, render_page
from rpganify.report.pictures import figure_to_dark_png, figure_to_png
from rpganify.report.report import Cell, Column, Figure, Report, Table
from rpganify.report.style import new_drawing, shorten
from rpganify.report.subject import BucketCard, Subject, Tile


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


def tile(label: str = "") -> Tile:
    buffer = io.BytesIO()
    Image.new("L", (3, 2), 9).save(buffer, "PNG")
    return Tile(buffer.getvalue(), label, f"picture {label}")


def html_of(*reports: Report, title: str = "runs/first") -> str:
    return render_page(ContentPage(title, (Subject("first", "first", reports=reports),)))


def test_the_page_fetches_nothing_and_its_one_script_and_style_are_its_own(report: Report):
    page = Page(html_of(report))
    sources = [value for tag, attrs in page.tags for name, value in attrs.items() if name in ("src", "href")]
    assert all(str(v).startswith(("data:", "#", "size")) for v in sources), sources
    assert [attrs for tag, attrs in page.tags if tag in ("script", "style")] == [{}, {}]
    assert [attrs.get("rel") for tag, attrs in page.tags if tag == "link"] == ["icon"]
    assert not {"iframe", "object", "embed", "video", "audio", "base"} & {tag for tag, _ in page.tags}
    for word in ("http:", "https:", "//", "fetch(", "XMLHttpRequest", "@import", "url("):
        assert word not in re.sub(r'"data:image/png;base64,[^"]*"|^ *//.*$', "", html_of(report), flags=re.M), word


def test_pictures_are_embedded_for_light_and_dark_with_their_caption_as_text(report: Report):
    page = Page(html_of(report))
    shown = [attrs for tag, attrs in page.tags if tag == "img"]
    wanted = [figure_to_png(report.figures[0]), figure_to_dark_png(report.figures[0])]
    assert [base64.b64decode((one["src"] or "").removeprefix("data:image/png;base64,")) for one in shown] == wanted
    assert [one["class"] for one in shown] == ["on-light", "on-dark"]
    assert [one["alt"] for one in shown] == ['A "line".'] * 2
    assert [(one["width"], one["height"]) for one in shown] == [("100", "50")] * 2


def test_a_photograph_stands_once_and_on_light_ground(report: Report):
    photograph = Figure("photo", "A photo.", tile().png)
    page = Page(html_of(replace(report, figures=(photograph,))))
    assert [attrs["alt"] for tag, attrs in page.tags if tag == "img"] == ["A photo."]
    assert "zoom light-only" in page.values("button", "class")


def test_every_text_is_shown_as_it_is_and_none_of_it_becomes_markup(report: Report):
    card = BucketCard(1, "<b>1</b>", ("l",), 2, 3, 0, (tile("<u>"),), ("<em>words</em>",))
    subject = Subject(
        "<i>name</i>",
        "key",
        "A <q>lead</q>.",
        (("<s>", "<var>"),),
        tile("0-1"),
        (card,),
        (tile(),),
        (report,),
        ("<p2>",),
    )
    page = Page(render_page(ContentPage("<i>m</i>", (subject,), colophon="<kbd>")))
    texts = ("<i>m</i>", "a & <b>", "The <main> table", "<script>alert(1)</script>", "--extractor <FILE>", "<b>1</b>")
    for text in (*texts, "<u>", "<em>words</em>", "A <q>lead</q>.", "<s>", "<var>", "<p2>", "<kbd>"):
        assert text in page.text
    assert not {"i", "b", "em", "q", "s", "var", "p2", "kbd", "u"} & {tag for tag, _ in page.tags}
    assert [tag for tag, _ in page.tags].count("script") == 1


def test_backticks_become_code(report: Report):
    html = html_of(report)
    assert "Largest is <code>a</code>." in html and "<code>--extractor &lt;FILE&gt;</code>." in html


def test_a_deviation_joins_its_value_and_no_value_is_a_dash(report: Report):
    html = html_of(report)
    assert '<td class="number">1.23 ± 0.50</td>' in html
    assert '<td class="number">–</td>' in html


def test_a_raw_table_is_named_but_not_shown(report: Report):
    page = Page(html_of(report))
    assert "98765" not in page.text
    assert "size-raw.csv" in page.values("a", "href") and "(everything: 1 rows)" in page.text


def test_a_long_table_opens_on_a_click(report: Report):
    table = Table("long", "Many rows", (Column("n"),), tuple((n,) for n in range(13)))
    page = Page(html_of(replace(report, tables=(table,))))
    assert [tag for tag, _ in page.tags].count("details") == 4 and "Many rows 13 rows" in " ".join(page.text.split())
    short = Page(html_of(replace(report, tables=(replace(table, rows=table.rows[:12]),))))
    assert [tag for tag, _ in short.tags].count("details") == 3


def test_definition_provenance_and_words_are_on_the_page(report: Report):
    page = Page(html_of(report))
    assert [tag for tag, _ in page.tags].count("details") == 3
    assert "First paragraph." in page.text
    assert all(text in page.text for text in ("seed", "torch", "2.11", "[1, 2]"))
    assert all(word in page.text for word, _ in WORDS)


def test_the_contents_lead_to_every_section_that_there_is(report: Report):
    card = BucketCard(1, "dense", ("l",), 2, 3, 0, ())
    reports = tuple(replace(report, name=name) for name in ("training", "zebra", "plan", "quality", "variations"))
    subject = Subject("first", "first", cards=(card,), samples=(tile(),), reports=reports)
    page = Page(render_page(ContentPage("first", (subject,))))
    links = [link.removeprefix("#") for link in page.values("a", "href") if link.startswith("#")]
    order = ["buckets-first", "samples", "variations", "quality", "zebra", "training", "plan", "words"]
    assert [link for link in links[2:] if link in order][: len(order)] == order
    assert set(links) <= set(page.values("section", "id")) | {"top"}
    assert page.values("section", "id") == order


def test_several_models_stand_side_by_side_under_their_names(report: Report):
    one, two = (Subject(name, name, reports=(report,), notes=("left out",)) for name in ("one", "two"))
    both = replace(report, name="comparison", title="Both")
    page = Page(render_page(ContentPage("one and two", (one, two), comparisons=(both,))))
    assert page.values("section", "id") == ["comparison", "size", "words"]
    assert [tag for tag, _ in page.tags].count("h3") == 2
    files = {link for link in page.values("a", "href") if not link.startswith("#")}
    assert {"one/size.json", "two/size-main.csv", "comparison.json"} <= files
    assert "one: left out" in page.text and "two: left out" in page.text


def test_the_first_screen_holds_what_was_found_where_it_is_short(report: Report):
    told = replace(report, name="noise", summary="Short."), replace(report, name="quality", summary="long " * 120)
    page = html_of(*told)
    first_screen = page[: page.index("</header>")]
    assert "Short." in first_screen and "long long" not in first_screen


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
