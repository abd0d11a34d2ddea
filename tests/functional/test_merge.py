"""`rpganify linearize` and `rpganify merge` on models on disk."""

from __future__ import annotations

import json
import shutil
from collections import Counter

import numpy as np
import pytest
import torch

import rpganify
from rpganify.report.pictures import png_size
from rpganify.surgery.merge import original_paths


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A fully connected generator without activations, converted with three blocks in each bucket."""
    directory = tmp_path_factory.mktemp("made") / "m.rpgan"
    plain = rpganify.architecture("mlp28", channels=8, linear=True)
    rpganify.save(rpganify.wrap(plain, blocks=3, init="jitter"), directory)
    return directory


@pytest.fixture
def linear(shell, made):
    """A working directory with it."""
    shutil.copytree(made, shell.directory / "m.rpgan")
    return shell


def test_three_buckets_become_one_that_is_proved_and_timed(linear):
    told = linear.succeeds(
        "merge", "m.rpgan", "--buckets", "3-5", "--blocks", "6", "-o", "s.rpgan", "--batch", "1,4", "--rounds", "2"
    )
    assert "verified: images differ from those of the same blocks before by at most" in told.stdout
    assert "times as fast" in told.stdout and "medians of 2 rounds on cpu" in told.stdout
    before, after = (rpganify.load(linear.directory / name) for name in ("m.rpgan", "s.rpgan"))
    assert after.plan.num_blocks == (3, 3, 6)
    paths = after.draw(20, torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(after(paths), before(original_paths(after, paths)), rtol=0, atol=1e-6)


def test_the_figures_are_json_for_a_script(linear):
    told = linear.succeeds(
        "merge", "m.rpgan", "--buckets", "l4,l5", "--product", "2-0", "--product", "1-1", "--batch", "2", "--rounds", "1",
        "--json", "-o", "s.rpgan",
    )  # fmt: skip
    data = json.loads(told.stdout)
    assert data["largest_difference"] < 1e-6 < data["largest_value"]
    assert data["layer"] == "Linear" and data["covered_share"] is None
    # 32·64 + 64 and 64·784 + 784 values in the blocks, 32·784 + 784 in a product.
    assert data["num_values"] == {"before": 53_072, "after": 25_872}
    assert [row["batch"] for row in data["speed"]] == [2] and data["speed"][0]["ratio"] > 0


def test_the_blocks_that_most_paths_in_use_go_through_are_multiplied_and_drawn(linear):
    told = linear.succeeds("sample", "m.rpgan", "-n", "40", "--json", "-o", "grid.png")
    linear.write("used.json", told.stdout)
    paths = [[int(block) for block in path.split("-")] for path in json.loads(told.stdout)["paths"]]
    counts = Counter(tuple(path[3:]) for path in paths)
    told = linear.succeeds(
        "merge", "m.rpgan", "--buckets", "4-5", "--blocks", "3", "--most-used", "used.json", "--rounds", "0", "--picture",
        "merged.png", "--json", "-o", "s.rpgan",
    )  # fmt: skip
    most = sum(count for _, count in counts.most_common(3))
    assert json.loads(told.stdout)["covered_share"] == pytest.approx(most / 40)
    # Two bands of ten columns, two rows each, and labels on the left.
    width, height = png_size((linear.directory / "merged.png").read_bytes())
    assert width > height > 400
    told = linear.succeeds(
        "merge", "m.rpgan", "--buckets", "4-5", "--blocks", "3", "--most-used", "used.json", "--rounds", "0", "-o",
        "t.rpgan",
    )  # fmt: skip
    assert f"paths in use: {most / 40:.1%} of them go through the blocks that were multiplied" in told.stdout
    assert "a product: Linear of 25,872 values, for blocks of 53,072 together" in told.stdout


def test_paths_in_use_may_be_an_array_a_list_or_what_invert_printed(linear):
    model = rpganify.load(linear.directory / "m.rpgan")
    paths = [[0, 1, 2, 1, 0], [2, 2, 2, 1, 0], [0, 0, 0, 2, 2]]
    np.save(linear.directory / "a.npy", np.array(paths, dtype=np.int32))
    linear.write("b.txt", "\n".join(model.paths.format(path) for path in paths))
    linear.write("c.json", json.dumps(paths))
    rows = [{"image": "x.png", "path": model.paths.format(path), "distance": 1.0} for path in paths]
    linear.write("d.json", json.dumps({"distance": "Euclidean", "seed": 0, "images": rows}))
    for name in ("a.npy", "b.txt", "c.json", "d.json"):
        linear.succeeds(
            "merge", "m.rpgan", "--buckets", "4-5", "--most-used", name, "--rounds", "0", "-o", "s.rpgan", "--force"
        )
        made = rpganify.load(linear.directory / "s.rpgan")
        assert original_paths(made, torch.tensor([[0, 0, 0, 0], [0, 0, 0, 1]]))[:, 3:].tolist() == [[1, 0], [2, 2]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.json", None, "The paths none.json cannot be read: No such file"),
        ("broken.json", "{", "broken.json holds no paths: Expecting property name"),
        (
            "other.json",
            '{"images": [{"image": "x.png"}]}',
            "other.json holds no paths. It may be what `rpganify sample --json`",
        ),
        ("text.json", '["1-1-1-1-1", 5]', "text.json has 5 among its paths"),
        ("width.txt", "0-0-0", "'0-0-0' is no path of this model: it has 5 buckets"),
        ("block.txt", "0-0-0-0-3", "Bucket 5 (l5) has blocks 0 to 2; there is no block 3"),
        ("empty.txt", "", "There is no path in use"),
        (
            "few.txt",
            "0-0-0-0-0",
            "go through 1 different choices of blocks of l4, l5, so 2 products of used ones cannot",
        ),
        ("bad.npy", "no array", "bad.npy holds no paths"),
    ],
)
def test_paths_in_use_that_are_none_are_refused(linear, name, content, message):
    if content is not None:
        linear.write(name, content)
    arguments = ["--buckets", "4-5", "--blocks", "2", "--most-used", name, "-o", "s.rpgan"]
    assert message in linear.refuses("merge", "m.rpgan", *arguments)


def test_an_array_of_other_numbers_is_no_list_of_paths(linear):
    np.save(linear.directory / "a.npy", np.zeros((2, 5)))
    arguments = ["--buckets", "4-5", "--blocks", "2", "--most-used", "a.npy", "-o", "s.rpgan"]
    assert "a.npy holds float64 (2, 5), and paths are whole numbers" in linear.refuses("merge", "m.rpgan", *arguments)


def test_a_picture_of_another_kind_is_wrong_usage(linear):
    result = linear("merge", "m.rpgan", "--buckets", "4-5", "--blocks", "2", "--picture", "m.jpg", "-o", "s.rpgan")
    assert result.exit_code == 2 and "must end in .png" in result.stderr


def test_a_generator_that_takes_labels_is_merged_and_compared_under_one(shell):
    shell.succeeds(
        "convert", "mlp28", "--arg", "channels=8", "--arg", "linear=True", "--arg", "num_classes=4", "--blocks", "2", "-o",
        "m.rpgan",
    )  # fmt: skip
    arguments = [
        "merge",
        "m.rpgan",
        "--buckets",
        "4-5",
        "--blocks",
        "2",
        "--rounds",
        "1",
        "--batch",
        "2",
        "-o",
        "s.rpgan",
    ]
    assert "also needs labels" in shell(*arguments).stderr
    told = shell.succeeds(*arguments, "--condition", "labels=3", "--picture", "m.png")
    assert "verified: images differ" in told.stdout


# Dense, a view, upsampling and a padded convolution: the head of many generators.
HEAD = """
import torch
from torch import nn


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(6, 128 * 2 * 2)
        self.blocks = nn.Sequential(
            nn.BatchNorm2d(128), nn.Upsample(scale_factor=2), nn.Conv2d(128, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
            nn.Upsample(scale_factor=2), nn.Conv2d(8, 4, 3, padding=1), nn.Conv2d(4, 1, 3, padding=1), nn.Tanh(),
        )

    def forward(self, z):
        h = self.l1(z)
        return self.blocks(h.view(h.shape[0], 128, 2, 2))
"""


def test_a_convolutional_generator_s_head_becomes_one_matrix(shell):
    shell.write("gan.py", HEAD)
    shell.succeeds("convert", "gan.py", "--buckets", "l1 blocks.2 blocks.6 blocks.7", "--blocks", "3", "-o", "m.rpgan")
    told = shell.succeeds("merge", "m.rpgan", "--buckets", "1-2", "--blocks", "5", "--rounds", "0", "-o", "s.rpgan")
    assert "a product: Linear of 896 values, for blocks of 12,808 together" in told.stdout
    before, after = (rpganify.load(shell.directory / name) for name in ("m.rpgan", "s.rpgan"))
    paths = after.draw(20, torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(after(paths), before(original_paths(after, paths)), rtol=0, atol=1e-5)
    message = shell.refuses("merge", "m.rpgan", "--buckets", "3-4", "--blocks", "2", "-o", "t.rpgan")
    assert "blocks.7 finds zeros beyond the border of the map behind blocks.6" in message
    assert "8 times is the limit" in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--buckets", "3-5"], "how many products"),
        (["--buckets", "3,5", "--blocks", "2"], "follow each other"),
        (["--buckets", "4-6", "--blocks", "2"], "There is no bucket '6'"),
        (["--buckets", "4-5", "--product", "3-0"], "there is no block 3"),
        (["--buckets", "4-5", "--blocks", "10"], "There are 9 different products"),
        (["--buckets", "4-5", "--blocks", "2", "--product", "0-0"], "Products are named or chosen, not both"),
    ],
)
def test_what_cannot_be_merged_is_refused(linear, arguments, message):
    assert message in linear.refuses("merge", "m.rpgan", *arguments, "-o", "s.rpgan")


def test_an_activation_is_in_the_way_until_it_is_linearized(shell):
    shell.succeeds("convert", "mlp28", "--arg", "channels=8", "--blocks", "3", "-o", "m.rpgan")
    message = shell.refuses("merge", "m.rpgan", "--buckets", "3-5", "--blocks", "4", "-o", "s.rpgan")
    assert "Behind l3 is relu (mlp.py:" in message and "`rpganify linearize`" in message
    told = shell.succeeds("linearize", "m.rpgan", "-o", "l.rpgan")
    lines = told.stdout.splitlines()
    assert sum(line.startswith("replaced by the identity: relu (mlp.py:") for line in lines) == 4
    assert lines[-1].startswith("kept, as it brings images into their range: tanh")
    shell.succeeds("merge", "l.rpgan", "--buckets", "3-5", "--blocks", "4", "--rounds", "0", "-o", "s.rpgan")


def test_a_source_is_linearized_as_a_standard_generator(tiny):
    told = tiny.succeeds("linearize", "tiny_gan.py", "-o", "l.rpgan")
    assert "replaced by the identity: relu" in told.stdout and "kept" in told.stdout
    assert "nothing" not in told.stdout
    tiny.succeeds("sample", "l.rpgan", "-n", "4", "-o", "grid.png")
    assert "no activation" in tiny.refuses("linearize", "l.rpgan", "-o", "again.rpgan")
