"""The whole routed model as one program: equal to the model, whole for torch.compile, torch.export and ONNX."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import rpganify
from rpganify.errors import ConversionError, PathError
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.export import export, plain_generator, pt2_writer, routed_generator
from rpganify.surgery.gathered import gathered
from rpganify.surgery.onnx import onnx_images, onnx_writer, pt2_images
from tests.generators import CASES
from tests.unit.conversion.converted import FLOAT32, assert_same, conditions, model_copy
from tests.unit.surgery.models import build, converted

# What cannot be written without a decision that depends on the batch, or draws.
REFUSED = {
    "DrawsNoise": "draws noise inside its forward pass",
    "InjectsNoise": "draws noise inside its forward pass",
    "AlwaysDropsOut": "draws images that differ by up to",
    "ScalesAndMixes": "does not have the samples first",
    "AttendsBatchFirst": "does not have the samples first",
    "FoldsTokensIntoTheBatch": "does not have the samples first",
    "Recurs": "does not have the samples first",
    "WritesParametersInPlace": "does not run as one program",
    "ReversesGradients": "does not run as one program",
}
WRITTEN = (
    "ModulatedConvolutions",
    "GatedSelfAttention",
    "SpectralNormByHook",
    "TiesWeights",
    "BatchNorms",
    "ClassLabels",
    "LearnedConstantExpanded",
    "EqualisedLayers",
    "MixesKernels",
    "WorksInPlace",
)


@pytest.mark.parametrize("name", WRITTEN)
@torch.no_grad()
def test_every_sample_gathers_its_own_blocks(name: str) -> None:
    model = model_copy(name, 3, "train")
    module = gathered(model)
    assert model.training and not module.training
    model.eval()
    paths = model.draw(11, torch.Generator().manual_seed(4))
    others = conditions(model, CASES[name].arguments(11))
    named = {spec.name: spec.identifier for spec in model.blueprint.inputs}
    found = module(paths, **{named[key]: value for key, value in others.items()})
    assert_same(found, model(paths, **others), FLOAT32)


@pytest.mark.parametrize(("name", "message"), REFUSED.items())
def test_what_one_program_cannot_do_is_refused_and_the_way_out_named(name: str, message: str) -> None:
    with pytest.raises(ConversionError, match=rf"{message}[\s\S]*xport one path"):
        gathered(model_copy(name, 3, "eval"))


def test_it_shares_nothing_with_the_model() -> None:
    model = converted()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    module = gathered(model)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            tensor.zero_()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.fixture(scope="module")
def pictures() -> RandomPathGenerator:
    return rpganify.wrap(rpganify.architecture("sngan32", channels=4), blocks=3, init="jitter").eval()


@pytest.mark.parametrize("num_Z", [1, 2])
@torch.no_grad()
def test_the_whole_model_is_an_onnx_file_and_a_pt2_program_for_any_number_of_paths(num_Z: int, tmp_path: Path) -> None:
    model = converted(num_Z=num_Z)
    module, example = routed_generator(model, None)
    assert example.dtype == torch.int64
    export(module, example, tmp_path / "m.onnx", onnx_writer())
    export(module, example, tmp_path / "m.pt2", pt2_writer())
    for count in (1, 2, 9):
        paths = model.draw(count, torch.Generator().manual_seed(count))
        for found in (onnx_images(tmp_path / "m.onnx", paths), pt2_images(tmp_path / "m.pt2", paths)):
            torch.testing.assert_close(found, model(paths), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_convolutions_upsampling_and_norms_are_onnx_too(pictures: RandomPathGenerator, tmp_path: Path) -> None:
    module, example = routed_generator(pictures, "0-1-2-0-1")
    export(module, example, tmp_path / "m.onnx", onnx_writer())
    paths = pictures.draw(5, torch.Generator().manual_seed(2))
    torch.testing.assert_close(onnx_images(tmp_path / "m.onnx", paths), pictures(paths), rtol=1e-4, atol=1e-5)
    plain, latent = plain_generator(pictures, "0-1-2-0-1")
    export(plain, latent, tmp_path / "g.onnx", onnx_writer())
    for count in (1, 4):
        z = torch.randn(count, 128)
        torch.testing.assert_close(onnx_images(tmp_path / "g.onnx", z), plain(z), rtol=1e-4, atol=1e-5)
    assert torch.equal(example, torch.tensor([[0, 1, 2, 0, 1]]))


@torch.no_grad()
def test_transposed_convolutions_are_onnx_too(tmp_path: Path) -> None:
    model = rpganify.wrap(rpganify.architecture("dcgan32", channels=4), blocks=2, init="jitter").eval()
    module, example = routed_generator(model)
    export(module, example, tmp_path / "m.onnx", onnx_writer())
    paths = model.draw(5, torch.Generator().manual_seed(2))
    torch.testing.assert_close(onnx_images(tmp_path / "m.onnx", paths), model(paths), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_torch_compile_takes_a_path_and_the_whole_model_without_a_break(pictures: RandomPathGenerator) -> None:
    module, _ = routed_generator(pictures)
    paths = pictures.draw(6, torch.Generator().manual_seed(1))
    # The eager backend runs what was traced: a break would be an error of fullgraph=True.
    whole = torch.compile(module, fullgraph=True, backend="eager")
    torch.testing.assert_close(whole(paths), pictures(paths), rtol=1e-4, atol=1e-5)
    plain = rpganify.extract(pictures, paths[0])
    one = torch.compile(plain, fullgraph=True, backend="eager")
    torch.testing.assert_close(one(pictures.Z), pictures(paths[:1]), rtol=1e-5, atol=1e-6)


def test_an_operator_that_onnx_lacks_is_refused_by_name(tmp_path: Path) -> None:
    class Odd(torch.nn.Module):
        def forward(self, z: torch.Tensor) -> torch.Tensor:
            return torch.linalg.eigvalsh(z[:, :, None] * z[:, None])

    with pytest.raises(ConversionError, match=r"ONNX cannot hold this generator: .*eigh[\s\S]*`--format pt2`"):
        export(Odd().eval(), torch.randn(1, 4), tmp_path / "g.onnx", onnx_writer())
    assert list(tmp_path.iterdir()) == []


def test_without_onnx_the_message_says_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        ConversionError, match=r"onnx and onnxscript cannot be imported\. `pip install 'rpganify\[onnx\]'`"
    ):
        export(build(), torch.randn(1, 8), tmp_path / "g.onnx", onnx_writer())


def test_a_standard_generator_has_no_paths_to_take() -> None:
    with pytest.raises(PathError, match=r"no paths to take\. Leave --routed out"):
        routed_generator(rpganify.standard(build(), latent="z:8"))


def test_a_file_that_is_no_onnx_is_refused(tmp_path: Path) -> None:
    (tmp_path / "g.onnx").write_bytes(b"nothing")
    with pytest.raises(ConversionError, match=r"onnxruntime does not run g\.onnx"):
        onnx_images(tmp_path / "g.onnx", torch.zeros(1, 4))
