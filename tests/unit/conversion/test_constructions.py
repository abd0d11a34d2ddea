"""The laws of a conversion, for every class of construction in tests/generators."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rpganify
from rpganify.errors import ModelFileError
from rpganify.routing.generator import RandomPathGenerator
from rpganify.surgery.extract import extract_tensors
from tests.generators import CASES
from tests.generators.case import Case, Mode
from tests.oracle import loaded_original, model_gradients, model_one_by_one
from tests.unit.conversion.converted import (
    FLOAT32,
    FLOAT64,
    assert_same,
    conditions,
    converted,
    default_dtype,
    model_copy,
    portrait,
    sample_of,
    seeded,
    with_latent,
    wrap,
)

BOTH_MODES: tuple[Mode, ...] = ("eval", "train")
EVERY_CASE = [(name, mode) for name in CASES for mode in BOTH_MODES]
# One image depends neither on the others nor on chance.
PER_SAMPLE = [(n, m) for n, m in EVERY_CASE if m not in CASES[n].mixes and m not in CASES[n].draws_noise]

per_case = pytest.mark.parametrize("name", CASES)
per_mode = pytest.mark.parametrize(("name", "mode"), EVERY_CASE)
per_sample = pytest.mark.parametrize(("name", "mode"), PER_SAMPLE)

NUM_SAMPLES = 4

# Dropout draws from torch's own state only.
DROP_OUT = ("DropsOut", "AlwaysDropsOut", "TransformerSequenceFirst", "NoisyParameters")

# Torch says so when a generator is run without gradients; the author's choice of checkpoint is not ours to change.
pytestmark = pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad=True:UserWarning")


def paths_of(model: RandomPathGenerator, num_paths: int = NUM_SAMPLES) -> Tensor:
    return model.paths.sample(num_paths, generator=torch.Generator().manual_seed(2))


def run_paths(case: Case, model: RandomPathGenerator, paths: Tensor, arguments: dict[str, Any]) -> Any:
    return seeded(lambda: model(paths, **conditions(model, arguments)))


def state_of(module: nn.Module) -> dict[str, Tensor]:
    return by_name(module.state_dict())


def by_name(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensors[name].detach().clone() for name in sorted(tensors)}


@per_mode
def test_one_block_per_bucket_is_the_original_at_every_batch_size_and_so_is_its_state_afterwards(
    name: str, mode: Mode
) -> None:
    case = CASES[name]
    model = model_copy(name, 1, mode)
    original = case.build().train(mode == "train")
    plain = rpganify.extract(model, [0] * model.paths.num_buckets)
    for batch in (5, 2, 1) if mode in case.single else (5, 2):
        arguments = case.arguments(batch, seed=batch)
        expected = case.run(original, copy.deepcopy(arguments))
        assert_same(case.run(_unbound(case, plain), copy.deepcopy(arguments)), expected, FLOAT32)
        assert_same(state_of(plain), state_of(original), FLOAT32)


def _unbound(case: Case, plain: nn.Module) -> Any:
    """An extracted generator takes the tensors only; constants are bound in it, `*args` have names."""
    bound = dict(case.constants)

    def call(*args: Any, **kwargs: Any) -> Any:
        return plain(*args, **{key: value for key, value in kwargs.items() if key not in bound})

    return call


@per_mode
def test_a_path_through_one_block_per_bucket_is_the_original_on_the_fixed_input(name: str, mode: Mode) -> None:
    case = CASES[name]
    model = model_copy(name, 1, mode)
    original = case.build().train(mode == "train")
    arguments = case.arguments(3)
    paths = torch.zeros(3, model.paths.num_buckets, dtype=torch.int64)
    z = model.Z.detach().expand(3, *model.Z.shape[1:]).clone()
    expected = case.run(original, with_latent(model, copy.deepcopy(arguments), z))
    assert_same(run_paths(case, model, paths, arguments), expected, FLOAT32)
    assert_same(by_name(extract_tensors(model, [0] * model.paths.num_buckets)), state_of(original), FLOAT32)


@per_sample
def test_a_batch_equals_its_samples_one_by_one(name: str, mode: Mode) -> None:
    case = CASES[name]
    model = model_copy(name, 3, mode)
    arguments, paths = case.arguments(NUM_SAMPLES), paths_of(model)
    # In train mode a pass may move the state, so that each sample starts from the same.
    singles = [
        case.images(run_paths(case, model_copy(name, 3, mode), paths[i : i + 1], sample_of(arguments, i)))
        for i in range(NUM_SAMPLES)
    ]
    batch = case.images(run_paths(case, model, paths, arguments))
    assert_same(batch, torch.cat(singles), FLOAT32)


@per_sample
def test_every_path_is_the_original_class_with_that_paths_tensors(name: str, mode: Mode) -> None:
    case = CASES[name]
    model = model_copy(name, 3, mode)
    arguments, paths = case.arguments(NUM_SAMPLES), paths_of(model)
    z = model.Z.detach()
    expected = model_one_by_one(
        case.build, model, paths, lambda plain, i: case.run(plain, with_latent(model, sample_of(arguments, i), z))
    )
    found = case.images(run_paths(case, model, paths, arguments))
    assert_same(found, torch.cat([case.images(one) for one in expected]), FLOAT32)
    assert found.std() > 0, "all images are one constant: nothing was compared"


@per_case
def test_every_bucket_changes_the_images(name: str) -> None:
    case = CASES[name]
    for bucket in range(converted(name, 3).model.paths.num_buckets):
        moved = 0.0
        for mode in BOTH_MODES:  # a layer may be used in one mode only
            model = model_copy(name, 3, mode)
            first, second, third = (
                case.images(run_paths(case, model_copy(name, 3, mode), path[None].repeat(2, 1), case.arguments(2)))
                for path in model.paths.vary([0] * model.paths.num_buckets, bucket)
            )
            moved = max(
                moved, float((first - second).detach().abs().max()), float((first - third).detach().abs().max())
            )
        assert moved > 1e-4, f"bucket {bucket}"


@per_mode
def test_an_extracted_path_equals_that_path_and_the_original_class_with_its_tensors(name: str, mode: Mode) -> None:
    case = CASES[name]
    model = model_copy(name, 3, mode)
    arguments, path = case.arguments(1), paths_of(model)[1]
    plain = rpganify.extract(model, path)
    original = loaded_original(case.build, model, path)
    if mode in case.single:
        found = case.run(_unbound(case, plain), with_latent(model, copy.deepcopy(arguments), model.Z.detach()))
        fresh = rpganify.extract(model, path)
        assert_same(found, run_paths(case, model, path[None], arguments), FLOAT32)
        plain = fresh
    several = case.arguments(3)
    expected = case.run(original, copy.deepcopy(several))
    assert_same(case.run(_unbound(case, plain), copy.deepcopy(several)), expected, FLOAT32)
    assert_same(state_of(plain), state_of(original), FLOAT32)


@per_case
def test_the_tensors_of_a_path_are_exactly_the_originals_state_dict(name: str) -> None:
    model = converted(name, 3).model
    found = extract_tensors(model, paths_of(model)[0])
    expected = CASES[name].build().state_dict()
    assert {n: (t.shape, t.dtype) for n, t in found.items()} == {n: (t.shape, t.dtype) for n, t in expected.items()}


@per_mode
def test_gradients_equal_those_of_the_original_class_sample_by_sample(name: str, mode: Mode) -> None:
    case = CASES[name]
    # Where images depend on chance or on each other, a single sample can still be compared.
    num_samples = 3 if (name, mode) in PER_SAMPLE else 1
    if num_samples == 1 and mode not in case.single:
        pytest.skip("the original itself takes no batch of one in this mode")
    with default_dtype(torch.float64):
        model = model_copy(name, 3, mode, torch.float64)
        arguments, paths = case.arguments(num_samples), paths_of(model, num_samples)

        def loss(outputs: Any, index: int = 0) -> Tensor:
            images = case.images(outputs)
            weights = torch.cos(torch.arange(num_samples * images[0].numel(), dtype=torch.float64) * 1.7)
            rows = weights.view(num_samples, *images.shape[1:])[index : index + len(images)]
            return (images * rows).sum()

        expected = model_gradients(
            case.build_reference,
            model,
            paths,
            lambda call, i: loss(case.run(call, with_latent(model, sample_of(arguments, i), model.Z)), i),
        )
        loss(run_paths(case, model, paths, arguments)).backward()
    found = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in model.named_parameters() if n in expected}
    assert_same(found, expected, FLOAT64)
    assert any(gradient.any() for gradient in found.values()), "all gradients are zero: nothing was compared"


@per_case
def test_training_gives_finite_gradients_to_z_and_only_to_blocks_that_are_present(name: str) -> None:
    case = CASES[name]
    model = model_copy(name, 3, "train")
    paths = torch.tensor([[0] * model.paths.num_buckets, [2] * model.paths.num_buckets])
    case.images(run_paths(case, model, paths, case.arguments(2))).square().mean().backward()
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    assert gradients and all(g.isfinite().all() for g in gradients.values())
    for bucket in range(model.paths.num_buckets):
        for parameter in model.bucket_parameters(bucket).values():
            assert parameter.shape[0] == 3
            assert parameter.grad is None or not parameter.grad[1].any()


@per_mode
def test_every_tensor_is_made_on_the_models_device_while_paths_stay_on_the_cpu(name: str, mode: Mode) -> None:
    """The meta device stands in for a GPU: torch refuses to mix it with the CPU in the same way."""
    case = CASES[name]
    model = model_copy(name, 3, mode).to("meta")
    given = {key: value.to("meta") for key, value in conditions(model, case.arguments(NUM_SAMPLES)).items()}
    images = case.images(model(paths_of(model), **given))
    assert images.device.type == "meta" and images.shape == (NUM_SAMPLES, *model.image_shape)
    images.square().mean().backward()
    moved = [p.grad.device.type for p in model.parameters() if p.grad is not None]
    assert moved and set(moved) == {"meta"}


@pytest.mark.parametrize("name", [name for name in CASES if not CASES[name].is_savable])
def test_a_model_that_calls_code_of_its_source_is_opened_by_who_trusts_it_only(name: str, tmp_path: Path) -> None:
    model = converted(name, 3).model
    rpganify.save(model, tmp_path / "model.rpgan")
    with pytest.raises(ModelFileError, match=r"gradients:(Rounds|Reverses), a function of its source"):
        rpganify.load(tmp_path / "model.rpgan")
    again = rpganify.load(tmp_path / "model.rpgan", trust_source=True)
    case, paths = CASES[name], paths_of(model)
    assert torch.equal(case.images(again(paths)), case.images(model.eval()(paths)))


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].is_savable])
def test_saving_and_loading_gives_the_same_tensors_and_the_same_images_bit_for_bit(name: str, tmp_path: Path) -> None:
    case, model = CASES[name], converted(name, 3).model
    rpganify.save(model, tmp_path / "model.rpgan")
    again = rpganify.load(tmp_path / "model.rpgan")
    assert isinstance(again, RandomPathGenerator)
    assert again.plan == model.plan
    ours, theirs = again.state_dict(), model.state_dict()
    assert list(ours) == list(theirs)
    assert all(torch.equal(ours[key], theirs[key]) and ours[key].dtype == theirs[key].dtype for key in theirs)
    arguments, paths = case.arguments(NUM_SAMPLES), paths_of(model)
    for mode in BOTH_MODES:
        before = run_paths(case, copy.deepcopy(model).train(mode == "train"), paths, arguments)
        after = run_paths(case, copy.deepcopy(again).train(mode == "train"), paths, arguments)
        assert_same(after, before, 0.0)


@per_case
def test_the_original_is_neither_run_nor_changed(name: str) -> None:
    result = converted(name, 3)
    assert not any(result.ran)
    after = portrait(result.original)
    tensors, before = after.pop("tensors"), {**result.before}
    for key, (identity, values) in before.pop("tensors").items():
        assert tensors[key][0] == identity and torch.equal(tensors[key][1], values)
    assert after == before
    ours = {tensor.data_ptr() for tensor in result.model.state_dict().values() if tensor.numel()}
    assert not ours & {tensor.data_ptr() for _, tensor in result.before["tensors"].values()}


@per_case
def test_a_generator_that_was_trained_before_converts_as_well(name: str) -> None:
    case = CASES[name]
    original = case.build().train()
    for seed in range(2):
        case.images(case.run(original, case.arguments(3, seed))).square().sum().backward()
    with torch.no_grad():
        for parameter in original.parameters():
            if parameter.grad is not None:
                parameter -= 0.01 * parameter.grad
    model = wrap(case, original, 1).eval()
    state = state_of(original)
    plain = rpganify.extract(model, [0] * model.paths.num_buckets)
    assert_same(state_of(plain), state, 0.0)
    again = case.build().eval()
    again.load_state_dict(state)
    arguments = case.arguments(3, seed=9)
    expected = case.run(again, copy.deepcopy(arguments))
    assert_same(case.run(_unbound(case, plain), copy.deepcopy(arguments)), expected, FLOAT32)


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].draws_noise])
def test_noise_comes_from_the_callers_generator_and_is_drawn_anew_for_each_call(name: str) -> None:
    case, mode = CASES[name], CASES[name].draws_noise[0]
    model = model_copy(name, 3, mode)
    paths, rest = paths_of(model), conditions(model, case.arguments(NUM_SAMPLES))
    one, two = (model.images(paths, torch.Generator().manual_seed(seed), **rest) for seed in (0, 0))
    assert not torch.equal(seeded(lambda: model(paths, **rest), 0), seeded(lambda: model(paths, **rest), 1))
    if name not in DROP_OUT:
        other = model.images(paths, torch.Generator().manual_seed(1), **rest)
        assert torch.equal(one, two) and not torch.equal(one, other)
        torch.manual_seed(5)
        state = torch.random.get_rng_state()
        model.images(paths, torch.Generator().manual_seed(0), **rest)
        assert torch.equal(torch.random.get_rng_state(), state)
