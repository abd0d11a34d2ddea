"""What a generator takes beside its paths or latents, checked before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from rpganify.errors import ConversionError
from rpganify.plan import FIXED_INPUT
from rpganify.routing.blueprint import Blueprint, InputSpec
from rpganify.structure import at_location


def read_conditions(specs: tuple[InputSpec, ...], given: Mapping[str, Any], batch: int) -> list[Tensor]:
    """The tensors of all inputs but the latent, in order.

    Raises:
        ConversionError: one is missing, unknown, or has another batch size.
    """
    arguments = {spec.argument for spec in specs} | {spec.name for spec in specs}
    unknown = sorted(set(given) - arguments)
    if unknown:
        raise ConversionError(
            f"This generator has no input {unknown[0]!r}; besides its path it takes "
            f"{', '.join(spec.name for spec in specs if not spec.is_latent) or 'nothing'}."
        )
    values: list[Tensor] = []
    for spec in specs:
        if spec.is_latent:
            continue
        if spec.name in given:
            value = given[spec.name]
        elif spec.argument in given:
            value = _part_of(given[spec.argument], spec)
        else:
            raise ConversionError(
                f"This generator also needs {spec.name!r}, {spec.dtype} of shape {('N', *spec.shape)}: "
                f"pass {spec.argument}=… after the paths."
            )
        if not isinstance(value, Tensor) or value.dim() != len(spec.shape) + 1:
            shown = tuple(value.shape) if isinstance(value, Tensor) else repr(value)
            raise ConversionError(f"{spec.name!r} is a tensor of shape {('N', *spec.shape)}; got {shown}.")
        if value.shape[0] != batch:
            raise ConversionError(f"{spec.name!r} holds {value.shape[0]} samples, but there are {batch} paths.")
        values.append(value)
    return values


def _part_of(value: Any, spec: InputSpec) -> Any:
    """What an argument holds in an input's place."""
    try:
        return at_location(value, spec.location)
    except (LookupError, TypeError) as error:
        raise ConversionError(
            f"{spec.argument!r} holds no {spec.name!r}, {spec.dtype} of shape {('N', *spec.shape)}: {error}."
        ) from error


def check_latents(blueprint: Blueprint, z: Tensor, batch: int) -> None:
    """Refuse latents that cannot take the place of Z.

    Raises:
        ConversionError: another shape, another number of them, or the paths choose among several Z.
    """
    plan, shape = blueprint.plan, blueprint.latent.shape
    bucket = None if plan is None else plan.bucket_of(FIXED_INPUT)
    if plan is not None and bucket is not None:
        raise ConversionError(
            f"The paths of this model choose one of its {plan.num_blocks[bucket]} Z (bucket {bucket + 1}, "
            f"{plan.buckets[bucket].name}), so that z=… would leave that choice without effect. Leave z out, or convert "
            "with one Z."
        )
    if not isinstance(z, Tensor) or tuple(z.shape) != (batch, *shape):
        shown = tuple(z.shape) if isinstance(z, Tensor) else repr(z)
        raise ConversionError(
            f"z holds a latent for each of {batch} paths, {(batch, *shape)}; got {shown}. torch.randn{(batch, *shape)} draws "
            "some; without z all samples share Z."
        )
