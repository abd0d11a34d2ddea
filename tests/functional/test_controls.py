"""`rpganify concepts --save-controls` and `rpganify sample --control`: from a generator to images that are raised to a class.

The generators and what controls them are planted: class 1 is dimension 3, or block 2 of bucket 1; class 2 is dimensions 5
and 8, or block 1 of bucket 2 with block 3 of bucket 3.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import rpganify
from rpganify.analysis.controls.choices import Choice
from rpganify.analysis.controls.control import Control
from rpganify.analysis.controls.saved import SavedControls, load_controls, save_controls
from rpganify.analysis.provenance import model_sha256
from tests.functional.conftest import Shell
from tests.unit.analysis.controls.planted import converted_model, planted_classifier, standard_model

READER = """
import torch.nn as nn


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 3)

    def forward(self, images):
        return self.layer(images.flatten(1))
"""
JUDGED = ("--classifier", "reader.py:Reader", "--classifier-weights", "reader.safetensors", "--delta", "3")
A, B, OTHER = (Choice(0, 2.0),), (Choice(1, 1.0), Choice(2, 3.0)), (Choice(0, 5.0),)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Both models, the classifier, and the controls of both, once for all tests; the routed one's as they are planted."""
    shell = Shell(tmp_path_factory.mktemp("planted"))
    torch.manual_seed(0)
    weight = torch.zeros(3, 64)
    weight[1, 0], weight[2, 1] = 4.5, 8.0
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shell.directory)
        rpganify.save(standard_model(), "plain.rpgan")
        rpganify.save(converted_model(), "routed.rpgan")
        shell.write("reader.py", READER)
        save_file({"layer.weight": weight, "layer.bias": torch.tensor([4.0, 4.5, 8.0])}, "reader.safetensors")
        said = shell.succeeds(
            *("concepts", "plain.rpgan", *JUDGED, "--num-z", "60", "-o", "p", "--save-controls", "plain.safetensors")
        )
        controls = (
            Control("0", "blocks", OTHER, (OTHER,)),
            Control("1", "blocks", A, (A,), (OTHER,)),
            Control("2", "blocks", B, (B[:1], B)),
        )
        saved = SavedControls(controls, model_sha256(rpganify.load("routed.rpgan")), 4)
        save_controls(saved, Path("routed.rpgan/controls.safetensors"))
    return shell, said


@pytest.fixture
def shell(planted, monkeypatch):
    found, _ = planted
    monkeypatch.chdir(found.directory)
    return found


def classes(shell, *arguments):
    told = json.loads(shell.succeeds("sample", *arguments, "-n", "40", "-o", "out.npy", "--json").stdout)
    images = torch.from_numpy(np.load(shell.directory / "out.npy"))
    return planted_classifier().classes(images), told


def test_the_planted_sets_are_saved_and_the_next_command_is_said(planted):
    shell, said = planted
    with safe_open(shell.directory / "plain.safetensors", framework="pt") as stored:
        assert stored.get_tensor("1.found.coordinates").tolist() == [3]
        assert sorted(stored.get_tensor("2.found.coordinates").tolist()) == [5, 8]
    assert re.search(r"next: rpganify sample plain.rpgan --control \d=\+2 --controls plain.safetensors -o", said.stderr)
    assert "Controlling sets of each class: " in said.stdout
    assert "Controlling sets, on held-out codes" in (shell.directory / "p" / "index.html").read_text()
    assert (shell.directory / "p" / "controls-translation.png").is_file()


@pytest.mark.slow
def test_a_converted_model_s_sets_are_saved_in_its_folder_and_compared_with_a_twin(shell):
    file = shell.directory / "routed.rpgan" / "controls.safetensors"
    planted_file = file.read_bytes()
    said = shell.succeeds(
        *("concepts", "routed.rpgan", *JUDGED, "--num-z", "500", "-o", "r", "--twin", "plain.rpgan"),
        *("--save-controls", "routed.rpgan/controls.safetensors"),
    )
    found = load_controls(file)
    file.write_bytes(planted_file)
    assert found.find("1").choices == A and set(found.find("2").choices) == set(B)
    # Controls that lie in the model's folder are found without being named.
    assert re.search(r"next: rpganify sample routed.rpgan --control \d=\+1 -o", said.stderr)
    assert "The standard twin:" in said.stdout
    assert "dimensions for 2 blocks" in (shell.directory / "r" / "index.html").read_text()


