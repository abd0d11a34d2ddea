import pytest
from matplotlib.figure import Figure as Drawing

from rpganify.errors import AnalysisError
from rpganify.report.report import Column, Figure, Report, Table


def table(*rows: tuple[object, ...], name: str = "t") -> Table:
    return Table(name, "a table", (Column("a"), Column("b", "%")), rows)  # type: ignore[arg-type]


def test_a_row_of_another_width_is_refused():
    with pytest.raises(AnalysisError, match=r"Row 1 of table 't' has 1 cells for 2 columns"):
        table((1, 2), (1,))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_cell_that_is_no_number_is_refused_and_the_message_says_what_to_give_instead(value: float):
    with pytest.raises(AnalysisError, match=r"row 0, column 'b' is (nan|inf).*Give None"):
        table((1, value))


def test_none_stands_for_no_value():
    assert table((1, None)).rows == ((1, None),)


def test_two_columns_of_one_heading_are_refused():
    with pytest.raises(AnalysisError, match="each under its own heading"):
        Table("t", "", (Column("a"), Column("a")), ())


def test_the_first_column_cannot_be_the_error_of_another():
    with pytest.raises(AnalysisError, match="the first cannot be the ± of another"):
        Table("t", "", (Column("a", is_error=True),), ())


@pytest.mark.parametrize("name", ["", "../up", "a b", "-x", "a/b", "x" * 121])
def test_a_name_that_makes_no_file_name_is_refused(name: str):
    with pytest.raises(AnalysisError, match="it becomes part of a file's name"):
        table(name=name)
    with pytest.raises(AnalysisError, match="cannot name a figure"):
        Figure(name, "", Drawing())
    with pytest.raises(AnalysisError, match="cannot name a report"):
        Report(name, "", "")


def test_two_tables_or_figures_of_one_name_are_refused():
    with pytest.raises(AnalysisError, match="two tables called 't'"):
        Report("r", "", "", tables=(table(), table()))
    with pytest.raises(AnalysisError, match="two figures called 'f'"):
        Report("r", "", "", figures=(Figure("f", "", Drawing()), Figure("f", "", Drawing())))


def test_a_figure_of_bytes_must_be_a_png_file():
    with pytest.raises(AnalysisError, match=r"'f' is no PNG file: it begins with b'GIF89a'"):
        Figure("f", "", b"GIF89a")


def test_a_table_is_found_by_name_and_a_wrong_name_lists_those_there_are():
    report = Report("r", "", "", tables=(table(), table(name="u")))
    assert report.table("u") is report.tables[1]
    with pytest.raises(AnalysisError, match=r"no table 'x', only \['t', 'u'\]"):
        report.table("x")


def test_a_heading_shows_the_unit():
    assert [column.heading for column in table().columns] == ["a", "b [%]"]
