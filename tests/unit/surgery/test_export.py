"""A plain generator in a file that needs no rpganify."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import rpganify
from rpganify.errors import ConversionError, ModelFileError, PathError
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.export import export, latent_writer, plain_generator, pt2_writer, safetensors_writer
from rpganify.surgery.extract import unwrap


class Generator(nn.Module):
    """Norms with statistics, tied weights, a reshape that holds the batch."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(6, 32)
        self.same = nn.Linear(32, 32)
        self.again = nn.Linear(32, 32)
        self.again.weight = self.same.weight
        self.norm = nn.BatchNorm2d(2)
        self.conv = nn.Conv2d(2, 1, 3, padding=1)

    def forward(self, z: Tensor) -> Tensor:
        hidden = self.again(self.same(self.fc(z)).relu()).view(z.shape[0], 2, 4, 4)
        return torch.tanh(self.conv(self.norm(hidden)))


@pytest.fixture
def model() -> RandomPathGenerator:
    generator = Generator()
    generator(torch.randn(8, 6))  # so that the running statistics are not the initial ones
    return rpganify.wrap(generator, buckets=["fc", "conv"], blocks=3, init="jitter").eval()


def test_weights_load_strictly_into_the_original_class_and_draw_the_path(
    model: RandomPathGenerator, tmp_path: Path
) -> None:
    module, latent = plain_generator(model, (2, 1))
    export(module, latent, tmp_path / "deep" / "g.safetensors", safetensors_writer())
    export(module, latent, tmp_path / "z.safetensors", latent_writer())
    original = Generator().eval()
    original.load_state_dict(load_file(tmp_path / "deep" / "g.safetensors"))
    z = load_file(tmp_path / "z.safetensors")["z"]
    with torch.no_grad():
        # The converted model sums in another order.
        torch.testing.assert_close(original(z), model(torch.tensor([[2, 1]])), rtol=1e-5, atol=1e-6)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "z.safetensors"]


def test_a_program_runs_without_the_class_for_any_number_of_latents(model: RandomPathGenerator, tmp_path: Path) -> None:
    module, latent = plain_generator(model, "2-1")
    target = tmp_path / "g.any"
    export(module, latent, target, pt2_writer())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.export.load reads through a deprecated part of its own
        program = torch.export.load(target).module()
    for count in (1, 2, 5):
        latents = torch.randn(count, 6)
        torch.testing.assert_close(program(latents), module(latents), rtol=1e-5, atol=1e-6)


def test_a_standard_generator_is_exported_without_a_path(tmp_path: Path) -> None:
    original = Generator().eval()
    standard = rpganify.standard(original)
    module, latent = plain_generator(standard, None, seed=3)
    assert torch.equal(latent, standard.draw(1, torch.Generator().manual_seed(3)))
    export(module, latent, tmp_path / "g.safetensors", safetensors_writer())
    again = Generator().eval()
    again.load_state_dict(load_file(tmp_path / "g.safetensors"))
    assert torch.equal(again(latent), original(latent))


def test_unwrapping_shares_nothing_and_keeps_the_mode() -> None:
    standard = rpganify.standard(Generator()).train()
    plain = unwrap(standard)
    z = torch.randn(4, 6)
    assert plain.training and torch.equal(plain(z), standard(z))
    with torch.no_grad():
        next(plain.parameters()).zero_()
    assert not torch.equal(plain(z), standard(z))


def test_a_path_is_asked_for_where_there_are_paths_and_refused_where_there_are_none(model: RandomPathGenerator) -> None:
    with pytest.raises(PathError, match=r"has 9 paths, and one of them is a plain generator\. Choose it: --path 0-0"):
        plain_generator(model, None)
    with pytest.raises(PathError, match=r"standard generator with a random latent, so it has no paths"):
        plain_generator(rpganify.standard(Generator()), (0, 1))
    with pytest.raises(PathError):
        plain_generator(model, "7-0")


def test_a_file_that_is_there_is_replaced_only_when_asked(model: RandomPathGenerator, tmp_path: Path) -> None:
    module, latent = plain_generator(model, (0, 0))
    target = tmp_path / "g.safetensors"
    target.write_text("mine")
    with pytest.raises(ModelFileError, match=r"exists already\. --force replaces it; -o names another file"):
        export(module, latent, target, safetensors_writer())
    assert target.read_text() == "mine"
    export(module, latent, target, safetensors_writer(), overwrite=True)
    assert "conv.weight" in load_file(target)


def test_a_format_that_fails_or_writes_nothing_leaves_what_was_there(
    model: RandomPathGenerator, tmp_path: Path
) -> None:
    module, latent = plain_generator(model, (0, 0))
    target = tmp_path / "g.bin"
    target.write_text("mine")

    def full(module: nn.Module, latent: Tensor, target: Path) -> None:
        target.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(ModelFileError, match=r"could not be written: .*No space left on device.* Free some space"):
        export(module, latent, target, full, overwrite=True)
    with pytest.raises(ModelFileError, match=r"wrote no file g\.bin\. Correct the plugin"):
        export(module, latent, target, lambda module, latent, target: None, overwrite=True)
    assert target.read_text() == "mine" and list(tmp_path.iterdir()) == [target]


def test_what_torch_cannot_export_is_refused_with_the_other_format(tmp_path: Path) -> None:
    class TwoInputs(nn.Module):
        def forward(self, z: Tensor, label: Tensor) -> Tensor:
            return z + label

    with pytest.raises(ConversionError, match=r"torch\.export cannot hold this generator: .*`--format safetensors`"):
        export(TwoInputs(), torch.zeros(1, 4), tmp_path / "g.pt2", pt2_writer())
    assert list(tmp_path.iterdir()) == []
