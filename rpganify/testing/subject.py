"""An architecture under examination: built, traced, and converted as the command line does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.conversion.converting import Inspection, convert_inspected, inspect_generator
from rpganify.conversion.inputs import call_forward, value_of
from rpganify.entries import Architecture
from rpganify.registry import resolve
from rpganify.routing.generator import RandomPathGenerator
from rpganify.structure import at_location, leaves_with_location, map_leaves
from rpganify.testing.laws import require, shown, working
from rpganify.training.randomness import seeded_globals


@dataclass(frozen=True, slots=True)
class Subject:
    """An architecture under examination.

    Args:
        entry: what was registered.
        options: keywords of its factory.
        generator: built under seed 0, in eval mode.
        inspection: that generator, traced.
    """

    entry: Architecture
    options: Mapping[str, Any]
    generator: nn.Module
    inspection: Inspection

    def converted(self, num_blocks: int) -> RandomPathGenerator:
        """The generator with that many blocks in each of its natural buckets, in eval mode."""
        name = self.entry.name
        with working(
            f"{name} converted",
            expected=f"the natural buckets {', '.join(self.entry.buckets)} to become a model",
            repair=f"`rpganify inspect {name}` lists the layers that `buckets` may name.",
        ):
            plan = self.inspection.plan(list(self.entry.buckets), num_blocks)
            made = convert_inspected(
                self.generator,
                self.inspection,
                plan,
                factory=lambda seed: built(self.entry, self.options, seed),
                provenance={"architecture": name},
            )
        return made.model.eval()

    def conditions(self, count: int) -> dict[str, Tensor]:
        """Examples of the inputs beside the latent, by name."""
        arguments, specs = self.inspection.example.at_batch(count), self.inspection.blueprint.inputs
        return {spec.name: value_of(arguments, spec) for spec in specs if not spec.is_latent}

    def images_of(self, generator: nn.Module, z: Tensor) -> Tensor:
        """What a plain generator makes of latents `(N, *latent)`, its own noise drawn under seed 0."""
        blueprint, arguments = self.inspection.blueprint, self.inspection.example.at_batch(len(z))
        latent = blueprint.latent
        places = iter([location for location, _ in leaves_with_location(arguments[latent.argument])])
        arguments[latent.argument] = map_leaves(
            arguments[latent.argument], lambda leaf: z if next(places) == latent.location else leaf
        )
        with torch.no_grad(), seeded_globals(0):
            images = at_location(call_forward(generator, arguments), blueprint.image_location)
        assert isinstance(images, Tensor)
        return images.reshape(-1, *blueprint.image_shape)

    def images_along(self, model: RandomPathGenerator, paths: Tensor) -> Tensor:
        """What a converted one makes of paths, its own noise drawn under seed 0."""
        with torch.no_grad(), seeded_globals(0):
            return model.images(paths, None, **self.conditions(len(paths)))

    @property
    def draws_noise(self) -> bool:
        """Whether forward itself draws: its images are then others in a batch than alone."""
        arguments = self.inspection.example.at_batch(2)
        made = []
        for seed in (0, 1):
            with torch.no_grad(), seeded_globals(seed):
                made.append(
                    at_location(call_forward(self.generator, arguments), self.inspection.blueprint.image_location)
                )
        return not torch.equal(*made)


def built(entry: Architecture, options: Mapping[str, Any], seed: int) -> nn.Module:
    """A generator of that architecture under a seed.

    Raises:
        BrokenLaw: its factory fails, or makes something else.
    """
    with (
        working(
            entry.name,
            expected=f"its factory to make a generator when called with {dict(options) or 'no arguments'}",
            repair="Every argument has a default: `rpganify convert NAME` passes only what follows --arg.",
        ),
        seeded_globals(seed),
    ):
        generator = resolve(entry.factory)(**options)
    require(
        isinstance(generator, nn.Module),
        entry.name,
        expected="its factory to return an nn.Module",
        found=shown(generator),
        repair="Return the generator itself.",
    )
    assert isinstance(generator, nn.Module)
    return generator


def inspected(entry: Architecture, options: Mapping[str, Any]) -> Subject:
    """The architecture, built and traced.

    Raises:
        BrokenLaw: the seed does not decide its weights, or its forward cannot be recorded.
    """
    generator, again, other = (built(entry, options, seed) for seed in (0, 0, 1))
    states = [module.state_dict() for module in (generator, again, other)]
    require(
        all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items()),
        entry.name,
        expected="the same weights under the same seed",
        found="others",
        repair="Draw initial weights from torch's, numpy's or Python's global generator only.",
    )
    require(
        any(not torch.equal(tensor, states[2][name]) for name, tensor in states[0].items()),
        entry.name,
        expected="other weights under another seed, as fresh blocks need them",
        found="the same",
        repair="Seed nothing in the factory.",
    )
    shape = ", ".join(map(str, entry.latent))
    with working(
        entry.name,
        expected=f"a forward pass that takes the entry's latent, (N, {shape}), and can be recorded",
        repair=f"`latent` in the entry is the shape without the batch axis; `rpganify inspect {entry.name}` traces it too.",
    ):
        inspection = inspect_generator(generator, "x".join(map(str, entry.latent)))
    return Subject(entry, options, generator.eval(), inspection)
