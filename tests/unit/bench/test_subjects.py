"""The loop over samples is the same generator, and the plain twin is its first path."""

import pytest
import torch

from rpganify.bench.subjects import SampleLoop, Subjects, plain_twin
from rpganify.conversion.converting import wrap
from tests.unit.bench.generators import CPU, Labelled, Small, converted, with_norm_of_one_value


@pytest.mark.parametrize("build", [Small, Labelled])
def test_the_loop_makes_the_routed_generators_images_and_gradients(build):
    routed = converted((3, 1, 4), build).double()
    subjects = Subjects(plain_twin(routed), routed, 12, CPU)
    paths = subjects.paths()[0]
    # Besides the shape and type of each condition, nothing but zeros would show a wrong row.
    conditions = {name: torch.arange(12) % 7 for name in subjects.conditions()}
    loop = SampleLoop(subjects.plain, routed)

    expected = routed.images(paths, **conditions)
    images = loop(paths, conditions)
    torch.testing.assert_close(images, expected, rtol=1e-12, atol=1e-12)

    weights = torch.randn(images.shape, dtype=torch.float64)
    (expected * weights).sum().backward()
    (images * weights).sum().backward()
    stacked = {name: torch.stack([_gradient(row) for row in rows]) for name, rows in loop._blocks.items()}
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
    loop, paths = SampleLoop(plain_twin(routed), routed), routed.paths.sample(6)
    images, expected = loop(paths, {}), routed.images(paths)
    torch.testing.assert_close(images, expected, rtol=1e-12, atol=1e-12)
    weights = torch.randn(images.shape, dtype=torch.float64)
    (expected * weights).sum().backward()
    (images * weights).sum().backward()
    torch.testing.assert_close(loop._fixed.grad, routed.Z.grad, rtol=1e-10, atol=1e-12)
    assert len(paths[:, 0].unique()) > 1


def test_the_loop_has_each_block_as_a_tensor_of_its_own():
    routed = converted((3, 1, 4))
    loop = SampleLoop(plain_twin(routed), routed)
    # A weight and a bias for every block, those of the shared convolution, and the fixed input.
    assert len(list(loop.parameters())) == 2 * (3 + 1 + 4) + 2 + 1


def test_the_plain_twin_is_the_first_path_and_shares_nothing():
    routed = converted(3)
    plain = plain_twin(routed)
    first = routed.images(torch.zeros(1, 3, dtype=torch.int64))
    torch.testing.assert_close(plain.images(routed.Z), first)
    with torch.no_grad():
        for parameter in plain.parameters():
            parameter.zero_()
    torch.testing.assert_close(routed.images(torch.zeros(1, 3, dtype=torch.int64)), first)


def test_every_pass_comes_with_and_without_gradients_and_leaves_none():
    routed = converted(3)
    passes = Subjects(plain_twin(routed), routed, 4, CPU).passes()
    assert list(passes) == [
        "plain", "plain + backward", "routed", "routed + backward", "frozen", "frozen + backward", "loop",
        "loop + backward",
    ]  # fmt: skip
    for one in passes.values():
        one()
    assert all(parameter.grad is None for parameter in routed.parameters())


def test_a_single_sample_is_refused_only_where_a_norm_refuses_it():
    small, normed = converted(3), with_norm_of_one_value().train()
    assert Subjects(plain_twin(small), small, 4, CPU).why_no_loop() is None
    plain = plain_twin(normed).train()
    assert "more than 1 value per channel" in (Subjects(plain, normed, 4, CPU).why_no_loop() or "")
