"""`rpganify classifier` and `rpganify concepts`: from labelled images to what changes which class."""

import json

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

CLASSIFIER = """
import torch
import torch.nn as nn

print("training")


class Judge(nn.Module):
    def __init__(self, num_classes=3):
        super().__init__()
        self.layer = nn.Linear(64, num_classes)

    def forward(self, images):
        return self.layer(images.flatten(1))


class Encoder(nn.Module):
    def forward(self, images):
        return images


raise SystemExit("the training loop was started")
"""


@pytest.fixture
def judged(converted):
    """A converted model, a classifier's file, and a class of somebody's with its weights."""
    converted.write("judge.py", CLASSIFIER)
    weights = {
        "layer.weight": torch.randn(3, 64, generator=torch.Generator().manual_seed(0)),
        "layer.bias": torch.zeros(3),
    }
    save_file(weights, converted.directory / "judge.safetensors")
    return converted


@pytest.fixture
def folder(shell):
    """Images of two classes, dark and light, 24 of each."""
    for name, low in (("dark", 0), ("light", 128)):
        (shell.directory / "images" / name).mkdir(parents=True)
        for number in range(24):
            level = low + 5 * number
            Image.new("RGB", (10, 8), (level, level, 255 - level)).save(
                shell.directory / "images" / name / f"{number}.png"
            )
    return shell


def test_a_classifier_of_a_folder_is_told_class_by_class_and_kept(folder):
    result = folder.succeeds(
        *("classifier", "folder:images", "-o", "out/two.safetensors", "--size", "8", "--epochs", "12", "--width", "8")
    )
    heading, dark, light, total = result.stdout.splitlines()
    assert heading.split() == ["class", "images", "right"]
    assert (
        dark.split()[:2] == ["dark", "2"] and light.split()[:2] == ["light", "2"] and total.split()[:2] == ["all", "4"]
    )
    assert "4 images of folder:images held out" in result.stderr
    assert "cropped around the centre" in result.stderr and "wrote out/two.safetensors" in result.stderr
    assert "next: rpganify concepts MODEL --classifier out/two.safetensors" in result.stderr
    assert "exists already" in folder.refuses("classifier", "folder:images", "-o", "out/two.safetensors")


def test_classifier_as_json_and_for_a_model(converted):
    told = json.loads(
        converted.succeeds(
            *("classifier", "digits[0,1]", "-o", "two.safetensors", "--for", "tiny_gan.rpgan", "--test", "digits[1]"),
            *("--epochs", "1", "--seed", "3", "--json"),
        ).stdout
    )
    assert told["image shape"] == [1, 8, 8] and told["trained on"] == "digits[0,1]" and told["seed"] == 3
    assert [one["name"] for one in told["classes"]] == ["1"] and told["classes"][0]["images"] == 182
    assert told["held-out accuracy"] == pytest.approx(told["classes"][0]["accuracy"], abs=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["folder:plain"], "folder:plain has no labels, so there are no classes to learn"),
        (["digits[3]"], "all 165 images of digits[3] are of the class 3"),
        (["nothing"], "nothing"),
    ],
)
def test_data_that_teaches_no_classes_is_refused(shell, arguments, message):
    (shell.directory / "plain").mkdir()
    for name in "ab":
        Image.new("L", (8, 8), 9).save(shell.directory / "plain" / f"{name}.png")
    assert message in shell.refuses("classifier", *arguments, "-o", "c.safetensors")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "c.pt"], "c.pt must end in .safetensors"),
        (["-o", "c.safetensors", "--size", "16", "--for", "m"], "leave one of the two out"),
    ],
)
def test_wrong_usage_of_classifier_is_said(shell, arguments, message):
    result = shell("classifier", "digits", *arguments)
    assert result.exit_code == 2 and message in " ".join(result.stderr.split())


