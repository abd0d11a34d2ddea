"""The laws of a routed layer."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from rpganify.routing.kinds import RoutedLayerKind
from rpganify.testing.laws import is_finite, name_of, require, require_close, shown, working
from rpganify.testing.watching import untouched_tensors
from rpganify.training.randomness import seeded_globals

_NUM_BLOCKS = 3
_TOLERANCE = 1e-9  # float64


def check_routed_layer(kind: RoutedLayerKind, module: nn.Module, *inputs: Any) -> None:
    """A routed layer does with each block's tensors what the plain layer does with them.

    Its laws, in float64, for three blocks whose tensors differ:

    - `config(module)` is plain JSON; `build` of it makes a layer of the same class, tensors and config, and the same
      results with the same tensors;
    - in eval mode `call(tensors, inputs, False)` equals the plain layer with that block's tensors, sample by sample
      (`torch.func.functional_call`), for one sample and for several, the gradients in tensors and inputs included;
    - in train mode it equals the plain layer on the block's samples together, also what it leaves in the buffers;
    - parameters and inputs stay as they are.

    Args:
        kind: what a `RoutedLayerEntry`'s factory returns.
        module: a plain layer; it is copied.
        inputs: what its forward takes, one or several; tensors have the batch as their first axis, at least 2 samples.
    Raises:
        BrokenLaw: a law does not hold.

    Example:
        check_routed_layer(RoutedBilinear(), nn.Bilinear(3, 4, 5), torch.randn(6, 3), torch.randn(6, 4))
    """
    name = name_of(kind)
    plain = copy.deepcopy(module).double()
    samples = tuple(_double(value) for value in inputs)
    _check_config(name, kind, plain, samples)
    for block in range(_NUM_BLOCKS):
        tensors = _block_tensors(plain, block)
        _check_samples(name, kind, plain, tensors, samples)
        _check_training(name, kind, plain, tensors, samples)


def _check_config(name: str, kind: RoutedLayerKind, plain: nn.Module, inputs: tuple[Any, ...]) -> None:
    subject = f"{name}.config"
    with working(
        subject, expected="data that JSON can hold", repair="Give texts, numbers, booleans, None, lists and dicts."
    ):
        config = kind.config(plain)
        text = json.dumps(config, allow_nan=False)
    require(
        isinstance(config, dict) and json.loads(text) == config,
        subject,
        expected="a dict that is the same after JSON",
        found=f"{config!r}, then {json.loads(text)!r}",
        repair="Turn tuples into lists, and keys into texts.",
    )
    subject = f"{name}.build"
    with working(subject, expected=f"a layer from {text}", repair="`build` is given what `config` returned."):
        built = kind.build(json.loads(text))
    require(
        type(built) is type(plain),
        subject,
        expected=f"a {type(plain).__name__}",
        found=shown(built),
        repair="Make the plain layer itself.",
    )
    shapes = [{key: tuple(tensor.shape) for key, tensor in _tensors(layer).items()} for layer in (built, plain)]
    require(
        shapes[0] == shapes[1],
        subject,
        expected=f"the same tensors, {shapes[1]}",
        found=shapes[0],
        repair="Put into `config` all that the constructor needs.",
    )
    require(
        kind.config(built) == config,
        subject,
        expected=f"a layer of the same config, {text}",
        found=json.dumps(kind.config(built)),
        repair="Put into `config` all that the constructor needs, and nothing that changes.",
    )
    built = built.double().train(plain.training)
    built.load_state_dict(plain.state_dict())
    require_close(
        subject,
        _run(built.eval(), _tensors(plain), inputs),
        _run(plain.eval(), _tensors(plain), inputs),
        expected="with the same tensors the same results",
        tolerance=_TOLERANCE,
        repair="Put into `config` all that forward reads of the layer.",
    )


def _check_samples(
    name: str, kind: RoutedLayerKind, plain: nn.Module, tensors: Mapping[str, Tensor], inputs: tuple[Any, ...]
) -> None:
    subject = f"{name}.call in eval mode"
    for count in (1, _count(inputs)):
        some = _part(inputs, slice(0, count))
        result = _call(subject, kind, kind.config(plain), tensors, some, False)
        oracle = torch.cat(
            [_run(plain.eval(), tensors, _part(some, slice(index, index + 1))) for index in range(count)]
        )
        require_close(
            subject,
            result,
            oracle,
            expected="what the plain layer makes of each sample with the block's tensors",
            tolerance=_TOLERANCE,
            repair="`tensors` holds one block's, without a block axis; read them, and nothing of the module's own.",
        )
        _check_gradients(subject, tensors, some, result, oracle)


def _check_training(
    name: str, kind: RoutedLayerKind, plain: nn.Module, tensors: Mapping[str, Tensor], inputs: tuple[Any, ...]
) -> None:
    subject = f"{name}.call in train mode"
    ours, theirs = ({key: _fresh(tensor) for key, tensor in tensors.items()} for _ in range(2))
    result, oracle = _call(subject, kind, kind.config(plain), ours, inputs, True), _run(plain.train(), theirs, inputs)
    require_close(
        subject,
        result,
        oracle,
        expected="what the plain layer in train mode makes of the block's samples",
        tolerance=_TOLERANCE,
        repair="`is_training` says which mode it is.",
    )
    for key, tensor in theirs.items():
        if not tensor.requires_grad:
            require_close(
                subject,
                ours[key],
                tensor,
                expected=f"the buffer {key!r} to hold what the plain layer leaves in it",
                tolerance=_TOLERANCE,
                repair="Write into the tensor that `tensors` holds, in place: it is that block's row.",
            )


def _check_gradients(
    subject: str, tensors: Mapping[str, Tensor], inputs: tuple[Any, ...], result: Tensor, oracle: Tensor
) -> None:
    sources = {key: tensor for key, tensor in tensors.items() if tensor.requires_grad}
    sources |= {f"input {index}": value for index, value in enumerate(inputs) if _is_differentiable(value)}
    weights = torch.randn(oracle.shape, generator=torch.Generator().manual_seed(0), dtype=oracle.dtype)
    if not oracle.requires_grad:
        return
    require(
        result.requires_grad,
        subject,
        expected="a result that can be differentiated, as the plain layer's",
        found="one without a gradient",
        repair="Compute from the tensors as they are given, without `.detach()` or `.data`.",
    )
    found = [
        torch.autograd.grad((images * weights).sum(), list(sources.values()), allow_unused=True)
        for images in (result, oracle)
    ]
    for (key, source), mine, theirs in zip(sources.items(), *found, strict=True):
        require_close(
            subject,
            torch.zeros_like(source) if mine is None else mine,
            torch.zeros_like(source) if theirs is None else theirs,
            expected=f"the plain layer's gradient in {key!r}",
            tolerance=_TOLERANCE,
            repair="Compute from the tensors as they are given, without `.detach()` or `.data`.",
        )


def _call(
    subject: str,
    kind: RoutedLayerKind,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    inputs: tuple[Any, ...],
    is_training: bool,
) -> Tensor:
    watched = {key: tensor for key, tensor in tensors.items() if tensor.requires_grad or not is_training}
    watched |= {f"input {index}": value for index, value in enumerate(inputs) if isinstance(value, Tensor)}
    with (
        working(
            subject,
            expected="one block's results",
            repair="It is called as call(config, tensors, inputs, is_training).",
        ),
        untouched_tensors(subject, watched, repair="Write into nothing but buffers in train mode."),
        seeded_globals(0),
    ):
        result = kind.call(config, tensors, inputs, is_training)
    require(
        isinstance(result, Tensor) and is_finite(result),
        subject,
        expected="a finite tensor",
        found=shown(result) if not isinstance(result, Tensor) else "NaN or infinity",
        repair="Return what the layer's forward returns.",
    )
    return result


def _run(plain: nn.Module, tensors: Mapping[str, Tensor], inputs: tuple[Any, ...]) -> Tensor:
    """The oracle: the author's own forward with these tensors in place of its own."""
    with seeded_globals(0):
        result = functional_call(plain, dict(tensors), inputs)
    assert isinstance(result, Tensor)
    return result


