"""The loop over samples is the same generator, run as its authors' public code runs it."""

import pytest
import torch

from rpganify.bench.loop import SampleLoop
from rpganify.conversion.converting import wrap
from tests.unit.bench.generators import Labelled, Small, converted, with_norm_of_one_value
from tests.unit.bench.test_kernels import Wide


@pytest.mark.parametrize("build", [Small, Labelled])
def test_the_loop_makes_the_routed_generators_images_and_gradients(build):
    routed = converted((3, 1, 4), build).double()
    paths = routed.draw(12, torch.Generator().manual_seed(0))
    # Labels that differ: a row of another sample would show.
    conditions = {one.name: torch.arange(12) % 7 for one in routed.conditions}
    loop = SampleLoop(routed)

    expected = routed.images(paths, **conditions)
    images = loop(paths, conditions)
    torch.testing.assert_close(images, expected, rtol=1e-12, atol=1e-12)

    weights = torch.randn(images.shape, dtype=torch.float64)
    (expected * weights).sum().backward()
    (images * weights).sum().backward()
    stacked = {name: torch.stack([_gradient(row) for row in rows]) for name, rows in loop.blocks.items()}
    assert stacked.keys() == {
        n for n in dict(routed.named_parameters()) if n.split(".")[0] in ("first", "conv", "last")
    }
    for name, gradient in stacked.items():
        torch.testing.assert_close(gradient, routed.get_parameter(name).grad, rtol=1e-10, atol=1e-12)
    assert any(len(set(column.tolist())) > 1 for column in paths.t())


def _gradient(parameter):
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def test_the_loop_goes_out_from_the_z_that_a_path_chooses():
    torch.manual_seed(0)
    routed = wrap(Small(), buckets=["first", "conv", "last"], blocks=(3, 1, 4), num_Z=3, init="jitter").double()
    loop, paths = SampleLoop(routed), routed.paths.sample(6)
    images, expected = loop(paths, {}), routed.images(paths)
    torch.testing.assert_close(images, expected, rtol=1e-12, atol=1e-12)
    weights = torch.randn(images.shape, dtype=torch.float64)
    (expected * weights).sum().backward()
    (images * weights).sum().backward()
    fixed = torch.stack([_gradient(row) for row in loop.blocks["Z"]])
    torch.testing.assert_close(fixed, routed.Z.grad, rtol=1e-10, atol=1e-12)
    assert len(paths[:, 0].unique()) > 1


def test_the_loop_has_each_block_as_a_tensor_of_its_own():
    routed = converted((3, 1, 4))
    loop = SampleLoop(routed)
    # A weight and a bias for every block, those of the shared convolution, and the fixed input.
    assert len(list(loop.parameters())) == 2 * (3 + 1 + 4) + 2 + 1


def test_layers_are_called_once_per_sample_and_what_is_shared_once(monkeypatch):
    routed = converted((3, 1, 4))
    batches = []
    whole = torch.nn.functional.conv2d

    def counted(x, *args, **kwargs):
        batches.append(len(x))
        return whole(x, *args, **kwargs)

    loop = SampleLoop(routed)
    monkeypatch.setattr(torch.nn.functional, "conv2d", counted)
    for module in routed.modules():
        if hasattr(module, "_call"):
            module.__setstate__(module.__getstate__())  # looks conv2d up anew
    shared = routed._tensors.get_submodule("shared")
    shared.register_forward_hook(lambda module, inputs, result: batches.append(-len(inputs[0])))
    loop(routed.draw(5, torch.Generator().manual_seed(0)), {})
    assert sorted(batches) == [-5] + [1] * 10 + [5] * batches.count(5)
    assert batches.count(5) <= 1  # the shared convolution, where it calls the function


def test_a_bucket_of_several_layers_is_run_as_a_whole_for_each_sample():
    torch.manual_seed(0)
    routed = wrap(Wide(), ["first", "a,b", "last"], 3, init="jitter", latent="z:5").double()
    paths = routed.draw(6, torch.Generator().manual_seed(0))
    torch.testing.assert_close(SampleLoop(routed)(paths, {}), routed.images(paths), rtol=1e-12, atol=1e-12)


def test_a_shared_norm_takes_the_whole_batch():
    routed = with_norm_of_one_value().double().train()
    paths = routed.draw(6, torch.Generator().manual_seed(0))
    torch.testing.assert_close(SampleLoop(routed)(paths, {}), routed.images(paths), rtol=1e-12, atol=1e-12)


def test_every_sample_adds_to_its_blocks_own_gradient():
    routed = converted((3, 1, 4))
    loop = SampleLoop(routed)
    loop(torch.tensor([[0, 0, 1]] * 3), {}).sum().backward()
    drawn = [[row.grad is not None for row in loop.blocks[name]] for name in ("first.weight", "last.bias")]
    assert drawn == [[True, False, False], [False, True, False, False]]
