"""The built-in callback `csv`."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from rpganify.errors import TrainingError
from rpganify.training.callbacks import TrainResult, TrainStart
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.recording.metrics_table import MetricsTable, open_table
from rpganify.training.trainer import Trainer
from tests.unit.training.fakes import Critic, TinyPaths, digits, seeded
from tests.unit.training.recording.test_writers import metrics_of


def trainer(run: Path, steps: int, name: str = "metrics.csv") -> Trainer:
    config = TrainConfig(steps=steps, batch_size=4, num_samples=4, checkpoint_every=2)
    return Trainer(
        seeded(TinyPaths), seeded(Critic), Hinge(), digits(20), config, run=run, callbacks=[MetricsTable(name)]
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_holds_what_the_metrics_file_holds_but_the_numbers_by_bucket(tmp_path: Path) -> None:
    trainer(tmp_path / "run", 3).run()
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    names = [name for name in lines[0] if name != "gradient_norms"]
    expected = [{name: "" if line[name] is None else str(line[name]) for name in names} for line in lines]
    assert rows(tmp_path / "run" / "metrics.csv") == expected
    assert len(expected) == 3


def test_a_resumed_training_goes_on_where_it_stands_and_repeats_no_step(tmp_path: Path) -> None:
    run = tmp_path / "run"
    trainer(run, 2).run()
    with (run / "metrics.csv").open("a") as file:
        columns = ["3", *["0.5"] * 12]
        file.write(",".join(columns) + "\r\n4,0.5,0")  # steps after the checkpoint, one cut short by a crash
    trainer(run, 4).resume()
    assert [row["step"] for row in rows(run / "metrics.csv")] == ["1", "2", "3", "4"]
    assert rows(run / "metrics.csv")[2]["discriminator_loss"] != "0.5"


def test_a_table_from_before_a_column_was_added_keeps_its_rows(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,discriminator_loss,generator_loss\r\n1,0.25,0.5\r\n2,0.75,0.5\r\n")
    table = MetricsTable()
    table.on_start(TrainStart(tmp_path, 1, 10))
    table.on_step(metrics_of(2))
    table.on_rollback(TrainStart(tmp_path, 1, 10))
    table.on_step(metrics_of(2))
    table.on_end(TrainResult(tmp_path, 2, 10, tmp_path, False, 1.0, None))
    first, second = rows(tmp_path / "metrics.csv")
    assert (first["step"], first["discriminator_loss"], first["images_per_s"]) == ("1", "0.25", "")
    assert (second["step"], second["discriminator_loss"], second["images_per_s"]) == ("2", "1.5", "1000.0")


def test_the_file_can_be_named_and_stays_in_the_run(tmp_path: Path) -> None:
    trainer(tmp_path / "run", 1, "losses.csv").run()
    assert len(rows(tmp_path / "run" / "losses.csv")) == 1
    for name in ("../losses.csv", "a/b.csv", ".."):
        with pytest.raises(TrainingError, match="writes into the run's folder and takes a file's name"):
            open_table(name)
