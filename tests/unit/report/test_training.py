import json
import math
from pathlib import Path

import pytest

from rpganify.errors import AnalysisError
from rpganify.report.training import training_report
from rpganify.report.training_log import read_training_log
from rpganify.report.writing import pictures_of, report_to_json


def write(path: Path, rows: list[object]) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path


def steps(num_steps: int) -> list[object]:
    return [
        {"step": n, "discriminator_loss": 2.0 - n / num_steps, "generator_loss": n / 7, "real_score": 1.0,
         "fake_score": None, "diversity": -5, "fid": 3.0 if n % 100 == 0 else None, "data_s": 0.1, "images_per_s": 9.5,
         "is_ok": True, "gradient_norms": {"l1": 1.0}}
        for n in range(1, num_steps + 1)
    ]  # fmt: skip


def test_a_training_is_told_by_its_curves_and_its_settings(tmp_path: Path):
    report = training_report(
        read_training_log(write(tmp_path / "metrics.jsonl", steps(1000))), {"settings": {"steps": 1000}}
    )
    assert report is not None and report.provenance == {"settings": {"steps": 1000}}
    assert report.summary == "1\u202f000 steps." and report.notes == ()
    raw = report.table("curves")
    assert [c.name for c in raw.columns] == [
        "step",
        "discriminator_loss",
        "generator_loss",
        "real_score",
        "diversity",
        "fid",
    ]
    assert raw.is_raw and len(raw.rows) == 1000 and raw.rows[99][:2] == (100, 1.9) and raw.rows[99][5] == 3.0
    ends = {row[0]: row[1:] for row in report.table("ends").rows}
    assert ends["discriminator loss"][0] == pytest.approx(2 - 50.5 / 1000)
    assert ends["discriminator loss"][2] == pytest.approx(2 - 950.5 / 1000)
    assert ends["diversity"] == (-5, 0, -5, 0) and ends["fid"] == (3.0, None, 3.0, None)
    names = ["discriminator_loss-generator_loss", "real_score", "diversity", "fid"]
    assert [figure.name for figure in report.figures] == names
    assert report.figures[1].caption.startswith("Score of the discriminator against the generator's steps.")
    assert report_to_json(report)["name"] == "training"


def test_a_long_training_is_thinned_and_the_file_says_so(tmp_path: Path):
    report = training_report(read_training_log(write(tmp_path / "m.jsonl", steps(5000))), {})
    assert report is not None
    raw = report.table("curves")
    assert len(raw.rows) == 2000 and (raw.rows[0][0], raw.rows[-1][0]) == (1, 5000)
    assert raw.title == "the values of 2000 of 5000 steps"


def test_lines_that_are_no_data_are_passed_over_and_counted_and_of_a_step_done_twice_the_last_counts(tmp_path: Path):
    rows: list[object] = [*steps(3), '{"step": 4, "generator_', "[]", '{"no": 1}', {"step": 3, "generator_loss": 99.0}]
    report = training_report(
        read_training_log(write(tmp_path / "m.jsonl", [*rows, '{"step": 5, "generator_loss": NaN}'])), {}
    )
    assert report is not None and report.notes == ("3 lines of the training's logs could not be read.",)
    raw = report.table("curves")
    place = [column.name for column in raw.columns].index("generator_loss")
    assert [(row[0], row[place]) for row in raw.rows] == [(1, 1 / 7), (2, 2 / 7), (3, 99.0), (5, None)]


@pytest.mark.parametrize("rows", [[], ["", "nothing"], [{"step": 1, "generator_loss": math.inf}]])
def test_a_training_that_has_no_number_yet_has_no_report(tmp_path: Path, rows: list[object]):
    assert training_report(read_training_log(write(tmp_path / "m.jsonl", rows)), {}) is None


def test_a_missing_file_is_refused_with_the_way_on(tmp_path: Path):
    with pytest.raises(
        AnalysisError, match=r"none\.jsonl cannot be read: No such file.*name the checkpoint's generator"
    ):
        read_training_log(tmp_path / "none.jsonl")


def test_quality_and_alarms_stand_beside_the_steps(tmp_path: Path):
    values = [(10, 30.0), (20, 12.0), (30, 15.0), (20, 11.0)]
    quality: list[object] = [
        {"step": n, "name": "FID of $x$", "value": v, "is_lower_better": True, "is_best": False} for n, v in values
    ]
    quality.append({"step": 30, "name": "precision", "value": 0.4, "is_lower_better": False})
    quality.append({"step": 20, "name": "precision", "value": 0.3, "is_lower_better": False})
    alarms: list[object] = [{"step": n, "kind": "saturation", "message": f"Loss {n}."} for n in range(7)]
    log = read_training_log(
        write(tmp_path / "m.jsonl", steps(30)),
        write(tmp_path / "q.jsonl", quality),
        write(tmp_path / "e.jsonl", [*alarms, "cut of"]),
    )
    report = training_report(log, {})
    assert report is not None
    assert report.summary == "30 steps. FID of $x$ was best after step 20: 11. precision was best after step 30: 0.4."
    rows = (("FID of $x$", "lower", 11.0, 20, 15.0), ("precision", "higher", 0.4, 30, 0.4))
    assert report.table("quality").rows == rows
    assert [figure.name for figure in report.figures][:2] == ["quality-FID-of-x", "quality-precision"]
    assert "lower is better. Ringed: the best, after step 20" in report.figures[0].caption
    broken = "1 lines of the training's logs could not be read."
    assert report.notes == (*(f"Step {n}: Loss {n}." for n in range(5)), "There were 2 alarms more.", broken)
    assert pictures_of(report)
