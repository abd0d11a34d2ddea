"""The inputs of a generator's forward pass: which of them is the latent, and which stay inputs."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.errors import ConversionError, closest
from rpganify.routing.blueprint import InputSpec
from rpganify.structure import at_location, leaves_with_location, location_text, map_leaves

# Samples i and i + DISTINCT of an example are equal: how their entries lie in a tensor can be seen from its values.
# No divisor of the recorded batch, or a batch laid twice would look like one whose samples' entries are together.
DISTINCT = 3


@dataclass(frozen=True, slots=True)
class Example:
    """Example values for every argument of forward.

    Args:
        arguments: argument name -> tensor, nested tensors, or a constant.
        specs: the tensors among them, in order.
    """

    arguments: Mapping[str, Any]
    specs: tuple[InputSpec, ...]

    @property
    def latent(self) -> InputSpec:
        """The input that `Z` replaces."""
        return next(spec for spec in self.specs if spec.is_latent)

    def at_batch(self, batch: int) -> dict[str, Any]:
        """The arguments at another batch size; latents are drawn anew, and samples repeat after `DISTINCT`."""
        latent, repeats = self.latent, torch.arange(batch)
        draws = torch.Generator().manual_seed(0)

        result: dict[str, Any] = {}
        for argument, value in self.arguments.items():
            # map_leaves and leaves_with_location walk in the same order.
            locations = iter([location for location, _ in leaves_with_location(value)])

            def resize(leaf: Any, argument: str = argument, locations: Any = locations) -> Any:
                location = next(locations)
                if not isinstance(leaf, Tensor):
                    return leaf
                if (argument, location) == (latent.argument, latent.location) and leaf.is_floating_point():
                    return torch.randn(DISTINCT, *leaf.shape[1:], dtype=leaf.dtype, generator=draws)[repeats % DISTINCT]
                return leaf.detach().cpu()[repeats % DISTINCT % max(leaf.shape[0], 1)].clone()

            result[argument] = map_leaves(value, resize)
        return result


def make_example(arguments: Mapping[str, Any], latent: str | None) -> Example:
    """Example inputs with their tensors listed and the latent among them chosen.

    Args:
        arguments: argument of forward -> value; tensors (also in lists and dicts) become inputs, whose first
            axis is the batch; everything else is bound as a constant.
        latent: name of the latent, `z` or `styles[0]`; None takes the only tensor, or the one named like one.
    Raises:
        ConversionError: no tensor, no such name, or several candidates.
    """
    found: list[tuple[str, str, tuple[int | str, ...], Tensor]] = []
    for argument, value in arguments.items():
        for location, leaf in leaves_with_location(value):
            if isinstance(leaf, Tensor):
                if leaf.dim() == 0:
                    raise ConversionError(
                        f"Example input {argument!r} is a tensor without a batch axis. Tensors become inputs, whose "
                        "first axis is the batch; pass a constant as a Python number."
                    )
                found.append((argument + location_text(location), argument, location, leaf))
    names = [name for name, *_ in found]
    if not names:
        raise ConversionError(
            "The example inputs hold no tensor, so there is no latent to replace. Pass one, e.g. "
            'example_inputs={"z": torch.randn(2, 128)}.'
        )
    if latent is None:
        latent = _only_latent(names, [tensor for *_, tensor in found])
    if latent not in names:
        raise ConversionError(
            f"There is no input {latent!r} to be the latent; the tensors are {', '.join(names)}."
            f"{closest(latent, names)}"
        )
    samples = {name: tensor.shape[0] for name, _, _, tensor in found}
    odd = next((name for name in names if samples[name] != samples[latent]), None)
    if odd is not None:
        raise ConversionError(
            f"The example inputs hold different numbers of samples: {latent!r} {samples[latent]}, {odd!r} {samples[odd]}. "
            "Tensors are inputs, and their first axis is the batch; what is the same for all samples belongs into a buffer."
        )
    dtype = next(tensor.dtype for name, _, _, tensor in found if name == latent)
    if not dtype.is_floating_point:
        raise ConversionError(
            f"The latent {latent!r} is of {dtype}. The fixed input that takes its place is learned, so it has to be floating "
            "point; name another latent, or the module behind the embedding."
        )
    specs = tuple(
        InputSpec(name, argument, location, tuple(tensor.shape[1:]), tensor.dtype, name == latent)
        for name, argument, location, tensor in found
    )
    return Example(dict(arguments), specs)


def _only_latent(names: list[str], tensors: list[Tensor]) -> str:
    floating = [name for name, tensor in zip(names, tensors, strict=True) if tensor.is_floating_point()]
    named = [name for name in floating if is_latent_name(name)]
    candidates = named or floating
    if len(candidates) == 1:
        return candidates[0]
    raise ConversionError(
        f"Several inputs could be the latent: {', '.join(candidates or names)}. Name one: latent={(candidates or names)[0]!r} "
        f"(on the command line `--latent {(candidates or names)[0]}`)."
    )


def is_latent_name(name: str) -> bool:
    """Whether people call their latent so."""
    return bool(re.fullmatch(r"(z\w?|zs?|noises?|latents?(_?codes?)?|styles?|codes?)(\[0\])?", name.lower()))


def is_label_name(name: str) -> bool:
    """Whether people call their class label so."""
    return bool(re.fullmatch(r"(y|labels?|c|cls|class(_?(id|label|idx))?|targets?)", name.lower()))


def forward_parameters(generator: nn.Module) -> list[inspect.Parameter]:
    """The parameters of forward, without `self`."""
    return list(inspect.signature(generator.forward).parameters.values())


def call_forward(generator: nn.Module, arguments: Mapping[str, Any]) -> Any:
    """Calls the generator with named arguments; those of a `*args` forward go by position.

    Raises:
        ConversionError: an argument that forward does not take.
    """
    parameters = forward_parameters(generator)
    kinds = {parameter.kind for parameter in parameters}
    names = [p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD, p.POSITIONAL_ONLY)]
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    for name, value in arguments.items():
        if name in names or (inspect.Parameter.VAR_KEYWORD in kinds and inspect.Parameter.VAR_POSITIONAL not in kinds):
            keywords[name] = value
        elif kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY}:
            positional.append(value)
        else:
            raise ConversionError(
                f"forward of {type(generator).__name__} takes no argument {name!r}; it takes {', '.join(names)}."
                f"{closest(name, names)}"
            )
    if positional:
        # What stands before *args must go by position as well.
        positional = [keywords.pop(name) for name in names if name in keywords] + positional
    return generator(*positional, **keywords)


def value_of(arguments: Mapping[str, Any], spec: InputSpec) -> Tensor:
    """The tensor of one input among the arguments."""
    value = at_location(arguments[spec.argument], spec.location)
    assert isinstance(value, Tensor)
    return value


def no_tensor(generator: nn.Module, outputs: Any) -> ConversionError:
    """The refusal of a forward pass without a tensor in what it returns."""
    return ConversionError(
        f"The forward pass of {type(generator).__name__} returned {type(outputs).__name__} without any tensor in a tuple, list "
        "or dict; a generator returns images. Name the method that does (`my_gan.py:Model.decode`)."
    )
