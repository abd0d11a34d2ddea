"""The conversion's own proof: m = 1 equals the original, and a batch equals its samples one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.conversion.building import build_standard_generator
from rpganify.conversion.copying import copy_generator
from rpganify.conversion.inputs import Example, call_forward, value_of
from rpganify.conversion.recording import seen_by_python
from rpganify.conversion.replication import fill_tensors, tensors_by_name
from rpganify.errors import ConversionError, RpganifyError
from rpganify.routing.blueprint import Blueprint
from rpganify.routing.generator import RandomPathGenerator, StandardGenerator
from rpganify.structure import leaves_with_location, map_leaves, tensors_of

# float32 sums in another order: the routed layers call the same kernels on other batch sizes.
TOLERANCE = 1e-3
_BATCH = 3


@dataclass(frozen=True, slots=True)
class Verification:
    """Largest absolute differences found at conversion, in the units of the output.

    Args:
        eval_difference, train_difference: the graph with the original's tensors against the original, same inputs and
            random state, in each mode; None where noise is frozen, and train where the original itself fails there.
        state_difference: of the buffers after a pass in train mode.
        gradient_difference: of the parameters' gradients in train mode, relative to the largest of each.
        batch_difference: the converted model's batch against its samples one by one; None where the generator draws
            noise inside forward.
    """

    eval_difference: float | None
    train_difference: float | None
    state_difference: float | None
    gradient_difference: float | None
    batch_difference: float | None


@contextmanager
def _state_kept(model: nn.Module) -> Iterator[None]:
    """Puts back what a pass changes of the model's own state."""
    before = {name: t.detach().clone() for name, t in tensors_by_name(model).items() if not t.requires_grad}
    try:
        yield
    finally:
        after = tensors_by_name(model)
        with torch.no_grad():
            for name, tensor in before.items():
                after[name].copy_(tensor)


class GradientError(ConversionError):
    """The graph's gradients are not the original's."""


def verify_recording(
    generator: nn.Module,
    blueprint: Blueprint,
    source: Mapping[str, Tensor],
    example: Example,
    has_other_noise: bool = False,
) -> Verification:
    """Runs the original and its graph side by side on `_BATCH` samples, a size that the recording never saw.

    Args:
        has_other_noise: the graph's noise is frozen, so that images and gradients cannot be compared; that both run is.
    Raises:
        ConversionError: they differ by more than float32 rounding explains.
        GradientError: only their gradients do.
    """
    with _explained():
        plain = build_standard_generator(blueprint)
        fill_tensors(plain, source)
        arguments = example.at_batch(_BATCH)
        if has_other_noise:
            _call_plain(plain.eval(), arguments, blueprint)
            return Verification(None, None, None, None, None)
        eval_difference = _compare_eval(generator, plain, arguments, blueprint)
        # A pass in eval mode may have moved the state, too: power iterations of hand-made spectral norms do.
        fill_tensors(plain, source)
        return Verification(eval_difference, *_compare_train(generator, plain, arguments, blueprint), None)


def verify_routing(generator: nn.Module, model: RandomPathGenerator, example: Example) -> float | None:
    """Runs the converted model on a batch and on its samples one by one: the largest difference.

    None where the generator draws noise, or mixes samples itself (minibatch statistics). A difference in float32 is
    judged in float64: an untrained generator may amplify rounding to any size.

    Raises:
        ConversionError: they differ by more than rounding explains.
    """
    with _explained():
        was_training = model.training
        arguments = example.at_batch(_BATCH)
        paths = model.paths.sample(_BATCH, generator=torch.Generator().manual_seed(1))
        values = {spec.name: value_of(arguments, spec) for spec in model.blueprint.inputs if not spec.is_latent}
        try:
            model.eval()
            batch, singles = _batch_and_singles(model, paths, values)
            if singles is None:
                return None
            if not _largest(batch - singles) <= TOLERANCE * _scale(batch):
                batch, singles = _in_double(model, paths, values) or (batch, singles)
                if singles is None or _mixes_samples(generator, arguments):
                    return None
        finally:
            model.train(was_training)
        try:
            return _difference(singles, batch, "between a batch and its samples one by one")
        except ConversionError as error:
            raise ConversionError(
                f"{error} A layer in a bucket may see the samples in another order than the inputs have (a flipped, rolled or "
                "doubled batch); left out of the buckets it is shared by all paths, and the rest converts."
            ) from error


