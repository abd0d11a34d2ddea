"""A converted model on disk: written whole or not at all, read back exactly, by data alone."""

from __future__ import annotations

import copy
import errno
import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import rpganify
from rpganify import modelfile
from rpganify.errors import ModelFileError
from rpganify.manifest import write_manifest
from rpganify.modelfile import load_model, save_model
from rpganify.modelfinding import find_model
from rpganify.routing.generator import RandomPathGenerator, StandardGenerator
from tests.unit.models_on_disk import Varied, examples


@pytest.fixture(scope="module")
def model() -> RandomPathGenerator:
    torch.manual_seed(0)
    return rpganify.wrap(Varied(), blocks=[2, 3, 2], init="jitter", latent="z", example_inputs=examples(2)).eval()


@pytest.fixture(scope="module")
def other() -> RandomPathGenerator:
    torch.manual_seed(1)
    return rpganify.wrap(Varied(), blocks=2, init="jitter", latent="z", example_inputs=examples(2)).eval()


def images(model: Any, paths: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = model.images(paths, y=examples(len(paths))["y"])
    return found


def listing(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


WHOLE = {"m.rpgan", "m.rpgan/graph.json", "m.rpgan/generator.safetensors"}


def test_a_model_is_one_directory_of_json_and_safetensors(model: RandomPathGenerator, tmp_path: Path) -> None:
    assert save_model(model, tmp_path / "m.rpgan") == tmp_path / "m.rpgan"
    assert listing(tmp_path) == WHOLE
    data = json.loads((tmp_path / "m.rpgan/graph.json").read_text())
    assert (data["format"], data["format_version"], data["name"]) == ("rpganify model", 1, "Varied")
    tensors = load_file(tmp_path / "m.rpgan/generator.safetensors")
    assert tensors["fc.weight"].shape == (2, 16, 6), "the block axis comes first"
    assert set(model.state_dict()) <= set(tensors)


def test_loading_gives_back_plan_shapes_conditions_tensors_and_images(
    model: RandomPathGenerator, tmp_path: Path
) -> None:
    again = load_model(save_model(model, tmp_path / "m.rpgan"))
    assert isinstance(again, RandomPathGenerator)
    assert not again.training
    assert again.plan == model.plan and again.conditions == model.conditions and again.image_shape == model.image_shape
    assert again.blueprint.layers == model.blueprint.layers and again.blueprint.provenance == model.blueprint.provenance
    trainable = {name: p.requires_grad for name, p in model.named_parameters()}
    assert {name: p.requires_grad for name, p in again.named_parameters()} == trainable
    paths = model.draw(5, torch.Generator().manual_seed(0))
    assert torch.equal(images(again, paths), images(model, paths))


def test_saving_what_was_loaded_writes_the_same_files(model: RandomPathGenerator, tmp_path: Path) -> None:
    save_model(model, tmp_path / "one.rpgan")
    save_model(load_model(tmp_path / "one.rpgan"), tmp_path / "two.rpgan")
    for name in ("graph.json", "generator.safetensors"):
        assert (tmp_path / "one.rpgan" / name).read_bytes() == (tmp_path / "two.rpgan" / name).read_bytes()


def test_a_plain_generator_is_saved_and_opened_alike(tmp_path: Path) -> None:
    plain = rpganify.standard(Varied(), latent="z", example_inputs=examples(2)).eval()
    again = load_model(save_model(plain, tmp_path / "m.rpgan"))
    assert isinstance(again, StandardGenerator)
    z = plain.draw(3)
    assert torch.equal(images(again, z), images(plain, z))


def test_a_model_in_another_precision_comes_back_in_it(model: RandomPathGenerator, tmp_path: Path) -> None:
    double = copy.deepcopy(model).double()
    again = load_model(save_model(double, tmp_path / "m.rpgan"))
    assert again.get_parameter("conv.weight").dtype == torch.float64
    paths = model.draw(3)
    given = examples(3)["y"].double()
    assert torch.equal(again.images(paths, y=given), double.images(paths, y=given))


def test_an_extracted_path_of_a_loaded_model_equals_that_path(model: RandomPathGenerator, tmp_path: Path) -> None:
    again = load_model(save_model(model, tmp_path / "m.rpgan"))
    assert isinstance(again, RandomPathGenerator)
    path, y = again.draw(1)[0], examples(1)["y"]
    plain = rpganify.extract(again, path)
    torch.testing.assert_close(plain(again.Z, y)["fake"], again(path[None], y=y)["fake"])


def test_what_is_there_is_replaced_only_when_asked(
    model: RandomPathGenerator, other: RandomPathGenerator, tmp_path: Path
) -> None:
    save_model(model, tmp_path / "m.rpgan")
    before = (tmp_path / "m.rpgan/graph.json").read_bytes()
    with pytest.raises(ModelFileError, match=r"m\.rpgan exists\. Choose another name, or replace it \(`--force`"):
        save_model(other, tmp_path / "m.rpgan")
    assert (tmp_path / "m.rpgan/graph.json").read_bytes() == before
    save_model(other, tmp_path / "m.rpgan", overwrite=True)
    assert load_model(tmp_path / "m.rpgan").plan == other.plan  # type: ignore[union-attr]
    assert listing(tmp_path) == WHOLE


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_directory_or_file_that_is_no_model_is_never_replaced(
    model: RandomPathGenerator, tmp_path: Path, overwrite: bool
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/one.jpg").write_text("a picture")
    (tmp_path / "notes").write_text("a text")
    for name in ("photos", "notes"):
        with pytest.raises(ModelFileError, match=f"{name} exists"):
            save_model(model, tmp_path / name, overwrite=overwrite)
    assert listing(tmp_path) == {"photos", "photos/one.jpg", "notes"}


def test_folders_on_the_way_are_made(model: RandomPathGenerator, tmp_path: Path) -> None:
    save_model(model, tmp_path / "runs/first/m.rpgan")
    assert load_model(tmp_path / "runs/first/m.rpgan").image_shape == (3, 4, 4)


def test_a_relative_name_is_taken_from_the_working_directory(
    model: RandomPathGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_model(model, "m.rpgan")
    assert listing(tmp_path) == WHOLE
    assert load_model("m.rpgan").image_shape == (3, 4, 4)


def full_disk(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("failing", ["save_file", "_sync", "_swap"])
def test_a_full_disk_loses_nothing_and_leaves_nothing_behind(
    model: RandomPathGenerator,
    other: RandomPathGenerator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    failing: str,
) -> None:
    save_model(other, tmp_path / "m.rpgan")
    before = {name: (tmp_path / name).read_bytes() for name in WHOLE - {"m.rpgan"}}
    monkeypatch.setattr(modelfile, failing, full_disk)
    for target, overwrite in (("m.rpgan", True), ("new.rpgan", False)):
        with pytest.raises(ModelFileError, match=r"could not be written: .*No space left on device.*free some space"):
            save_model(model, tmp_path / target, overwrite=overwrite)
    assert listing(tmp_path) == WHOLE
    assert {name: (tmp_path / name).read_bytes() for name in before} == before


def test_a_rename_that_fails_puts_the_old_model_back(
    model: RandomPathGenerator, other: RandomPathGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(other, tmp_path / "m.rpgan")
    before = (tmp_path / "m.rpgan/graph.json").read_bytes()
    rename = Path.rename

    def refuse(self: Path, target: Any) -> Path:
        if Path(target).name == "m.rpgan" and self.name.startswith(".m.rpgan."):
            full_disk()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ModelFileError, match="could not be written"):
        save_model(model, tmp_path / "m.rpgan", overwrite=True)
    assert listing(tmp_path) == WHOLE
    assert (tmp_path / "m.rpgan/graph.json").read_bytes() == before


def test_a_place_that_cannot_be_written_is_refused(model: RandomPathGenerator, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelFileError, match="could not be written"):
        save_model(model, tmp_path / "file/m.rpgan")


def test_an_interrupt_while_writing_leaves_no_half_model(
    model: RandomPathGenerator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(modelfile, "_sync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_model(model, tmp_path / "m.rpgan")
    assert listing(tmp_path) == set()


def test_a_model_that_is_not_there_is_refused_with_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"There is no model at .*gone.*`rpganify convert my_gan\.py` makes one"):
        load_model(tmp_path / "gone")


def test_a_directory_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"neither an rpganify model \(it holds no graph\.json\) nor a run"):
        load_model(tmp_path)


def test_of_a_run_the_newest_checkpoint_is_opened(
    model: RandomPathGenerator, other: RandomPathGenerator, tmp_path: Path
) -> None:
    for step, one in ((90, model), (100, other), (20, model)):
        save_model(one, tmp_path / f"checkpoints/step-{step:06d}/generator.rpgan")
        write_manifest(tmp_path / f"checkpoints/step-{step:06d}")
    assert find_model(tmp_path).directory == tmp_path / "checkpoints/step-000100/generator.rpgan"
    assert load_model(tmp_path).plan == other.plan  # type: ignore[union-attr]


def test_of_a_run_whose_newest_checkpoint_is_unfinished_the_one_before_is_opened(
    model: RandomPathGenerator, tmp_path: Path
) -> None:
    save_model(model, tmp_path / "checkpoints/step-000100/generator.rpgan")
    write_manifest(tmp_path / "checkpoints/step-000100")
    (tmp_path / "checkpoints/step-000200/generator.rpgan").mkdir(parents=True)
    assert find_model(tmp_path).directory == tmp_path / "checkpoints/step-000100/generator.rpgan"


SCRIPT = """
import torch
from torch import nn
class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(6, 12)
        self.scale = nn.Parameter(torch.rand(12))
    def forward(self, z):
        return torch.tanh(self.fc(z) * self.scale).view(-1, 3, 2, 2)
"""
OPEN = """
import sys, torch, rpganify
model = rpganify.load(sys.argv[1])
paths = model.draw(4, torch.Generator().manual_seed(0))
torch.save(model.images(paths), sys.argv[2])
assert "script" not in sys.modules
"""


def test_a_model_opens_in_another_process_and_folder_without_the_script_it_came_from(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    spec = importlib.util.spec_from_file_location("script", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    model = rpganify.wrap(module.Generator(), blocks=3, init="jitter").eval()
    save_model(model, tmp_path / "m.rpgan")
    script.unlink()
    (tmp_path / "elsewhere").mkdir()
    shutil.move(tmp_path / "m.rpgan", tmp_path / "elsewhere/moved.rpgan")
    arguments = [sys.executable, "-c", OPEN, "moved.rpgan", str(tmp_path / "images.pt")]
    done = subprocess.run(arguments, cwd=tmp_path / "elsewhere", capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    expected = model.images(model.draw(4, torch.Generator().manual_seed(0)))
    assert torch.equal(torch.load(tmp_path / "images.pt"), expected)
