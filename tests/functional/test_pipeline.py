"""The whole road, once: somebody's file becomes a trained, sampled and analyzed random path generator."""

import json
import signal

import numpy as np
import pytest
import torch
from PIL import Image

import rpganify

TRAIN = [
    "--data",
    "digits",
    "--discriminator",
    "mlp",
    "--batch-size",
    "8",
    "--sample-every",
    "3",
    "--checkpoint-every",
    "3",
]


def pixels_of(file):
    """A picture's grey values, uint8 (H, W)."""
    with Image.open(file) as picture:
        return np.asarray(picture.convert("L"))


def test_inspect_shows_layers_and_buckets_and_writes_nothing(tiny):
    before = tiny.files()
    shown = tiny.succeeds("inspect", "tiny_gan.py").stdout
    for text in ("tiny_gan.py", "z 6 → 1×8×8", "l1", "Linear", "448", "BatchNorm2d", "shared"):
        assert text in shown
    data = json.loads(tiny.succeeds("inspect", "tiny_gan.py", "--json").stdout)
    assert data["latent"] == {"name": "z", "shape": [6]}
    assert data["image_shape"] == [1, 8, 8]
    assert [(layer["name"], layer["bucket"]) for layer in data["layers"]] == [
        ("l1", 1),
        ("conv1", 2),
        ("norm", None),
        ("conv2", 3),
    ]
    assert tiny.files() == before


def test_converting_says_plan_proof_place_and_the_next_command(tiny):
    result = tiny.succeeds("convert", "tiny_gan.py", "--buckets", "3", "--blocks", "5")
    assert "l1" in result.stdout
    assert "paths: 5³ = 125" in result.stdout
    assert "shared by all paths: norm (8 parameters)" in result.stdout
    assert "the same latent differ from the original by at most 0 in eval mode" in result.stdout
    assert "wrote tiny_gan.rpgan" in result.stderr
    assert "next: rpganify train tiny_gan.rpgan" in result.stderr
    assert sorted(tiny.files()) == [
        "tiny_gan.py",
        "tiny_gan.rpgan",
        "tiny_gan.rpgan/generator.safetensors",
        "tiny_gan.rpgan/graph.json",
    ]


def test_a_dry_run_prints_the_same_plan_and_writes_nothing(tiny):
    before = tiny.files()
    dry = tiny.succeeds("convert", "tiny_gan.py", "--blocks", "5", "--dry-run", "--write-plan", "plan.json")
    assert tiny.files() == before
    assert "nothing was written" in dry.stderr
    assert tiny.succeeds("convert", "tiny_gan.py", "--blocks", "5").stdout == dry.stdout


def test_a_written_plan_converts_to_the_same_model(tiny):
    chosen = ["--buckets", "l1,conv1 conv2", "--blocks", "4 2", "--norm", "per-block", "--init", "jitter"]
    first = json.loads(
        tiny.succeeds("convert", "tiny_gan.py", *chosen, "--write-plan", "plan.json", "-o", "a.rpgan", "--json").stdout
    )
    second = json.loads(
        tiny.succeeds("convert", "tiny_gan.py", "--plan", "plan.json", "-o", "b.rpgan", "--json").stdout
    )
    assert first["plan"] == second["plan"]
    assert first["plan"]["cardinality"] == 8
    assert first["written"] == "a.rpgan"
    one, two = rpganify.load("a.rpgan").state_dict(), rpganify.load("b.rpgan").state_dict()
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=0, atol=0)


def test_a_converted_model_needs_neither_its_source_nor_its_place(converted, monkeypatch):
    (converted.directory / "tiny_gan.py").unlink()
    (converted.directory / "elsewhere").mkdir()
    (converted.directory / "tiny_gan.rpgan").rename(converted.directory / "elsewhere" / "moved.rpgan")
    monkeypatch.chdir(converted.directory / "elsewhere")
    converted.succeeds("sample", "moved.rpgan", "-n", "4")
    assert (converted.directory / "elsewhere" / "grid.png").is_file()


