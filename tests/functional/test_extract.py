"""`rpganify extract`: one path, for the class that it came from."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

import rpganify


def test_the_weights_of_a_path_load_strictly_and_draw_its_image_bit_for_bit(shell):
    shell.succeeds("convert", "sngan32", "--arg", "channels=4", "--blocks", "3", "-o", "m.rpgan")
    told = shell.succeeds(
        "extract", "m.rpgan", "--path", "2-0-1-2-0", "-o", "g.safetensors", "--latent", "z.safetensors"
    )
    assert told.stdout.splitlines() == ["g.safetensors", "z.safetensors"]
    lines = [line for line in told.stderr.splitlines() if line.startswith("verified")]
    assert lines == [
        "verified: the image of the extracted generator is bit for bit the model's",
        "verified: the image of SNGANGenerator, into which the weights load strictly, is bit for bit the model's",
    ]
    original = rpganify.architecture("sngan32", channels=4).eval()
    original.load_state_dict(load_file(shell.directory / "g.safetensors"), strict=True)
    model = rpganify.load(shell.directory / "m.rpgan")
    with torch.no_grad():
        image = original(load_file(shell.directory / "z.safetensors")["z"])
        assert torch.equal(image, model(torch.tensor([[2, 0, 1, 2, 0]])))


def test_a_strangers_class_is_compared_where_it_is_named(converted):
    told = converted.succeeds("extract", "tiny_gan.rpgan", "--path", "0-2-1", "-o", "g.safetensors")
    assert "Generator, into which" not in told.stderr and "--latent z.safetensors" in told.stderr
    told = converted.succeeds(
        "extract", "tiny_gan.rpgan", "--path", "0-2-1", "-o", "h.safetensors", "--source", "tiny_gan.py"
    )
    assert "verified: the image of Generator, into which the weights load strictly, is bit for bit" in told.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--path", "0-2"], "'0-2' is no path of this model"),
        (["--path", "0-2-7"], "Bucket 3 (conv2) has blocks 0 to 2; there is no block 7"),
        (["--path", "0-2-1", "--source", "sngan32"], "do not load into SNGANGenerator"),
    ],
)
def test_an_impossible_path_or_class_is_refused_and_nothing_is_written(converted, arguments, message):
    assert message in converted.refuses("extract", "tiny_gan.rpgan", *arguments, "-o", "g.safetensors")


def test_a_standard_generator_has_no_path(shell):
    shell.succeeds("train", "mlp28", "--standard", "--arg", "channels=8", "--data", "digits", "--steps", "1", "-o", "s")
    assert "has no buckets and blocks" in shell.refuses("extract", "s", "--path", "0", "-o", "g.safetensors")
