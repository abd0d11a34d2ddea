"""The numbered examples are short and run, one after the other, at toy scale; so does the notebook, from top to bottom."""

import re
import runpy
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from rpganify.entries import LossEntry
from rpganify.registry import Registry
from rpganify.registry.finding import Selection
from rpganify.testing import check_loss

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("0*.py"))
NOTEBOOK = EXAMPLES / "look_into_a_generator.ipynb"

# Script, its argument at toy scale, and what it must have to say.
ROAD = [
    ("01_convert_and_plan.py", "", ["10,000 paths", r"taken out differs by \d", r"opened again: \(10, 10, 10, 10\)"]),
    ("02_train_from_python.py", "8", [r"digits\n", "digits-twin", r"8 steps, in runs/examples/digits:"]),
    ("03_read_a_bucket.py", "4", ["bucket 3: pixels change by", "Bucket diversity", r"look at runs\S+index\.html"]),
    ("04_grow.py", "4", [r"\(15, 10, 10\)", "after training, old paths changed by 0.0", "0 tensors changed"]),
    ("05_write_a_plugin.py", "4", ["keeps the laws", r"a slip is found: .*Turn the sign", "4 steps with it"]),
]


def test_every_example_is_on_the_road() -> None:
    assert [script.name for script in SCRIPTS] == [name for name, _, _ in ROAD]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_an_example_has_at_most_60_lines_and_says_how_to_run_it(script: Path) -> None:
    text = script.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 60
    assert f"python examples/{script.name}" in text.split('"""')[1]


def test_the_examples_run_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, argument, expected in ROAD:
        monkeypatch.setattr(sys, "argv", [name, *([argument] if argument else [])])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        printed = capsys.readouterr().out
        for pattern in expected:
            assert re.search(pattern, printed), (name, pattern, printed)


def test_the_plugin_of_the_examples_keeps_the_laws_of_its_kind() -> None:
    registry = Registry(Selection(directories=(EXAMPLES / "plugins",), only=("soft_hinge",)))
    check_loss(registry.make(registry.get(LossEntry, "soft-hinge")))


def test_the_notebook_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEPS", "6")
    monkeypatch.setenv("PATHS", "4")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= 3
    assert (tmp_path / "runs" / "notebook" / "one-path.safetensors").is_file()


def test_the_notebook_is_kept_without_outputs_of_a_run_and_in_a_valid_form() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert code and not any(cell.outputs for cell in code) and all(cell.execution_count is None for cell in code)
