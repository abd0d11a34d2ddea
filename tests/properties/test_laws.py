"""The laws of a converted generator, for random generators, buckets, blocks and paths."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

import rpganify
from rpganify.plan import Plan
from rpganify.surgery.extract import extract_tensors
from tests.laws import costly_law
from tests.properties.generators import LATENT, Drawn, conversions, routable, with_paths


def close(found: Tensor, expected: Tensor) -> None:
    # float32 sums of at most 36 products in another order.
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@costly_law
@given(with_paths())
def test_routing_through_copies_of_one_block_changes_nothing(drawn_paths: tuple[Drawn, Tensor]) -> None:
    drawn, paths = drawn_paths
    model = drawn.wrapped(init="copy")
    z = model.Z.detach().expand(len(paths), -1)
    close(model(paths), copy.deepcopy(drawn.original).eval()(z))


@costly_law
@given(with_paths())
def test_a_batch_equals_its_samples_one_by_one(drawn_paths: tuple[Drawn, Tensor]) -> None:
    drawn, paths = drawn_paths
    model = drawn.wrapped()
    close(model(paths), torch.cat([model(path[None]) for path in paths]))


@costly_law
@given(with_paths(), st.randoms(use_true_random=False))
def test_permuting_samples_permutes_images(drawn_paths: tuple[Drawn, Tensor], chance: object) -> None:
    drawn, paths = drawn_paths
    model = drawn.wrapped()
    order = list(range(len(paths)))
    chance.shuffle(order)  # type: ignore[attr-defined]
    close(model(paths[order]), model(paths)[order])


@costly_law
@given(with_paths())
def test_saving_then_loading_is_the_identity(drawn_paths: tuple[Drawn, Tensor]) -> None:
    drawn, paths = drawn_paths
    model = drawn.wrapped()
    with tempfile.TemporaryDirectory() as folder:
        again = rpganify.load(rpganify.save(model, Path(folder) / "m.rpgan"))
    assert again.plan == model.plan  # type: ignore[union-attr]
    assert torch.equal(again(paths), model(paths))
    ours, theirs = again.state_dict(), model.state_dict()
    assert list(ours) == list(theirs) and all(torch.equal(ours[name], theirs[name]) for name in theirs)


@costly_law
@given(with_paths(max_paths=2))
def test_an_extracted_path_and_the_original_class_with_its_tensors_equal_that_path(
    drawn_paths: tuple[Drawn, Tensor],
) -> None:
    drawn, paths = drawn_paths
    model = drawn.wrapped()
    for path in paths:
        close(rpganify.extract(model, path)(model.Z), model(path[None]))
        original = copy.deepcopy(drawn.original).eval()
        original.load_state_dict(extract_tensors(model, path))
        close(original(model.Z), model(path[None]))


@costly_law
@given(with_paths(max_paths=3))
def test_a_path_s_image_of_a_latent_is_the_extracted_generator_s(drawn_paths: tuple[Drawn, Tensor]) -> None:
    drawn, paths = drawn_paths
    model = drawn.wrapped()
    z = torch.randn(len(paths), LATENT, generator=torch.Generator().manual_seed(drawn.seed))
    expected = [rpganify.extract(model, path)(one[None]) for path, one in zip(paths, z, strict=True)]
    close(model(paths, z=z), torch.cat(expected))
    close(model(paths, z=model.Z.expand(len(paths), -1)), model(paths))


@costly_law
@given(with_paths(max_paths=3), st.integers(2, 4), st.data())
def test_with_several_z_a_path_s_image_is_the_extracted_generator_s_of_its_z(
    drawn_paths: tuple[Drawn, Tensor], num_Z: int, data: st.DataObject
) -> None:
    drawn, paths = drawn_paths
    model = drawn.wrapped(num_Z=num_Z)
    chosen = torch.tensor([data.draw(st.integers(0, num_Z - 1)) for _ in paths])
    paths = torch.cat([chosen[:, None], paths], dim=1)
    expected = [rpganify.extract(model, path)(model.latent_of(path)) for path in paths]
    close(model(paths), torch.cat(expected))
    assert all(torch.equal(model.latent_of(path)[0], model.Z[block]) for path, block in zip(paths, chosen, strict=True))


@costly_law
@given(conversions())
def test_the_first_block_of_every_bucket_is_the_generator_as_it_was_given(drawn: Drawn) -> None:
    model = drawn.wrapped()
    found = extract_tensors(model, [0] * model.paths.num_buckets)
    expected = drawn.original.state_dict()
    assert set(found) == set(expected) and all(torch.equal(found[name], expected[name]) for name in expected)


@costly_law
@given(conversions())
def test_a_plan_survives_json_and_names_every_layer_once(drawn: Drawn) -> None:
    model = drawn.wrapped()
    plan = model.plan
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    named = [layer for bucket in plan.buckets for layer in bucket.layers] + list(plan.shared)
    assert sorted(named) == sorted(layer.name for layer in model.blueprint.layers)
    wanted = [
        {n for n, b in zip(routable(drawn.original, drawn.norm), drawn.assignment, strict=True) if b == index}
        for index in range(plan.num_buckets)
    ]
    assert [set(bucket.layers) for bucket in plan.buckets] == wanted


@costly_law
@given(with_paths(max_paths=3))
def test_a_sample_gives_gradients_to_its_own_blocks_only(drawn_paths: tuple[Drawn, Tensor]) -> None:
    drawn, paths = drawn_paths
    model = drawn.wrapped()
    model(paths).square().sum().backward()
    for bucket in range(model.paths.num_buckets):
        absent = sorted(set(range(drawn.num_blocks[bucket])) - set(paths[:, bucket].tolist()))
        for name, parameter in model.bucket_parameters(bucket).items():
            assert parameter.shape[0] == drawn.num_blocks[bucket]
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all() and not parameter.grad[absent].any(), name
