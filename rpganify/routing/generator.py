"""The converted generator: a path goes in, an image comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.errors import ConversionError
from rpganify.paths import PathSpace
from rpganify.plan import FIXED_INPUT, Plan
from rpganify.routing.blueprint import Blueprint
from rpganify.routing.inputs import check_latents, read_conditions
from rpganify.routing.program import LatentPrograms, Program, RoutedProgram
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


class RandomPathGenerator(nn.Module):
    """A generator whose latent space is the set of its paths.

    Its parameters have the original's names; those of a bucket's layers have the block axis first. `Z`, the one input
    that all samples share, is `(1, *latent)` and learned; several Z are a bucket, `(num_blocks, *latent)`. No state is
    hidden: the same path gives the same image.

    Made by `rpganify.wrap` and `rpganify.load`, not by hand.
    """

    codes = "paths"
    _tensors: nn.Module

    def __init__(
        self,
        blueprint: Blueprint,
        eval_program: RoutedProgram,
        train_program: RoutedProgram,
        tensors: nn.Module,
        build_latent_programs: Callable[[Blueprint], LatentPrograms],
    ) -> None:
        super().__init__()
        assert blueprint.plan is not None
        self.blueprint = blueprint
        self._programs = (eval_program, train_program)
        self._build_latent_programs = build_latent_programs
        self._latent_programs: LatentPrograms | None = None
        _adopt_tensors(self, tensors)
        bucket = self.plan.bucket_of(FIXED_INPUT)
        num_Z = 1 if bucket is None else self.plan.num_blocks[bucket]
        self.Z = nn.Parameter(torch.empty(num_Z, *blueprint.latent.shape, dtype=blueprint.latent.dtype))

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

    def forward(
        self, paths: Tensor, generator: torch.Generator | None = None, *, z: Tensor | None = None, **conditions: Any
    ) -> Any:
        """What the original's forward returns, for one path per sample.

        Args:
            paths: int64 `(N, num_buckets)`. On a GPU keep them on the CPU: nothing has to wait for them.
            generator: draws the noise of generators that draw any inside forward; on the model's device.
            z: latents `(N, *latent)` in the place of Z, one per sample, on the model's device; None takes Z.
            conditions: labels and other inputs, under the names that the original's forward gives them. One that is
                called `z` there, beside a latent of another name, goes before.
        Raises:
            PathError: a block or bucket that does not exist.
            ConversionError: a condition is missing or unknown, or `z` is none for these paths.
        """
        paths = self.paths.check(paths)
        if z is not None and any(spec.argument == "z" for spec in self.blueprint.inputs if not spec.is_latent):
            conditions["z"], z = z, None
        others = read_conditions(self.blueprint.inputs, conditions, paths.shape[0])
        if z is None:
            return self._programs[self.training](self._tensors, paths, *others, generator=generator)
        check_latents(self.blueprint, z, paths.shape[0])
        if self._latent_programs is None:
            self._latent_programs = self._build_latent_programs(self.blueprint)
        programs = self._latent_programs
        return programs.of_mode(self.training)(programs.seen_by(self._tensors), paths, z, *others, generator=generator)

    def images(
        self, codes: Tensor, generator: torch.Generator | None = None, *, z: Tensor | None = None, **conditions: Any
    ) -> Tensor:
        """The images `(N, *image_shape)` of these paths; what `forward` gives where it returns nothing else."""
        outputs = self(codes, generator, z=z, **conditions)
        return image_of(self.blueprint, outputs)

    def program(self) -> tuple[RoutedProgram, nn.Module]:
        """The program of the mode that it is in, over `(paths, *conditions)`, and the module that it runs on."""
        return self._programs[self.training], self._tensors

    def draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """`n` random paths, int64 `(n, num_buckets)`, on the CPU."""
        return self.paths.sample(n, generator=generator)

    def sample(self, n: int, generator: torch.Generator | None = None, **conditions: Any) -> Tensor:
        """Images of `n` random paths; the paths come from the CPU generator `generator`."""
        return self.images(self.draw(n, generator), **conditions)

    def latent_of(self, path: Tensor | Sequence[int]) -> Tensor:
        """The Z that a path goes out from: `(1, *latent)`, a view.

        Raises:
            PathError: no such path.
        """
        chosen = self.paths.check(torch.as_tensor(path)[None])[0].tolist()
        bucket = self.plan.bucket_of(FIXED_INPUT)
        block = 0 if bucket is None else chosen[bucket]
        return self.Z[block : block + 1]

    def bucket_parameters(self, bucket_index: int) -> dict[str, nn.Parameter]:
        """The parameters of one bucket by name, each with the block axis first; of several Z, `Z` itself."""
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

    def forward(self, z: Tensor, /, generator: torch.Generator | None = None, **conditions: Any) -> Any:
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
