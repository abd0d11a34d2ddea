import base64
import csv
import json
import os
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from PIL import Image

from rpganify.errors import AnalysisError
from rpganify.report.contents import Page
from rpganify.report.report import Column, Figure, Report, Table
from rpganify.report.style import new_drawing
from rpganify.report.subject import Subject
from rpganify.report.writing import write_page, write_reports


def report(name: str = "size", value: float = 0.1) -> Report:
    drawing = new_drawing(2.0, 1.0)
    drawing.add_subplot().plot([1, 2])
    rows = ((1, "dense", value, 1 / 3), (2, "last, one", None, None))
    columns = (Column("bucket"), Column("name"), Column("size", "px"), Column("std", is_error=True))
    return Report(
        name=name,
        title="Size",
        definition="What it is.",
        tables=(Table("main", "Sizes", columns, rows),),
        figures=(Figure("plot", "A line.", drawing),),
        provenance={"seed": 3, "versions": {"torch": "2"}},
        notes=("Take care.",),
    )


def test_a_report_becomes_a_page_and_json_csv_and_png_files(tmp_path: Path):
    written = write_reports([report()], tmp_path / "out", title="my model")
    names = ["index.html", "report.json", "size.json", "size-main.csv", "size-plot.png"]
    assert [path.name for path in written] == names
    assert sorted(os.listdir(tmp_path / "out")) == sorted(names)


def test_json_and_csv_hold_the_numbers_in_full_precision_and_none_as_no_value(tmp_path: Path):
    write_reports([report(value=0.1 + 0.2)], tmp_path, title="m")
    data = json.loads((tmp_path / "size.json").read_text())
    assert data["tables"]["main"]["rows"] == [[1, "dense", 0.1 + 0.2, 1 / 3], [2, "last, one", None, None]]
    assert data["tables"]["main"]["columns"][2] == {"name": "size", "unit": "px", "is_error": False}
    assert data["provenance"] == {"seed": 3, "versions": {"torch": "2"}}
    assert data["figures"] == [{"name": "plot", "file": "size-plot.png", "caption": "A line."}]
    assert data["notes"] == ["Take care."]
    with (tmp_path / "size-main.csv").open(newline="") as file:
        heading, first, second = csv.reader(file)
    assert heading == ["bucket", "name", "size [px]", "std"]
    assert [float(first[2]), float(first[3])] == [0.1 + 0.2, 1 / 3]
    assert second == ["2", "last, one", "", ""]


def test_a_figure_is_drawn_once_for_page_and_file_and_once_for_a_dark_page(tmp_path: Path):
    made = report()
    drawing = made.figures[0].picture
    with patch.object(drawing, "savefig", wraps=drawing.savefig) as savefig:
        write_reports([made], tmp_path, title="m")
    assert savefig.call_count == 2
    file = base64.b64encode((tmp_path / "size-plot.png").read_bytes()).decode()
    assert f"data:image/png;base64,{file}" in (tmp_path / "index.html").read_text()


def test_a_figure_is_saved_at_its_own_resolution(tmp_path: Path):
    write_reports([report()], tmp_path, title="m")
    with Image.open(tmp_path / "size-plot.png") as image:
        assert image.size == (400, 200)


def test_equal_reports_give_equal_bytes(tmp_path: Path):
    one = write_reports([report()], tmp_path / "one", title="m")
    two = write_reports([report()], tmp_path / "two", title="m")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_writing_again_replaces_the_files_and_leaves_those_of_other_names(tmp_path: Path):
    write_reports([report(value=1.0)], tmp_path, title="m")
    (tmp_path / "mine.txt").write_text("keep")
    write_reports([report(value=2.0)], tmp_path, title="m")
    assert json.loads((tmp_path / "size.json").read_text())["tables"]["main"]["rows"][0][2] == 2.0
    assert (tmp_path / "mine.txt").read_text() == "keep"
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_a_full_disk_leaves_what_was_there_and_says_how_to_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_reports([report(value=1.0)], tmp_path, title="m")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rpganify.report.writing.os.fsync", full)
    with pytest.raises(AnalysisError, match=r"No space left on device.*unchanged.*another directory with -o"):
        write_reports([report(value=2.0)], tmp_path, title="m")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    with pytest.raises(AnalysisError, match="No space left on device"):
        write_reports([report()], tmp_path / "new", title="m")
    assert not (tmp_path / "new").exists()


def test_a_file_where_the_directory_should_be_is_refused(tmp_path: Path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(AnalysisError, match=r"cannot be written to .*out: File exists"):
        write_reports([report()], tmp_path / "out", title="m")
    assert (tmp_path / "out").read_text() == "a file"


def test_two_parts_of_one_file_name_are_refused(tmp_path: Path):
    with pytest.raises(AnalysisError, match=r"would be written to 'size-main.csv'"):
        write_reports([report(), report()], tmp_path, title="m")
    assert not list(tmp_path.iterdir())


def test_no_report_is_refused(tmp_path: Path):
    with pytest.raises(AnalysisError, match="There is no report to write"):
        write_reports([], tmp_path, title="m")


def test_files_of_several_models_lie_in_a_folder_each_and_one_file_holds_all_numbers(tmp_path: Path):
    subjects = tuple(
        Subject(name, name, lead=f"It is {name}.", facts=(("Paths", "3"),), reports=(report(),)) for name in "ab"
    )
    both = replace(report(), name="both")
    written = write_page(Page("a and b", subjects, comparisons=(both,)), tmp_path)
    files = ["size.json", "size-main.csv", "size-plot.png"]
    expected = ["index.html", "report.json", "both.json", "both-main.csv", "both-plot.png"]
    expected += [f"{name}/{file}" for name in "ab" for file in files]
    assert [path.relative_to(tmp_path).as_posix() for path in written] == expected
    data = json.loads((tmp_path / "report.json").read_text())
    assert list(data["models"]) == ["a", "b"] and data["models"]["a"]["is"] == "It is a."
    assert data["models"]["b"]["reports"]["size"] == json.loads((tmp_path / "b" / "size.json").read_text())
    assert data["models"]["b"]["folder"] == "b/" and data["comparisons"]["both"]["name"] == "both"


def test_a_page_without_any_report_is_refused(tmp_path: Path):
    with pytest.raises(AnalysisError, match=r"no report to write\. Name an analyzer"):
        write_page(Page("m", (Subject("m", "m"),)), tmp_path / "out")
    assert not (tmp_path / "out").exists()
