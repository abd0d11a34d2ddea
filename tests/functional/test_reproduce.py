"""examples/reproduce.py: an experiment from beginning to end, stopped and gone on with, and refused in good time."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from examples.reproducing import main
from examples.reproducing.errors import StageError
from examples.reproducing.experiment import Request, reproduce
from examples.reproducing.listing import state_of
from examples.reproducing.processes import Processes
from examples.reproducing.reading import read_recipe
from examples.reproducing.recipe import Recipe
from examples.reproducing.running import Stopped, read_done, run_stages
from examples.reproducing.stages import Places, stages_of
from rpganify.report.pictures import png_size
from tests.recipes import InProcess, tiny, write_data_root

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_root(tmp_path_factory.mktemp("data"))


def silent(line: str) -> None:
    """Nobody listens."""


def small(name: str) -> Recipe:
    return tiny(read_recipe(name, is_small=True))


def test_an_experiment_leaves_numbers_with_all_that_they_came_from_and_a_small_picture(
    data_root: Path, tmp_path: Path
) -> None:
    recipe = small("mnist-incremental")
    quality, of_base = recipe.analyses
    recipe = replace(recipe, analyses=(replace(quality, models=("grown", "anew")), of_base))
    places = Places(tmp_path / "runs", data_root, trial_steps=2)
    execute = InProcess()
    *estimates, file = reproduce(Request(recipe, places, tmp_path / "results"), execute, silent)
    results = json.loads(Path(file).read_text())
    assert len(results["statements"]) == len(recipe.statements) and results["scale"] == "small"
    numbers = results["numbers"]
    assert numbers["grown old-values-kept"]["value"] == 1.0 and numbers["grown old-values-kept"]["spread"] == "exact"
    assert sum(numbers[f"grown share-{digit}"]["value"] for digit in range(10)) == pytest.approx(1.0)
    assert numbers["grown share-new"]["value"] == pytest.approx(
        sum(numbers[f"grown share-{digit}"]["value"] for digit in (7, 8, 9))
    )
    for model in ("grown", "anew"):
        assert numbers[f"{model} frechet"]["low"] < numbers[f"{model} frechet"]["value"]
    assert {"D-semantic-1", "D-semantic-4"} <= {name.partition(" ")[2] for name in numbers if name.startswith("base")}
    kept = next(one for one in results["statements"] if one["number"] == "grown old-values-kept")
    assert kept["verdict"] == "held"
    assert [one["steps"] for one in results["trainings"]] == [2, 2, 2, 2]
    grown = next(one for one in results["trainings"] if one["model"] == "grown")
    assert all("bit for bit as they were" in line for line in grown["verified"]) and grown["cpu_s"] > 0
    assert results["settings"]["training"]["loss"] == "hinge" and results["seeds"] == [0]
    assert set(results["versions"]) >= {"rpganify", "torch", "python"} and results["machine"]["cores"] == os.cpu_count()
    assert str(tmp_path) not in json.dumps(results) and any("DATA" in command for command in results["commands"])
    picture = Path(file).with_name(results["picture"])
    assert picture.stat().st_size < 300_000 and png_size(picture.read_bytes())[0] > 800
    assert "ms a step" in estimates[0] and f"for {recipe.training['steps']:,} steps" in estimates[0]

    ran = len(execute.ran)
    *_, again = reproduce(Request(recipe, places, tmp_path / "results"), execute, silent)
    assert len(execute.ran) == ran and json.loads(Path(again).read_text()) == results, "nothing is done twice"


def test_a_stage_that_fails_says_why_and_the_next_call_goes_on_behind_what_is_done(
    data_root: Path, tmp_path: Path
) -> None:
    places = Places(tmp_path, data_root, trial_steps=2)
    recipe = small("mnist-linear")
    stages = stages_of(recipe, places, (0,))
    with pytest.raises(
        StageError, match=r"seed 0: merged: make ended with exit code 1: error: planted \(.*Repeat the same"
    ):
        run_stages(stages, places, InProcess("merge "), silent)
    done = {stage.name for stage in stages if read_done(stage) is not None}
    assert "seed 0: linear: train" in done and "seed 0: merged: make" not in done
    assert state_of(replace(recipe, seeds=(0,)), places, tmp_path) == f"{len(done)} of {len(stages)} stages"
    execute = InProcess()
    merging = next(stage for stage in stages if stage.name == "seed 0: merged: make")
    run_stages([stage for stage in stages if stage.name in {*done, merging.name}], places, execute, silent)
    assert [words[0] for words in execute.ran] == ["merge"]
    told = read_done(merging)
    assert told is not None and told.wall_s > 1.0, "the time of the failed attempt counts, too"


def test_a_training_that_stopped_is_resumed_and_one_made_otherwise_is_refused(data_root: Path, tmp_path: Path) -> None:
    recipe = small("mnist-linear")
    recipe = replace(recipe, models=recipe.models[:1], analyses=(), classifier=None)
    places = Places(tmp_path, data_root, trial_steps=2)
    stages = stages_of(recipe, places, (0,))
    run_stages(stages, places, InProcess(), silent)
    training = stages[-1]
    training.marker.unlink()  # as if the program had been killed at the last moment
    execute = InProcess()
    run_stages(stages, places, execute, silent)
    assert execute.ran == [(*training.words, "--resume")]
    other = stages_of(replace(recipe, training={**recipe.training, "lr": 0.1}), places, (0,))
    with pytest.raises(StageError, match=r"was made in another way than the recipe says now.*Put the recipe back"):
        run_stages(other, places, InProcess(), silent)


def test_another_experiment_takes_the_models_that_are_trained(data_root: Path, tmp_path: Path) -> None:
    places = Places(tmp_path, data_root, trial_steps=2)
    lender, borrower = small("coloured-mnist-dcgan"), small("coloured-mnist-noise")
    first = [stage for stage in stages_of(lender, places, (0,)) if stage.kind != "analyze"]
    execute = InProcess()
    run_stages(first, places, execute, silent)
    stages = stages_of(borrower, places, (0,))
    assert {stage.output for stage in stages} >= {stage.output for stage in first}
    due = [stage for stage in stages if read_done(stage) is None]
    assert len(execute.ran) == len(first) and [stage.kind for stage in due] == ["analyze"]
    assert f"--twin {places.model(lender, 0, lender.model('twin'))}" in " ".join(due[0].words)


def test_seeds_that_were_done_before_are_summed_up_with_the_others(data_root: Path, tmp_path: Path) -> None:
    recipe = replace(small("mnist-linear"), picture=(("samples linear",),), statements=())
    linear = next(model for model in recipe.models if model.name == "linear")
    analyses = (replace(recipe.analyses[0], models=("linear",)),)
    recipe = replace(recipe, models=(linear,), analyses=analyses, evaluation={})
    places = Places(tmp_path / "runs", data_root, trial_steps=2)
    for seed in (4, 1):
        *_, file = reproduce(Request(recipe, places, tmp_path / "results", (seed,)), InProcess(), silent)
    results = json.loads(Path(file).read_text())
    assert results["seeds"] == [1, 4]
    distance = results["numbers"]["linear frechet"]
    values = list(distance["by_seed"].values())
    assert set(distance["by_seed"]) == {"1", "4"} and distance["value"] == pytest.approx(sum(values) / 2)
    assert distance["spread"] == "2 trainings" and distance["least"] == min(values)


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    result = CliRunner().invoke(main.app(), [str(word) for word in words])
    return subprocess.CompletedProcess(words, result.exit_code, result.stdout, result.stderr)


def test_the_list_names_every_experiment_with_cost_and_state(tmp_path: Path) -> None:
    listed = command("--list", "--runs", tmp_path, "-o", tmp_path)
    assert listed.returncode == 0
    for text in ("mnist-incremental", "full", "small", "not begun", "needs LSUN's", "processor"):
        assert text in listed.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Which experiment?"),
        (("mnist-incremntal",), "Did you mean 'mnist-incremental'"),
        (("mnist-dcgan", "--small"), "mnist-dcgan-small needs data: --data-root DIR"),
        (("mnist-dcgan", "--small", "--data-root", "nowhere"), "There is no folder nowhere"),
        (("mnist-dcgan", "--small", "--data-root", "."), "mnist needs train-images-idx3-ubyte"),
        (("cifar10", "--small", "--data-root", "."), "no such file below ."),
        (("mnist-dcgan", "--data-root", ".", "--extractor", "incption:x"), "Did you mean 'inception'"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_starts(
    words: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused = command(*words, "--runs", "runs", "-o", "results")
    assert refused.returncode == 1 and message in refused.stderr and refused.stdout == ""
    assert not [file for file in tmp_path.rglob("*") if file.is_dir() and file.name.endswith(".rpgan")]
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_ctrl_c_saves_the_training_and_the_same_command_goes_on(data_root: Path, tmp_path: Path) -> None:
    words = [
        "mnist-linear",
        "--small",
        "--seed",
        "0",
        "--steps",
        "100000",
        "--data-root",
        data_root,
        "--runs",
        tmp_path,
    ]
    script = [sys.executable, str(ROOT / "examples" / "reproduce.py"), *map(str, words)]
    metrics = tmp_path / "mnist-linear-small-trial-100000" / "seed-0" / "linear" / "metrics.jsonl"
    reached = []
    for _ in range(2):
        with subprocess.Popen(script, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
            before = metrics.stat().st_size if metrics.is_file() else 0
            deadline = time.monotonic() + 300
            while not (metrics.is_file() and metrics.stat().st_size > before):
                assert process.poll() is None and time.monotonic() < deadline
                time.sleep(0.2)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=120)
        assert process.returncode == 130 and "the same command goes on from here" in said
        reached.append(json.loads(metrics.read_text().splitlines()[-1])["step"])
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert reached[1] > reached[0] and steps == list(range(1, reached[1] + 1)), "no step is done twice, none left out"


def test_a_program_that_is_stopped_lets_nothing_begin(tmp_path: Path) -> None:
    execute = Processes()
    execute.stop(signal.SIGTERM)
    ended = execute(("plugins",), tmp_path / "log")
    assert ended.code == 128 + signal.SIGTERM and ended.wall_s == 0.0


def test_a_command_of_its_own_tells_its_time_and_what_it_printed(tmp_path: Path) -> None:
    ended = Processes()(("--version",), tmp_path / "log")
    assert ended.code == 0 and ended.stdout.startswith("rpganify ")
    assert ended.cpu_s > 0 and ended.wall_s > 0
    refused = Processes()(("nonsense",), tmp_path / "log")
    assert refused.code == 2 and "nonsense" in (tmp_path / "log").read_text()
    assert str(Stopped(130)) == "stopped with 130"