@contextmanager
def _explained() -> Iterator[None]:
    """What the converted graph raises where the original ran: a size or value that the recording took for another."""
    try:
        yield
    except RpganifyError:
        raise
    except Exception as error:
        reason = (str(error).strip().splitlines() or [""])[0]
        raise ConversionError(
            f"Run on {_BATCH} samples, a batch size that the recording did not see, the conversion fails: "
            f"{type(error).__name__}: {reason}. A size in the forward pass grows with the batch in another way than a * N + b "
            "(pairs of samples?), or depends on values. Please report this generator."
        ) from error


def _compare_eval(generator: nn.Module, plain: StandardGenerator, arguments: Any, blueprint: Blueprint) -> float:
    original = copy_generator(generator).cpu()
    original.eval()
    with torch.no_grad():
        expected = _seeded(lambda: call_forward(original, arguments))
        found = _seeded(lambda: _call_plain(plain.eval(), arguments, blueprint))
    return _difference(expected, found, "in eval mode")


def _compare_train(
    generator: nn.Module, plain: StandardGenerator, arguments: Any, blueprint: Blueprint
) -> tuple[float | None, float | None, float | None]:
    if any("In train mode" in note for note in blueprint.provenance.get("notes", ())):
        return None, None, None
    original = copy_generator(generator).cpu()
    original.train()
    with torch.enable_grad(), seen_by_python():
        expected = _seeded(lambda: call_forward(original, arguments))
        found = _seeded(lambda: _call_plain(plain.train(), arguments, blueprint))
    difference = _difference(expected, found, "in train mode")
    state = _state_difference(original, plain)
    gradient = _gradient_difference(original, plain, expected, found)
    return difference, state, gradient


def _state_difference(original: nn.Module, plain: StandardGenerator) -> float:
    ours = dict(plain.named_buffers())
    worst = 0.0
    for name, buffer in original.named_buffers():
        if name in ours and buffer.is_floating_point():
            worst = max(worst, _largest(buffer - ours[name]) / (1.0 + _largest(buffer)))
    if not worst <= TOLERANCE:
        raise ConversionError(
            f"After a pass in train mode a buffer differs from the original's by {worst:.1e}: the forward pass changes its "
            "own state in a way that the recording did not see. Please report this generator."
        )
    return worst


def _gradient_difference(original: nn.Module, plain: StandardGenerator, expected: Any, found: Any) -> float | None:
    theirs = [t for _, t in leaves_with_location(expected) if isinstance(t, Tensor) and t.requires_grad]
    ours = [t for _, t in leaves_with_location(found) if isinstance(t, Tensor) and t.requires_grad]
    if not theirs or not ours:
        return None
    draws = torch.Generator().manual_seed(1)
    weights = [torch.randn(t.shape, generator=draws, dtype=t.dtype) for t in theirs]
    try:
        sum((t * w).sum() for t, w in zip(theirs, weights, strict=True)).backward()  # type: ignore[union-attr]
    except RuntimeError:
        return None  # the original cannot be differentiated either
    sum((t * w).sum() for t, w in zip(ours, weights, strict=True)).backward()  # type: ignore[union-attr]
    gradients = {name: p.grad for name, p in plain.named_parameters()}
    worst, where = 0.0, ""
    for name, parameter in original.named_parameters():
        mine = gradients.get(name)
        if parameter.grad is None and mine is None:
            continue
        zero = torch.zeros_like(parameter)
        one, two = (zero if g is None else g for g in (parameter.grad, mine))
        difference = _largest(one - two) / (1e-6 + max(_largest(one), _largest(two)))
        if difference > worst and max(_largest(one), _largest(two)) > 1e-4:
            worst, where = difference, name
    if not worst <= 0.05:
        raise GradientError(
            f"The gradient of {where!r} differs from the original's by {worst:.0%}: a custom autograd.Function whose "
            "backward is not the derivative of its forward, called by a name that was bound before rpganify could see it? "
            "Call it as `Function.apply` in forward."
        )
    return worst


