"""Class-conditional pairs on the command line: converted, trained, sampled by label, and refused where they do not fit."""

import json
import re

import pytest
import torch

import rpganify

SMALL = ["--arg", "num_classes=10", "--arg", "channels=4", "--arg", "latent_dim=8"]
TRAINING = ["--data", "digits", "--steps", "2", "--batch-size", "8", "--discriminator-arg", "channels=8"]


@pytest.fixture
def labelled(shell):
    shell.succeeds("convert", "mlp28", "--blocks", "2", *SMALL, "-o", "labelled.rpgan")
    return shell


@pytest.mark.parametrize("conditioning", [[], ["--discriminator-arg", "conditioning=auxiliary"]])
def test_the_discriminator_gets_the_data_s_classes_by_itself_and_the_run_is_sampled_by_label(labelled, conditioning):
    result = labelled.succeeds("train", "labelled.rpgan", *TRAINING, *conditioning, "-o", "run")
    assert "labels: 10 classes of digits, which the generator takes" in result.stderr
    assert (labelled.directory / "run" / "samples" / "step-000002.png").exists()
    labelled.succeeds("sample", "run", "-n", "4", "--condition", "labels=3", "-o", "threes.png")
    model = rpganify.load(labelled.directory / "run")
    paths = torch.zeros(2, 5, dtype=torch.int64)
    three, four = model(paths, labels=torch.tensor([3, 4]))
    assert not torch.equal(three, four)


def test_a_convolutional_pair_and_its_standard_twin_are_trained_alike(shell):
    small = ["--arg", "num_classes=10", "--arg", "channels=8", "--arg", "image_channels=1"]
    shell.succeeds("convert", "sngan32", "--blocks", "2", *small, "-o", "model.rpgan")
    shell.succeeds("train", "model.rpgan", *TRAINING, "-o", "run")
    shell.succeeds("train", "sngan32", "--standard", *small, *TRAINING, "-o", "twin")
    for run in ("run", "twin"):
        last = json.loads((shell.directory / run / "metrics.jsonl").read_text().splitlines()[-1])
        assert last["step"] == 2


def test_a_discriminator_of_somebody_s_file_that_knows_no_labels_is_refused(labelled):
    labelled.write(
        "judge.py",
        "from torch import nn\n\n\nclass Judge(nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n        self.score = nn.Linear(784, 1)\n\n"
        "    def forward(self, images):\n        return self.score(images.flatten(1))\n",
    )
    training = ["--data", "digits", "--steps", "2", "--discriminator", "judge.py:Judge"]
    message = labelled.refuses("train", "labelled.rpgan", *training, "-o", "run")
    assert re.search(r"takes a label \(labels\), but the discriminator does not look at labels", message)


def test_too_few_classes_are_refused_in_the_generator_and_in_the_discriminator(shell):
    few = [text.replace("num_classes=10", "num_classes=7") for text in SMALL]
    shell.succeeds("convert", "mlp28", "--blocks", "2", *few, "-o", "few.rpgan")
    message = shell.refuses("train", "few.rpgan", *TRAINING, "-o", "run")
    assert "labels up to 9, but the generator's 'labels' takes those up to 6 only" in message
    assert "--data 'digits[0-6]'" in message
    assert "has 7 classes" not in message
    too_few = ["--data", "digits[0-6]", "--discriminator-arg", "num_classes=5"]
    message = shell.refuses("train", "few.rpgan", *TRAINING, *too_few, "-o", "run")
    assert "labels up to 6, but the discriminator has 5 classes" in message
    shell.succeeds("train", "few.rpgan", *TRAINING, "--data", "digits[0-6]", "-o", "run")


def test_data_without_labels_is_refused(labelled):
    pictures = labelled.directory / "pictures"
    pictures.mkdir()
    from PIL import Image

    for index in range(3):
        Image.new("L", (28, 28), 80 * index).save(pictures / f"{index}.png")
    message = labelled.refuses("train", "labelled.rpgan", "--data", "folder:pictures", "--steps", "2", "-o", "run")
    assert "have no labels, which class-conditional training needs" in message
