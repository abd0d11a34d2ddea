"""`rpganify bench` from end to end, on generators that take milliseconds; no time is looked at."""

import json

import pytest
from PIL import Image

from rpganify.routing import layers

TINY = ["bench", "tiny_gan.py", "--buckets", "l1 conv1 conv2", "--batch", "4", "--rounds", "1"]
RATIOS = {"routed / plain", "routed / bound", "frozen / plain", "loop / routed"}


def test_a_source_is_measured_with_each_number_of_blocks_and_as_each_batch(tiny):
    before = tiny.files()
    result = tiny.succeeds(*TINY[:-4], "--batch", "2,4", "--rounds", "1", "--blocks", "1,3", "--json")
    data = json.loads(result.stdout)
    assert [(case["num_blocks"], case["batch_size"]) for case in data["cases"]] == [
        ([1, 1, 1], 2), ([1, 1, 1], 4), ([3, 3, 3], 2), ([3, 3, 3], 4),
    ]  # fmt: skip
    for case in data["cases"]:
        assert case["generator"] == "tiny_gan"
        assert set(case["ratios"]["forward"]) == set(case["ratios"]["forward + backward"]) == RATIOS
        assert case["kernel_difference"] < data["tolerance"] == 2e-4
        assert case["step"] is None
        assert case["peak_bytes"]["routed + backward"] > 0
    assert "tiny_gan, 3 × 3 blocks, batch 4: round 3/3" in result.stderr
    assert {key: value for key, value in tiny.files().items() if key != "images"} == before


def test_tables_tell_times_steps_layers_and_where_they_were_taken(tiny):
    result = tiny.succeeds(*TINY, "--blocks", "3", "--step", "--d-steps", "1", "--explain", "--kernel", "matmul")
    for text in (
        "tiny_gan, 3 × 3 blocks, batch 4",
        "forward + backward",
        "training step",
        "kernels: matmul",
        "cpu, ",
        "tolerance in float32: 2e-04",
    ):
        assert text in result.stdout
    (conv,) = (line for line in result.stdout.splitlines() if line.startswith("  conv1 "))
    assert "matmul" in conv
    assert "by block" not in result.stdout


def test_a_converted_model_is_measured_without_its_source(converted):
    (converted.directory / "tiny_gan.py").unlink()
    options = ["--batch", "4", "--rounds", "1", "--no-loop", "--allocator", "system"]
    result = converted.succeeds("bench", "tiny_gan.rpgan", *options)
    assert "tiny_gan, 3 × 3 blocks, batch 4" in result.stdout
    assert "freed memory is returned to the system" in result.stdout
    (row,) = (line for line in result.stdout.splitlines() if line.startswith("  forward  "))
    assert "–" in row.split()  # no loop
    error = converted.refuses("bench", "tiny_gan.rpgan", "--blocks", "40")
    assert "has its blocks already (3 3 3)" in error


def test_the_chart_is_drawn(tiny):
    result = tiny.succeeds(*TINY, "--no-loop", "--blocks", "1,2", "-o", "charts/blocks.png")
    assert "wrote charts/blocks.png" in result.stderr
    with Image.open(tiny.directory / "charts" / "blocks.png") as picture:
        assert picture.format == "PNG" and picture.width > 800


TRAINING = [
    "bench",
    "train",
    "tiny_gan.py",
    "--buckets",
    "l1 conv1 conv2",
    "--blocks",
    "3",
    "--batch-size",
    "4",
    "--steps",
    "24",
]


