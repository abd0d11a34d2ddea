import json
import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from rpganify.analysis.controls.choices import Choice
from rpganify.analysis.controls.control import Control
from rpganify.analysis.controls.saved import FORMAT, SavedControls, find_controls, load_controls, save_controls
from rpganify.errors import AnalysisError

LATENT = SavedControls(
    (
        Control("zero", "set", (Choice(3, 3.0), Choice(1, -2.0))),
        Control("one=1/2.", "shift", (Choice(0, 0.1), Choice(5, -1 / 3))),
        Control("nothing", "set", ()),
    ),
    "ab" * 32,
    6,
    {"classifier": {"name": "digits"}, "seed": 3},
)
RAISING = ((Choice(1, 7.0),), (Choice(1, 4.0), Choice(0, 5.0)))
PATHS = SavedControls((Control("3", "blocks", RAISING[-1], RAISING, ((Choice(2, 6.0),),)),), "cd" * 32, 3)


@pytest.mark.parametrize("saved", [LATENT, PATHS], ids=["latent", "paths"])
def test_what_is_written_is_read_again_to_the_last_bit(tmp_path, saved):
    file = tmp_path / "new" / "controls.safetensors"
    save_controls(saved, file)
    assert load_controls(file) == saved
    assert [one.name for one in file.parent.iterdir()] == [file.name]
    save_controls(saved, file)  # replaces


def test_the_file_is_data_that_any_reader_of_safetensors_opens(tmp_path):
    file = tmp_path / "controls.safetensors"
    save_controls(LATENT, file)
    with safe_open(file, framework="np") as stored:
        assert stored.get_tensor("0.found.coordinates").tolist() == [3, 1]
        assert stored.get_tensor("0.found.values").tolist() == [3, -2]
        told = stored.metadata()
    assert told["format"] == FORMAT and json.loads(told["told"]) == {"classifier": {"name": "digits"}, "seed": 3}


def test_an_unknown_concept_is_refused_with_those_there_are():
    message = "There is no control of 'zer'. These controls are of zero, one=1/2., nothing. Did you mean 'zero'?"
    with pytest.raises(AnalysisError, match=re.escape(message)):
        LATENT.find("zer")
    assert LATENT.find("zero") is LATENT.controls[0]


def test_another_model_is_refused():
    LATENT.check_model("ab" * 32)
    message = (
        "These controls were found on another model, or on this one before it changed: they belong to the one with SHA"
    )
    with pytest.raises(AnalysisError, match=message + "-256 abababababab…, and this is cdcdcdcdcdcd…"):
        LATENT.check_model("cd" * 32)


def test_controls_lie_in_the_model_s_folder_unless_another_file_is_named(tmp_path):
    missing = f"There are no controls at {tmp_path / 'controls.safetensors'}. Name their file: `--controls FILE`."
    with pytest.raises(AnalysisError, match=re.escape(missing)):
        find_controls(tmp_path, None)
    save_controls(LATENT, tmp_path / "controls.safetensors")
    assert find_controls(tmp_path, None) == tmp_path / "controls.safetensors"
    assert find_controls(tmp_path, Path("other.safetensors")) == Path("other.safetensors")


def test_a_missing_file_another_one_and_a_suffix_that_is_none_are_refused(tmp_path):
    file = tmp_path / "controls.safetensors"
    with pytest.raises(AnalysisError, match=r"controls.safetensors cannot be read: .*rpganify concepts MODEL"):
        load_controls(file)
    file.write_bytes(b"no tensors")
    with pytest.raises(AnalysisError, match=r"controls.safetensors cannot be read"):
        load_controls(file)
    save_file({"z": torch.zeros(1)}, file)
    with pytest.raises(AnalysisError, match=r"controls.safetensors holds no controls, but something else"):
        load_controls(file)
    with pytest.raises(AnalysisError, match=r"controls.json must end in .safetensors"):
        save_controls(LATENT, tmp_path / "controls.json")
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(AnalysisError, match=r"could not be written: .*Choose another place"):
        save_controls(LATENT, tmp_path / "taken" / "controls.safetensors")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("0.found.coordinates", torch.tensor([3, 6]), "a set of 'zero' has a coordinate or a value that cannot be"),
        ("0.found.coordinates", torch.tensor([3]), "zip"),
        ("0.found.values", torch.tensor([3.0, torch.nan]).double(), "a set of 'zero' has a coordinate or a value"),
        ("0.found.values", None, "0.found.values"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, name, value, message):
    file = tmp_path / "controls.safetensors"
    save_controls(LATENT, file)
    with safe_open(file, framework="pt") as stored:
        told, tensors = stored.metadata(), {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118
    tensors.pop(name)
    save_file(tensors | ({} if value is None else {name: value}), file, told)
    with pytest.raises(AnalysisError, match=rf"controls.safetensors are damaged: .*{re.escape(message)}"):
        load_controls(file)


def test_a_kind_that_there_is_not_and_a_size_that_is_left_out_are_damage(tmp_path):
    file = tmp_path / "controls.safetensors"
    save_controls(PATHS, file)
    with safe_open(file, framework="pt") as stored:
        told, tensors = stored.metadata(), {key: stored.get_tensor(key) for key in stored.keys()}  # noqa: SIM118
    for changed, message in (({"kind": "code"}, "of kind 'code'"), ({"sets": ["+2"]}, r"sets of sizes \[2\]")):
        listed = [json.loads(told["controls"])[0] | changed]
        save_file(tensors, file, told | {"controls": json.dumps(listed)})
        with pytest.raises(AnalysisError, match=f"controls.safetensors are damaged: .*{message}"):
            load_controls(file)
