"""`rpganify card`: a folder for the hub that is still a model."""

from __future__ import annotations

import json

import torch
from PIL import Image

import rpganify


def test_the_folder_is_a_model_with_its_card(shell):
    shell.succeeds("convert", "mlp28", "--arg", "channels=8", "--blocks", "3", "-o", "m.rpgan")
    shell.succeeds(
        "train", "m.rpgan", "--data", "digits", "--steps", "2", "--quality", "pixels", "--quality-every", "2",
        "--quality-images", "800", "-o", "run",
    )  # fmt: skip
    told = shell.succeeds("card", "run", "-o", "rpgan-digits", "--license", "apache-2.0")
    assert told.stdout == "rpgan-digits\n"
    assert "nothing was sent; to publish it: hf upload USER/rpgan-digits rpgan-digits" in told.stderr
    folder = shell.directory / "rpgan-digits"
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md", "config.json", "generator.safetensors", "graph.json", "samples.png",
    ]  # fmt: skip
    text = (folder / "README.md").read_text()
    assert text.startswith("---\nlibrary_name:") and 'datasets: ["digits"]' in text and "| steps | 2 |" in text
    assert "after step 2 |" in text
    assert json.loads((folder / "config.json").read_text())["architecture"] == "mlp28"
    with Image.open(folder / "samples.png") as picture:
        assert picture.size[0] > 400
    model, again = rpganify.load(shell.directory / "run"), rpganify.load(folder)
    paths = model.draw(6, torch.Generator().manual_seed(0))
    assert torch.equal(again(paths), model(paths))


def test_a_folder_that_is_there_and_a_bad_name_are_refused(converted):
    converted.succeeds("card", "tiny_gan.rpgan", "-o", "c")
    assert "exists already" in converted.refuses("card", "tiny_gan.rpgan", "-o", "c")
    assert "is no name for a model card" in converted.refuses("card", "tiny_gan.rpgan", "-o", "d", "--name", "a b")
    told = converted.succeeds("card", "tiny_gan.rpgan", "-o", "c", "--force", "--name", "tiny")
    assert "--license apache-2.0 gives one" in told.stderr
    assert "# tiny" in (converted.directory / "c" / "README.md").read_text()