def test_a_training_is_measured_by_its_parts_and_leaves_nothing_behind(tiny):
    before = tiny.files()
    data = json.loads(tiny.succeeds(*TRAINING, "--data", "digits", "--d-steps", "2", "--json").stdout)
    assert data["training"] == "tiny_gan, 3 × 3 blocks, batch 4, discriminator steps 2, digits"
    assert (data["num_steps"], data["d_steps"]) == (24, 2)
    assert list(data["parts"]) == [
        "real images", "paths", "block diversity loss", "log", "sample grids", "checks", "checkpoints",
        "discriminator", "generator",
    ]  # fmt: skip
    assert [data["parts"][name]["every"] for name in ("sample grids", "checks", "checkpoints")] == [500, 100, 500]
    assert data["outside"] + sum(
        data["parts"][name]["step"] for name in ("discriminator", "generator")
    ) == pytest.approx(data["step"])
    result = tiny.succeeds(*TRAINING)
    assert "tiny_gan, 3 × 3 blocks, batch 4, discriminator steps 1, noise" in result.stdout
    (share,) = (line.split()[-1] for line in result.stdout.splitlines() if line.startswith("outside the networks"))
    assert share.endswith("%") and 0 < float(share[:-1]) < 100
    assert tiny.files() == before


def test_bench_by_another_word_than_train_measures_routing(tiny):
    assert "plain ms" in tiny.succeeds("bench", "routing", *TINY[1:], "--no-loop", "--blocks", "2").stdout
    assert "`rpganify bench train` measures" in " ".join(tiny.succeeds("bench", "--help").stdout.split())


LABELLED = """
import torch
from torch import nn


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 6)
        self.l1 = nn.Linear(6, 64)

    def forward(self, z, label):
        return torch.tanh(self.l1(z * self.embed(label))).view(-1, 1, 8, 8)
"""


def test_a_generator_with_labels_is_measured_but_not_trained(shell):
    shell.write("labelled.py", LABELLED)
    command = [
        "bench",
        "labelled.py",
        "--latent",
        "z:6",
        "--input",
        "label=scalar:int",
        "--blocks",
        "2",
        "--rounds",
        "1",
    ]
    data = json.loads(shell.succeeds(*command, "--batch", "3", "--json").stdout)
    assert data["cases"][0]["ratios"]["forward"].keys() == RATIOS
    error = shell.refuses(*command, "--step")
    assert "labelled also takes label. Leave --step out" in error


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--kernel", "fastest"],
            "There is no kernel 'fastest'. The kernels are: auto, by-block, layer-by-layer, matmul",
        ),
        (["--blocks", "3 3"], "3 buckets"),
        (["--step", "--discriminator", "nobody"], "nobody"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_measured(tiny, options, message):
    error = tiny.refuses(*TINY, *options)
    assert message in error


TRAIN = [
    "train", "tiny_gan.rpgan", "--data", "digits", "--discriminator", "mlp", "--batch-size", "8", "--steps", "1", "-o", "run",
]  # fmt: skip


def test_a_training_runs_by_the_kernel_that_is_pinned_and_its_record_says_so(converted, monkeypatch):
    error = converted.refuses(*TRAIN, "--kernel", "fastest")
    assert "There is no kernel 'fastest'" in error
    chosen, choose = set(), layers.choose_kernel

    def watched(layer, sample_shape, device):
        kernel = choose(layer, sample_shape, device)
        chosen.add((layer.kind, kernel))
        return kernel

    monkeypatch.setattr(layers, "choose_kernel", watched)
    converted.succeeds(*TRAIN, "--kernel", "grouped")
    assert chosen == {("Linear", "by-block"), ("Conv2d", "grouped")}
    record = json.loads((converted.directory / "run" / "config.json").read_text())
    assert record["provenance"]["kernel"] == "grouped"
    assert layers.choose_kernel(layers.LayerConfig("Linear", {}), (8,), "cpu") == "matmul"  # pinned no longer


def test_commands_keep_the_memory_that_tensors_give_back_unless_asked_not_to(converted, monkeypatch):
    calls = []
    monkeypatch.setattr("rpganify.memory.keep_freed_memory", lambda: calls.append(1) is None)

    def num_calls(*command):
        calls.clear()
        converted.succeeds(*command, "--device", "cpu")
        return len(calls)

    assert num_calls(*TRAIN) == 1
    assert num_calls("sample", "run", "-n", "4") == 1
    assert num_calls("analyze", "run", "variations", "-o", "report") == 1
    bench = ("bench", "run", "--batch", "4", "--rounds", "1", "--no-loop")
    assert num_calls(*bench) == 1
    assert num_calls(*bench, "--allocator", "system") == 0
