"""`rpganify sample` with what is made of a path: swapped, mixed, walked from, compared with others."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import rpganify

DEEP = """
import torch.nn as nn


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*(nn.Linear(16, 16) for _ in range(7)), nn.Tanh())

    def forward(self, z):
        return self.layers(z).view(-1, 1, 4, 4)
"""


def sampled(shell, *arguments):
    """What JSON says, with the images' values under `values`."""
    told = shell.succeeds("sample", "tiny_gan.rpgan", *arguments, "-o", "out.npy", "--json").stdout
    return json.loads(told) | {"values": np.load(shell.directory / "out.npy")}


def assert_images_are_of(told):
    model = rpganify.load("tiny_gan.rpgan").eval()
    with torch.no_grad():
        images = model.images(torch.stack([model.paths.parse(text) for text in told["paths"]]))
    np.testing.assert_array_equal(told["values"], images.numpy())


def test_a_path_s_image_stands_beside_that_with_other_blocks(converted):
    told = sampled(converted, "--base", "2-0-1", "--swap", "3=2", "--swap", "l1=0")
    assert told["paths"] == ["2-0-1", "0-0-2"]
    assert_images_are_of(told)
    said = converted.succeeds("sample", "tiny_gan.rpgan", "--base", "2-0-1", "--swap", "3=2").stderr
    assert "2 images, bucket 3 (conv2) 1 → 2" in said
    with Image.open(converted.directory / "grid.png") as picture:
        assert picture.width >= 2 * 64


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("4=0", "There is no bucket '4': this model has 1 (l1), 2 (conv1), 3 (conv2)"),
        ("con1=0", "There is no bucket 'con1': this model has 1 (l1), 2 (conv1), 3 (conv2). Did you mean 'conv1'"),
        ("2=3", "Bucket 2 (conv1) has blocks 0 to 2; there is no block 3"),
    ],
)
def test_a_bucket_or_block_that_is_not_there_cannot_be_swapped(converted, typed, message):
    assert message in converted.refuses("sample", "tiny_gan.rpgan", "--base", "2-0-1", "--swap", typed)


def test_a_walk_shows_each_path_on_the_way_and_says_what_changed(converted):
    told = sampled(converted, "--path", "2-0-1", "--walk", "0-0-2")
    assert told["paths"] == ["2-0-1", "0-0-1", "0-0-2"]
    assert told["changes"] == [
        {"bucket": 1, "name": "l1", "from": 2, "to": 0},
        {"bucket": 3, "name": "conv2", "from": 1, "to": 2},
    ]
    assert_images_are_of(told)
    message = converted.refuses("sample", "tiny_gan.rpgan", "--path", "2-0-1", "--walk", "0-0")
    assert "'0-0' is no path of this model" in message


def test_two_paths_are_mixed_in_every_way_or_in_some_or_as_said(converted):
    told = sampled(converted, "--path", "2-0-1", "--mix", "0-0-2")
    assert told["paths"] == ["2-0-1", "2-0-2", "0-0-1", "0-0-2"]
    assert told["blocks_of"] == ["A=A", "A=B", "B=A", "B=B"]
    assert_images_are_of(told)
    some = sampled(converted, "--path", "2-0-1", "--mix", "0-0-2", "-n", "3", "--seed", "1")
    assert len(set(some["paths"])) == 3 and set(some["paths"]) < set(told["paths"])
    taken = sampled(converted, "--path", "2-1-1", "--mix", "0-0-2", "--take", "1,conv2")
    assert taken["paths"] == ["2-1-1", "0-1-2", "0-0-2"] and taken["blocks_of"] == ["AAA", "BAB", "BBB"]
    assert "differ in 2 buckets" in converted.refuses(
        "sample", "tiny_gan.rpgan", "--path", "2-0-1", "--mix", "0-0-2", "-n", "5"
    )
    assert "nothing to mix" in converted.refuses("sample", "tiny_gan.rpgan", "--path", "2-0-1", "--mix", "2-0-1")


def test_more_mixtures_than_one_can_look_at_are_asked_for_by_number(shell):
    shell.write("deep.py", DEEP)
    shell.succeeds("convert", "deep.py", "--buckets", "7", "--blocks", "2", "-o", "d.rpgan")
    message = shell.refuses("sample", "d.rpgan", "--path", "0-0-0-0-0-0-0", "--mix", "1-1-1-1-1-1-1")
    assert "differ in 7 buckets, so they have 128 mixtures. -n 64 draws so many of them; --take" in message


def test_the_nearest_of_random_paths_are_listed_with_their_distances(converted):
    command = ["--path", "2-0-1", "--nearest", "100", "-n", "4"]
    told = sampled(converted, *command)
    assert told["num_searched"] == 26 and told["distance"] == "pixels" and len(told["paths"]) == 5
    assert_images_are_of(told)
    images = ((told["values"].reshape(5, -1) + 1) * 127.5).round() / 127.5 - 1
    expected = np.sqrt(((images - images[0]) ** 2).sum(1))
    np.testing.assert_allclose(told["distances"], expected, rtol=1e-5)
    assert told["distances"] == sorted(told["distances"])
    listed = converted.succeeds("sample", "tiny_gan.rpgan", *command, "-o", "near.png")
    assert listed.stdout.splitlines() == [
        f"{value:#.3g}  {path}" for value, path in zip(told["distances"][1:], told["paths"][1:], strict=True)
    ]
    assert "nearest to 2-0-1 among 26 other paths; Euclidean (pixels)" in listed.stderr
    assert sampled(converted, *command, "--distance", "ssim")["distance"] == "ssim"
    assert "colours" in converted.refuses("sample", "tiny_gan.rpgan", *command, "--distance", "colours")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--vary", "1", "--walk", "0-0-0"], "--vary and --walk make different pictures of a path"),
        (["--take", "1"], "It says what --mix PATH takes from there; give that too"),
        (["--distance", "ssim"], "It finds --nearest NUMBER; give that too"),
        (["--swap", "1=0", "-n", "3"], "-n counts random paths, mixtures and neighbours"),
        (["--mix", "0-0-0", "--take", "1", "-n", "3"], "-n counts random paths, mixtures and neighbours"),
        (["--nearest", "5", "--among", "old"], "It chooses random paths; leave it out"),
        (["--swap", "1"], "'1' is not BUCKET=BLOCK, such as 4=12"),
        (["--swap", "1=x"], "'1=x' is not BUCKET=BLOCK"),
        (["--swap", "1=0", "--swap", "l1=1"], "Bucket l1 is given two blocks"),
    ],
)
def test_what_cannot_be_meant_together_is_wrong_usage(converted, arguments, message):
    result = converted("sample", "tiny_gan.rpgan", *arguments)
    assert result.exit_code == 2 and result.stdout == ""
    assert message in " ".join(result.stderr.split())


def test_a_standard_generator_has_no_paths_to_mix(tiny):
    tiny.succeeds("train", "tiny_gan.py", "--standard", "--data", "digits", "--steps", "1", "-o", "plain")
    message = tiny.refuses("sample", "plain", "--mix", "0-0-0")
    assert "plain is a standard generator" in message and "Leave out --path, --mix and --among" in message