def _mixes_samples(generator: nn.Module, arguments: Mapping[str, Any]) -> bool:
    """Whether the original itself gives a sample another image in a batch than alone."""
    original = copy_generator(generator).cpu()
    original.eval()

    with torch.no_grad():
        batch = tensors_of(_seeded(lambda: call_forward(original, arguments)))
        for index in range(_BATCH):
            single = tensors_of(_seeded(lambda i=index: call_forward(original, _sample(arguments, i))))
            for whole, alone in zip(batch, single, strict=True):
                is_per_sample = whole.shape[:1] == (_BATCH,)
                if is_per_sample and not torch.allclose(whole[index : index + 1], alone, TOLERANCE, TOLERANCE, True):
                    return True
    return False


def _sample(arguments: Mapping[str, Any], index: int) -> dict[str, Any]:
    """One sample of all inputs."""

    def choose(leaf: Any) -> Any:
        return leaf[index : index + 1] if isinstance(leaf, Tensor) else leaf

    return {name: map_leaves(value, choose) for name, value in arguments.items()}


def _batch_and_singles(
    model: RandomPathGenerator, paths: Tensor, values: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor | None]:
    def images(chosen: slice, seed: int = 0) -> Tensor:
        given = {name: value[chosen] for name, value in values.items()}
        with _state_kept(model), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return model.images(paths[chosen], None, **given)

    with torch.no_grad():
        batch, again = (images(slice(None), seed) for seed in (0, 1))
        if not torch.equal(torch.nan_to_num(batch), torch.nan_to_num(again)):
            return batch, None  # single samples would get other noise than the batch
        return batch, torch.cat([images(slice(i, i + 1)) for i in range(len(paths))])


def _in_double(
    model: RandomPathGenerator, paths: Tensor, values: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor | None] | None:
    """The same in float64; None where the generator insists on float32."""
    wide = {name: value.double() if value.is_floating_point() else value for name, value in values.items()}
    types = {name: tensor.dtype for name, tensor in tensors_by_name(model).items()}
    try:
        return _batch_and_singles(model.double(), paths, wide)
    except RuntimeError:
        return None
    finally:
        for name, tensor in tensors_by_name(model).items():
            tensor.data = tensor.data.to(types[name])


def _call_plain(plain: StandardGenerator, arguments: Mapping[str, Any], blueprint: Blueprint) -> Any:
    values = {spec.name: value_of(arguments, spec) for spec in blueprint.inputs}
    return plain(values.pop(blueprint.latent.name), **values)


def _seeded(call: Any, seed: int = 0) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return call()


def _scale(tensor: Tensor) -> float:
    """What differences are measured against: the largest value; not less than what float32 can tell from zero."""
    return max(_largest(tensor.nan_to_num(0.0, 0.0, 0.0)), 1e-6)


def _largest(tensor: Tensor) -> float:
    return float(tensor.detach().abs().max()) if tensor.numel() else 0.0


def _difference(expected: Any, found: Any, where: str) -> float:
    worst = 0.0
    mine = {location: leaf for location, leaf in leaves_with_location(found)}
    for location, leaf in leaves_with_location(expected):
        other = mine.get(location)
        if not isinstance(leaf, Tensor) or not isinstance(other, Tensor):
            continue
        if leaf.shape != other.shape:
            raise ConversionError(
                f"The converted generator gives shape {tuple(other.shape)} where the original gives {tuple(leaf.shape)} "
                f"{where}; the conversion does not hold. Please report this generator."
            )
        both_nan = leaf.isnan() & other.isnan()
        scale = _scale(leaf)
        difference = _largest((leaf.double() - other.double()).masked_fill(both_nan | (leaf == other), 0.0))
        if not difference <= TOLERANCE * scale:
            raise ConversionError(
                f"The converted generator differs from the original by {difference:.1e} {where}; the conversion does not "
                "hold. Please report this generator."
            )
        worst = max(worst, difference)
    return worst
