"""`rpganify export --routed` and `--format onnx`."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

import rpganify
from rpganify.surgery.onnx import onnx_images


def test_one_path_and_the_whole_model_are_written_and_compared(converted):
    told = converted.succeeds("export", "tiny_gan.rpgan", "--routed", "--format", "onnx", "-o", "m.onnx")
    assert told.stdout == "m.onnx\n"
    assert "verified: onnxruntime draws 7 random paths from m.onnx with a difference of at most" in told.stderr
    assert "fixed input is not in it" not in told.stderr
    model = rpganify.load(converted.directory / "tiny_gan.rpgan")
    paths = model.draw(3, torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = model(paths)
    torch.testing.assert_close(onnx_images(converted.directory / "m.onnx", paths), expected, rtol=1e-4, atol=1e-5)
    told = converted.succeeds("export", "tiny_gan.rpgan", "--path", "0-1-2", "--format", "onnx", "-o", "g.onnx")
    assert "onnxruntime draws 7 random latents" in told.stderr
    told = converted.succeeds("export", "tiny_gan.rpgan", "--routed", "--format", "pt2", "-o", "m.pt2")
    assert "verified: torch.export draws 7 random paths" in told.stderr


def test_the_whole_models_weights_keep_their_block_axis(converted):
    converted.succeeds("export", "tiny_gan.rpgan", "--routed", "-o", "m.safetensors")
    weights = load_file(converted.directory / "m.safetensors")
    assert weights["conv1.weight"].shape == (3, 4, 4, 3, 3) and "Z" in weights


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--routed", "--path", "0-1"], "is no path of this model"), (["--format", "onyx"], "Did you mean 'onnx'")],
)
def test_what_cannot_be_exported_is_refused(converted, arguments, message):
    assert message in converted.refuses("export", "tiny_gan.rpgan", *arguments, "-o", "g.onnx")


def test_the_whole_model_needs_no_latent(converted):
    result = converted("export", "tiny_gan.rpgan", "--routed", "--latent", "z.safetensors", "-o", "m.onnx")
    assert result.exit_code == 2 and "holds its fixed input" in result.stderr


# Of all that a generator may call, ONNX knows no digamma function; torch does.
ODD = """
import torch
import torch.nn as nn


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.l1 = nn.Linear(4, 16)
        self.l2 = nn.Linear(16, 64)

    def forward(self, z):
        return torch.tanh(self.l2(torch.digamma(self.l1(z).abs() + 1))).view(-1, 1, 8, 8)
"""


def test_an_operator_that_onnx_lacks_is_refused_by_name_with_a_format_that_has_it(shell):
    shell.write("odd.py", ODD)
    shell.succeeds("convert", "odd.py", "--blocks", "2", "-o", "odd.rpgan")
    export = ["export", "odd.rpgan", "--path", "0-1", "--trust-source"]
    message = shell.refuses(*export, "--format", "onnx", "-o", "g.onnx")
    assert "ONNX cannot hold this generator" in message and "digamma" in message
    assert "`--format pt2` writes a program for torch" in message
    told = shell.succeeds(*export, "--format", "pt2", "-o", "g.pt2")
    assert "verified: torch.export draws 7 random latents" in told.stderr