def test_a_control_of_a_standard_generator_raises_its_class_and_against_it_lowers_it(shell):
    controls = ("--controls", "plain.safetensors")
    before, _ = classes(shell, "plain.rpgan")
    raised, told = classes(shell, "plain.rpgan", "--control", "1=+2", *controls)
    lowered, _ = classes(shell, "plain.rpgan", "--control", "1=-2", *controls)
    assert told["controls"] == ["1=+2"] and told["paths"] == []
    assert 0 < int((before == 1).sum()) < 20 < int((raised == 1).sum())
    assert int((lowered == 1).sum()) == 0
    as_found, _ = classes(shell, "plain.rpgan", "--control", "2", *controls)
    assert int((as_found == 2).sum()) > 30


def test_several_controls_at_once(shell):
    both, told = classes(
        shell, "plain.rpgan", "--control", "1=-3", "--control", "2=+3", "--controls", "plain.safetensors"
    )
    assert told["controls"] == ["1=-3", "2=+3"]
    assert int((both == 2).sum()) > 30


def test_of_a_converted_model_as_many_blocks_are_put_in_as_the_strength_says(shell):
    one, told = classes(shell, "routed.rpgan", "--control", "2=+1")
    assert {path.split("-")[1] for path in told["paths"]} == {"1"}
    assert len({path.split("-")[2] for path in told["paths"]}) > 1
    two, told = classes(shell, "routed.rpgan", "--control", "2=+2")
    assert all(path.split("-")[1:3] == ["1", "3"] for path in told["paths"])
    assert int((one == 2).sum()) < int((two == 2).sum()) == 40
    result = shell.succeeds("sample", "routed.rpgan", "--control", "2=+2", "-n", "4")
    assert "controls of routed.rpgan/controls.safetensors" in result.stderr
    assert "wrote grid.png: 4 images, control 2=+2" in result.stderr
    path = json.loads(
        shell.succeeds("sample", "routed.rpgan", "--path", "0-0-0-5", "--control", "1=+1", "--json").stdout
    )
    assert path["paths"] == ["2-0-0-5"]


def test_two_controls_that_set_the_same_are_noted(shell):
    controls = ("--control", "1=+1", "--control", "0=+1")
    result = shell.succeeds("sample", "routed.rpgan", *controls, "-n", "4")
    assert "note: 1=+1 and 0=+1 both set bucket 1, and 0=+1, named last, has it" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["plain.rpgan", "--control", "1=+2"],
            "There are no controls at plain.rpgan/controls.safetensors. Name their file",
        ),
        (["plain.rpgan", "--control", "9", "--controls", "plain.safetensors"], "There is no control of '9'"),
        (
            ["routed.rpgan", "--control", "1", "--controls", "plain.safetensors"],
            "These controls were found on another model",
        ),
        (["routed.rpgan", "--control", "1=+9"], "1=+9: of a converted model, the number says how many blocks"),
        (["routed.rpgan", "--control", "1=0.5"], "1=+0.5: of a converted model"),
        (
            ["routed.rpgan", "--control", "1", "--controls", "reader.safetensors"],
            "reader.safetensors holds no controls",
        ),
        (["routed.rpgan", "--control", "1", "--controls", "none.safetensors"], "none.safetensors cannot be read"),
    ],
)
def test_a_control_that_there_is_not_is_refused(shell, arguments, message):
    assert message in shell.refuses("sample", *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample", "routed.rpgan", "--control", "1=much"], "'1=much' is not CONCEPT=STRENGTH, such as 3=+2"),
        (["sample", "routed.rpgan", "--control", "=2"], "'=2' is not CONCEPT=STRENGTH"),
        (["sample", "routed.rpgan", "--control", "1=nan"], "'1=nan' is not CONCEPT=STRENGTH"),
        (["sample", "routed.rpgan", "--control", "1=+1", "--control", "1"], "'1' is given twice"),
        (["sample", "routed.rpgan", "--controls", "plain.safetensors"], "name one: --control 3=+2"),
        (["sample", "routed.rpgan", "--control", "1", "--vary", "2"], "leave it out with --vary"),
        (["concepts", "routed.rpgan", *JUDGED, "--save-controls", "c.json"], "c.json must end in .safetensors"),
    ],
)
def test_wrong_usage_is_said(shell, arguments, message):
    result = shell(*arguments)
    assert result.exit_code == 2 and message in " ".join(result.stderr.split())