def test_train_sample_and_analyze_a_converted_model(converted):
    result = converted.succeeds("train", "tiny_gan.rpgan", *TRAIN, "--steps", "5", "-o", "runs/first")
    assert result.stdout == "runs/first\n"
    assert "step 5/5" in result.stderr
    assert "next: rpganify sample runs/first" in result.stderr
    run = converted.directory / "runs" / "first"
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 5
    assert {path.name for path in (run / "samples").iterdir()} == {
        "step-000000.png",
        "step-000003.png",
        "step-000005.png",
        "variations-000000.png",
        "variations-000003.png",
        "variations-000005.png",
    }

    converted.succeeds("sample", "runs/first", "-n", "9", "-o", "grid.png")
    assert pixels_of("grid.png").shape == (2 + 3 * 66, 2 + 3 * 66)
    told = json.loads(converted.succeeds("sample", "runs/first", "--path", "2-0-1", "--vary", "2", "--json").stdout)
    assert told["paths"] == ["2-0-1", "2-1-1", "2-2-1"]

    shown = converted.succeeds(
        "analyze", "runs/first", "variations", "diversity", "--paths", "4", "-o", "report"
    ).stdout
    assert shown.count("\n") == 2
    report = converted.directory / "report"
    assert (report / "index.html").is_file()
    for name in ("variations", "diversity"):
        assert json.loads((report / f"{name}.json").read_text())["name"] == name
        assert list(report.glob(f"{name}-*.png"))


def test_a_sampled_picture_shows_the_images_of_the_paths_that_are_printed(converted):
    told = json.loads(converted.succeeds("sample", "tiny_gan.rpgan", "-n", "4", "--seed", "3", "--json").stdout)
    model = rpganify.load("tiny_gan.rpgan").eval()
    with torch.no_grad():
        images = model.images(torch.stack([model.paths.parse(text) for text in told["paths"]]))
    expected = ((images + 1) * 127.5).round().to(torch.uint8)  # (4, 1, 8, 8)
    picture = pixels_of(told["file"])
    for index, (row, column) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        tile = picture[2 + row * 66 : 66 + row * 66 : 8, 2 + column * 66 : 66 + column * 66 : 8]
        np.testing.assert_array_equal(tile, expected[index, 0].numpy())


def test_the_same_seed_gives_the_same_picture_and_another_seed_another(converted):
    pictures = []
    for seed in ("0", "0", "1"):
        converted.succeeds("sample", "tiny_gan.rpgan", "-n", "16", "--seed", seed)
        pictures.append((converted.directory / "grid.png").read_bytes())
    assert pictures[0] == pictures[1] != pictures[2]


@pytest.mark.parametrize("loss", ["hinge", "wgan-gp", "non-saturating"])
def test_the_plain_twin_trains_by_the_same_command_with_standard(tiny, loss):
    run = ["-o", "plain", "--steps", "2", "--loss", loss]
    tiny.succeeds("train", "tiny_gan.py", "--standard", *TRAIN, *run)
    told = json.loads(tiny.succeeds("sample", "plain", "-n", "4", "--json").stdout)
    assert told["paths"] == []
    assert "standard generator" in tiny.refuses("sample", "plain", "--vary", "1")
    assert "standard generator" in tiny.refuses("analyze", "plain", "variations")


def test_a_discriminator_of_the_same_file_can_be_named(converted):
    train = ["train", "tiny_gan.rpgan", "--data", "digits", "--steps", "2", "--batch-size", "4", "-o", "run"]
    converted.succeeds(*train, "--discriminator", "tiny_gan.py:Discriminator")
    record = json.loads((converted.directory / "run" / "config.json").read_text())
    assert record["facts"]["discriminator"].startswith("Discriminator, 4 tensors")


def test_stopping_and_resuming_gives_the_weights_of_training_straight(converted):
    train = ["train", "tiny_gan.rpgan", *TRAIN]
    converted.succeeds(*train, "--steps", "6", "-o", "straight")
    converted.succeeds(*train, "--steps", "3", "-o", "halves")
    converted.succeeds(*train, "--steps", "6", "-o", "halves", "--resume")
    one, two = rpganify.load("straight").state_dict(), rpganify.load("halves").state_dict()
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, rtol=0, atol=0)


