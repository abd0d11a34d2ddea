"""What is timed: one pass, or a pass and its gradients, of the plain generator, the routed one, and a loop over samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import cycle

import torch
from torch import Tensor, nn

from rpganify.bench.loop import SampleLoop
from rpganify.conversion.building import actual_blueprint, build_standard_generator
from rpganify.conversion.replication import tensors_by_name
from rpganify.routing.generator import RandomPathGenerator, StandardGenerator

BACKWARD = " + backward"
# Batches of paths that the rounds take in turn: what is measured holds for none of them in particular.
_NUM_PATHS = 32


@dataclass(frozen=True, slots=True)
class Subjects:
    """A generator in its plain and its routed form, and what both are given.

    Args:
        plain: the generator as its author wrote it, with a random latent.
        routed: the same, converted.
        batch_size: samples per pass.
        device: where both are.
        seed: of paths, latents and conditions.
    """

    plain: StandardGenerator
    routed: RandomPathGenerator
    batch_size: int
    device: torch.device
    seed: int = 0

    def paths(self) -> list[Tensor]:
        """The batches of random paths, int64 `(N, num_buckets)`."""
        chance = torch.Generator().manual_seed(self.seed)
        return [self.routed.draw(self.batch_size, chance) for _ in range(_NUM_PATHS)]

    def conditions(self) -> dict[str, Tensor]:
        """A value for every other input: zeros for whole numbers such as labels, else normal noise."""
        chance = torch.Generator().manual_seed(self.seed)
        return {
            one.name: torch.randn(self.batch_size, *one.shape, generator=chance, dtype=one.dtype).to(self.device)
            if one.dtype.is_floating_point
            else torch.zeros(self.batch_size, *one.shape, dtype=one.dtype, device=self.device)
            for one in self.routed.conditions
        }

    def why_no_loop(self) -> str | None:
        """Why a sample cannot be run by itself: a block's own norm may refuse to take one value; None if it can."""
        try:
            with torch.no_grad():
                SampleLoop(self.routed)(self.paths()[0], self.conditions())
        except ValueError as error:
            return " ".join(str(error).split())
        return None

    def passes(self, *, has_loop: bool = True) -> dict[str, Callable[[], object]]:
        """Every pass by its name: `plain`, `routed`, `frozen` and `loop`, each also with ` + backward`."""
        conditions = self.conditions()
        z = self.plain.draw(self.batch_size, torch.Generator().manual_seed(self.seed)).to(self.device)
        paths, frozen = cycle(self.paths()), self.paths()[0][:1].repeat(self.batch_size, 1)
        made: dict[str, tuple[nn.Module, Callable[[], Tensor]]] = {
            "plain": (self.plain, lambda: self.plain.images(z, None, **conditions)),
            "routed": (self.routed, lambda: self.routed.images(next(paths), None, **conditions)),
            "frozen": (self.routed, lambda: self.routed.images(frozen, None, **conditions)),
        }
        if has_loop:
            loop = SampleLoop(self.routed)
            made["loop"] = (loop, lambda: loop(next(paths), conditions))
        passes: dict[str, Callable[[], object]] = {}
        for name, (module, images) in made.items():
            passes[name] = _without_gradients(images)
            passes[name + BACKWARD] = _with_gradients(module, images)
        return passes


def plain_twin(routed: RandomPathGenerator) -> StandardGenerator:
    """The plain generator, with the first block of every bucket; on the same device, nothing is shared."""
    plain = build_standard_generator(replace(actual_blueprint(routed), plan=None))
    stacks = tensors_by_name(routed)
    with torch.no_grad():
        for name, tensor in tensors_by_name(plain).items():
            stack = stacks[name]
            tensor.copy_(stack if stack.shape == tensor.shape else stack[0])
    return plain.to(routed.Z.device)


def _without_gradients(images: Callable[[], Tensor]) -> Callable[[], object]:
    def run() -> None:
        with torch.no_grad():
            images()

    return run


def _with_gradients(module: nn.Module, images: Callable[[], Tensor]) -> Callable[[], object]:
    def run() -> None:
        result = images()
        result.backward(torch.ones_like(result))
        for parameter in module.parameters():
            parameter.grad = None

    return run