def test_concepts_of_blocks_by_ones_own_classifier_without_running_the_rest_of_its_file(judged):
    result = judged.succeeds(
        *("concepts", "tiny_gan.rpgan", "--classifier", "judge.py:Judge", "--classifier-weights", "judge.safetensors"),
        *("--num-z", "12", "-o", "out"),
    )
    assert "training" not in result.stdout and "Which blocks raise which class: " in result.stdout
    assert "Bucket 3 (conv2): " in result.stdout
    names = {path.name for path in (judged.directory / "out").iterdir()}
    assert {
        "index.html",
        "concepts.json",
        "concepts-effects.csv",
        "concepts-effects.png",
        "concepts-raised.png",
    } <= names
    report = json.loads((judged.directory / "out" / "concepts.json").read_text())
    assert report["provenance"]["paths"] == 12
    told = report["provenance"]["classifier"]
    assert told["name"] == "judge.py:Judge" and told["weight file"] == "judge.safetensors"
    assert len(told["source sha256"]) == len(told["weight file sha256"]) == 64


def test_concepts_of_a_standard_generator_by_a_trained_classifier_as_json(tiny):
    tiny.succeeds("classifier", "digits", "-o", "d.safetensors", "--epochs", "1", "--width", "4")
    result = tiny.succeeds(
        *(
            "concepts",
            "tiny_gan.py",
            "--classifier",
            "d.safetensors",
            "--num-z",
            "5",
            "--delta",
            "2",
            "--delta",
            "1.5",
            "--json",
        )
    )
    (report,) = json.loads(result.stdout)
    assert report["title"] == "Which numbers of z change which class"
    assert report["provenance"]["δ"] == [1.5, 2] and report["provenance"]["concepts"] == list("0123456789")
    assert "held-out accuracy" in report["provenance"]["classifier"]
    assert (tiny.directory / "concepts" / "index.html").is_file()


def test_analyze_runs_concepts_where_there_is_a_classifier(judged):
    result = judged.succeeds(
        *("analyze", "tiny_gan.rpgan", "concepts", "--paths", "5", "-o", "out"),
        *(
            "--classifier",
            "judge.py:Judge",
            "--classifier-arg",
            "num_classes=4",
            "--classifier-mean",
            "0",
            "--classifier-std",
            "1",
        ),
    )
    assert "Which blocks raise which class" in result.stdout
    assert "judge.py:Judge has the weights that it is built with: --classifier-weights FILE" in result.stderr
    assert "concepts needs a classifier, for classes" in judged.refuses(
        "analyze", "tiny_gan.rpgan", "concepts", "-o", "new"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.safetensors"], "nowhere.safetensors cannot be read"),
        (["judge.py:Jugde"], "judge.py defines no 'Jugde'. Did you mean 'Judge'?"),
        (["judge.py:Encoder"], "The classifier judge.py:Encoder gives of shape (8, 1, 8, 8)"),
        (["judge.py:Judge", "--classifier-input", "3x8x8"], "does not take images of 3×8×8"),
        (
            ["judge.py:Judge", "--classifier-weights", "none.pt"],
            "There is no weight file none.pt. --classifier-weights takes",
        ),
        (
            ["judge.py:Judge", "--classifier-weights", "judge.safetensors", "--classifier-arg", "num_classes=5"],
            "'layer.bias' is (3,) there and (5,) in the classifier",
        ),
    ],
)
def test_what_is_no_classifier_is_refused_by_name(judged, arguments, message):
    assert message in judged.refuses("concepts", "tiny_gan.rpgan", "--classifier", *arguments, "-o", "out")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Concepts are what a classifier sees: name one"),
        (["--classifier", "judge.py"], "Which class of it? Write judge.py:CLASS"),
        (["--classifier", "d.safetensors", "--classifier-arg", "a=1"], "It goes with a classifier of yours"),
        (["--classifier", "judge.py:Judge", "--classifier-mean", "0"], "Mean and deviation go together"),
        (["--classifier", "judge.py:Judge", "--classifier-input", "8"], "'8' is no shape such as 3x224x224"),
        (
            ["--classifier", "judge.py:Judge", "--classifier-mean", "x", "--classifier-std", "1"],
            "'x' holds something else than numbers",
        ),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(judged, arguments, message):
    result = judged("concepts", "tiny_gan.rpgan", *arguments)
    assert result.exit_code == 2, result.stderr
    assert message in " ".join(result.stderr.split())