def test_what_is_done_to_the_images_is_said(tiny):
    source = (tiny.directory / "tiny_gan.py").read_text()
    tiny.write("big.py", source.replace("scale_factor=2", "scale_factor=4"))
    tiny.succeeds("convert", "big.py", "--blocks", "2")
    result = tiny.succeeds("train", "big.rpgan", *TRAIN, "--steps", "1", "-o", "run")
    assert "data: digits: resized from 8x8 to 16x16 (bilinear, antialiased)." in result.stderr


def test_the_default_discriminator_is_said(converted):
    train = ["train", "tiny_gan.rpgan", "--data", "digits", "--steps", "1", "--batch-size", "4", "-o", "run"]
    result = converted.succeeds(*train)
    assert "discriminator: dcgan (--discriminator chooses another)" in result.stderr


def test_trained_weights_become_the_first_block_of_every_bucket(tiny):
    torch.manual_seed(5)
    shapes = {"l1": (64, 6), "conv1": (4, 4, 3, 3), "conv2": (1, 4, 3, 3)}
    state = {f"{name}.weight": torch.randn(shape) for name, shape in shapes.items()}
    state |= {f"{name}.bias": torch.randn(shape[0]) for name, shape in shapes.items()}
    state |= {"norm.weight": torch.rand(4), "norm.bias": torch.rand(4)}
    state |= {"norm.running_mean": torch.rand(4), "norm.running_var": torch.rand(4)}
    torch.save({"generator": state}, tiny.directory / "w.pt")
    tiny.succeeds("convert", "tiny_gan.py", "--weights", "w.pt", "--blocks", "2", "--init", "copy")
    model = rpganify.load("tiny_gan.rpgan")
    plain = rpganify.extract(model, torch.tensor([0, 1, 0])).state_dict()
    for name, tensor in state.items():
        torch.testing.assert_close(plain[name], tensor, rtol=0, atol=0)


def test_an_interrupted_training_is_saved_ends_with_130_and_says_how_to_go_on(converted, monkeypatch):
    from rpganify.cli.training_talk import TrainingTalk

    told = TrainingTalk.on_step

    def interrupt(self, metrics):
        told(self, metrics)
        if metrics.step == 2:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(TrainingTalk, "on_step", interrupt)
    train = ["train", "tiny_gan.rpgan", *TRAIN, "--steps", "50", "-o", "run"]
    result = converted(*train)
    assert result.exit_code == 130
    assert "stopped at step 2 of 50, saved. Go on with: rpganify train run --resume" in result.stderr
    monkeypatch.setattr(TrainingTalk, "on_step", told)
    assert "from step 2 on" in converted.succeeds(*train[:-3], "4", "-o", "run", "--resume").stderr


def test_one_learning_rate_serves_both_networks_unless_each_gets_its_own(converted):
    train = ["train", "tiny_gan.rpgan", *TRAIN, "--steps", "1"]
    converted.succeeds(*train, "-o", "one", "--lr", "0.001")
    converted.succeeds(*train, "-o", "two", "--lr", "0.001", "--discriminator-lr", "0.002")
    rates = []
    for run in ("one", "two"):
        settings = json.loads((converted.directory / run / "config.json").read_text())["settings"]
        rates.append((settings["generator_lr"], settings["discriminator_lr"]))
    assert rates == [(0.001, 0.001), (0.001, 0.002)]


def test_what_the_library_warns_of_is_told_on_stderr_once(converted):
    gan = (converted.directory / "tiny_gan.py").read_text()
    converted.write("saturated.py", gan.replace("nn.Linear(16, 1))", "nn.Linear(16, 1), nn.Sigmoid())"))
    train = [
        "train",
        "tiny_gan.rpgan",
        *TRAIN,
        "--steps",
        "1",
        "-o",
        "run",
        "--discriminator",
        "saturated.py:Discriminator",
    ]
    for _ in range(2):
        lines = converted.succeeds(*train, "--force").stderr.splitlines()
        assert len([line for line in lines if line.startswith("warning: The discriminator ends in a sigmoid")]) == 1
