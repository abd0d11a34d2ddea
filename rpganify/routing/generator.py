"""The converted generator: a path goes in, an image comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.errors import ConversionError
from rpganify.paths import PathSpace
from rpganify.plan import Plan
from rpganify.routing.blueprint import Blueprint, InputSpec
from rpganify.routing.program import Program
from rpganify.structure import at_location


@dataclass(frozen=True, slots=True)
class Condition:
    """An input that the generator needs besides its path or latent: a label, a noise map.

    Args:
        name: as the original's forward calls it.
        shape: of one sample.
        dtype: e.g. `torch.int64` for a class index.
    """

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype


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


class RandomPathGenerator(nn.Module):
    """A generator whose latent space is the set of its paths.

    Its parameters have the original's names; those of a bucket's layers have the block axis first. `Z`, the one input
    that all samples share, is `(1, *latent)` and learned. No state is hidden: the same path gives the same image.

    Made by `rpganify.wrap` and `rpganify.load`, not by hand.
    """

    codes = "paths"
    _tensors: nn.Module

    def __init__(self, blueprint: Blueprint, eval_program: Program, train_program: Program, tensors: nn.Module) -> None:
        super().__init__()
        assert blueprint.plan is not None
        self.blueprint = blueprint
        self._programs = (eval_program, train_program)
        _adopt_tensors(self, tensors)
        self.Z = nn.Parameter(torch.empty(1, *blueprint.latent.shape, dtype=blueprint.latent.dtype))

    @property
    def plan(self) -> Plan:
        """Which layers are in which bucket, and how many blocks each has."""
        assert self.blueprint.plan is not None
        return self.blueprint.plan

    @property
    def paths(self) -> PathSpace:
        """The path space; `rp.paths.sample(64)` draws from it."""
        return self.plan.paths

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image, `(C, H, W)`."""
        return self.blueprint.image_shape

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What forward needs besides the paths; empty for most generators."""
        return conditions_of(self.blueprint)

    def forward(self, paths: Tensor, generator: torch.Generator | None = None, **conditions: Any) -> Any:
        """What the original's forward returns, for one path per sample.

        Args:
            paths: int64 `(N, num_buckets)`. On a GPU keep them on the CPU: nothing has to wait for them.
            generator: draws the noise of generators that draw any inside forward; on the model's device.
            conditions: labels and other inputs, under the names that the original's forward gives them.
        Raises:
            PathError: a block or bucket that does not exist.
            ConversionError: a condition is missing or unknown.
        """
        paths = self.paths.check(paths)
        others = read_conditions(self.blueprint.inputs, conditions, paths.shape[0])
        return self._programs[self.training](self._tensors, paths, *others, generator=generator)

    def images(self, codes: Tensor, generator: torch.Generator | None = None, **conditions: Any) -> Tensor:
        """The images `(N, *image_shape)` of these paths; what `forward` gives where it returns nothing else."""
        outputs = self(codes, generator, **conditions)
        return image_of(self.blueprint, outputs)

    def draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """`n` random paths, int64 `(n, num_buckets)`, on the CPU."""
        return self.paths.sample(n, generator=generator)

    def sample(self, n: int, generator: torch.Generator | None = None, **conditions: Any) -> Tensor:
        """Images of `n` random paths; the paths come from the CPU generator `generator`."""
        return self.images(self.draw(n, generator), **conditions)

    def bucket_parameters(self, bucket_index: int) -> dict[str, nn.Parameter]:
        """The parameters of one bucket by name, each with the block axis first."""
        named = dict(self.named_parameters())
        return {
            name: named[name]
            for layer in self.blueprint.layers
            if self.plan.bucket_of(layer.name) == bucket_index
            for name in layer.parameters
            if name in named
        }

    def extra_repr(self) -> str:
        buckets = ", ".join(f"{bucket.name} × {bucket.num_blocks}" for bucket in self.plan.buckets)
        return f"{self.blueprint.name}: {buckets}; {self.paths.cardinality:,} paths"


class StandardGenerator(nn.Module):
    """The plain generator, with the same interface as its converted twin: a random `z` takes the path's place.

    Made by `rpganify.standard` and `rpganify.load`.
    """

    codes = "z"
    _tensors: nn.Module

    def __init__(self, blueprint: Blueprint, eval_program: Program, train_program: Program, tensors: nn.Module) -> None:
        super().__init__()
        self.blueprint = blueprint
        self._programs = (eval_program, train_program)
        _adopt_tensors(self, tensors)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image, `(C, H, W)`."""
        return self.blueprint.image_shape

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """What forward needs besides the latent."""
        return conditions_of(self.blueprint)

    def forward(self, z: Tensor, generator: torch.Generator | None = None, **conditions: Any) -> Any:
        """What the original returns for the latents `z` `(N, *latent)`."""
        others = iter(read_conditions(self.blueprint.inputs, conditions, z.shape[0]))
        inputs = [z if spec.is_latent else next(others) for spec in self.blueprint.inputs]
        return self._programs[self.training](self._tensors, *inputs, generator=generator)

    def images(self, codes: Tensor, generator: torch.Generator | None = None, **conditions: Any) -> Tensor:
        """The images `(N, *image_shape)` of these latents."""
        device = next(self.parameters()).device
        return image_of(self.blueprint, self(codes.to(device), generator, **conditions))

    def draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """`n` latents from the normal distribution, `(n, *latent)`, on the CPU."""
        return torch.randn(n, *self.blueprint.latent.shape, generator=generator)

    def sample(self, n: int, generator: torch.Generator | None = None, **conditions: Any) -> Tensor:
        """Images of `n` random latents."""
        return self.images(self.draw(n, generator), **conditions)


def conditions_of(blueprint: Blueprint) -> tuple[Condition, ...]:
    """All inputs but the latent."""
    return tuple(Condition(spec.name, spec.shape, spec.dtype) for spec in blueprint.inputs if not spec.is_latent)


def image_of(blueprint: Blueprint, outputs: Any) -> Tensor:
    """The images among a generator's outputs."""
    images = at_location(outputs, blueprint.image_location)
    assert isinstance(images, Tensor)
    return images if images.shape[1:] == blueprint.image_shape else images.reshape(-1, *blueprint.image_shape)


def _adopt_tensors(model: nn.Module, tensors: nn.Module) -> None:
    """Makes the children, parameters and buffers of `tensors` the model's own, under the same names.

    Both see one set of dictionaries from then on. Programs run on `tensors`, where no method of the model's own hides
    a part of the generator that has the same name.

    Raises:
        ConversionError: the generator has a part called `Z`.
    """
    if "Z" in tensors._modules or "Z" in tensors._parameters or "Z" in tensors._buffers:
        raise ConversionError(
            "The generator has a part called 'Z', the name of the converted model's fixed input. Rename it in the generator."
        )
    for group in ("_modules", "_parameters", "_buffers", "_non_persistent_buffers_set"):
        vars(model)[group] = vars(tensors)[group]
    vars(model)["_tensors"] = tensors