def _block_tensors(plain: nn.Module, block: int) -> dict[str, Tensor]:
    """Tensors of one block, near the layer's own: parameters moved, buffers scaled so that a variance stays one."""
    draws = torch.Generator().manual_seed(block)
    parameters = dict(plain.named_parameters())
    made = {}
    for key, tensor in _tensors(plain).items():
        values = tensor.detach().clone()
        if values.is_floating_point():
            chance = torch.rand(values.shape, generator=draws, dtype=values.dtype)
            values = values + chance - 0.5 if key in parameters else values * (0.5 + chance)
        made[key] = values.requires_grad_(key in parameters and parameters[key].requires_grad)
    return made


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _fresh(tensor: Tensor) -> Tensor:
    return tensor.detach().clone().requires_grad_(tensor.requires_grad)


def _double(value: Any) -> Any:
    if not isinstance(value, Tensor):
        return value
    return value.detach().double().requires_grad_() if value.is_floating_point() else value.detach().clone()


def _is_differentiable(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _part(inputs: Sequence[Any], samples: slice) -> tuple[Any, ...]:
    """The same inputs for some of the samples; differentiable in the whole inputs."""
    return tuple(value[samples] if isinstance(value, Tensor) else value for value in inputs)


def _count(inputs: Sequence[Any]) -> int:
    return next(len(value) for value in inputs if isinstance(value, Tensor))
