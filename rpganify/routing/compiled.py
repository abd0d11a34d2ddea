"""What torch.compile makes of a converted generator: one graph for all batches of one size.

How many samples a block has decides the shapes of its arithmetic. Where every block of a bucket has as many, in each
batch, the shapes are always the same, and only indices differ, which are found before, outside of the graph. CUDA
graphs (`mode="reduce-overhead"`) ask for the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.routing.generator import RandomPathGenerator, image_of
from rpganify.routing.inputs import read_conditions
from rpganify.routing.program import RoutedProgram


class CompiledGenerator:
    """A converted generator's `images`, by one compiled graph for batches in which every block of a bucket occurs equally
    often.

    Other batches run as they would without, and so do batches with latents of their own, and generators that draw noise
    inside forward.

    Args:
        model: whose parameters it uses and whose mode it follows.
        options: of torch.compile, such as `mode` and `backend`.
    """

    def __init__(self, model: RandomPathGenerator, **options: Any) -> None:
        self._model = model
        self._run = torch.compile(_run, fullgraph=True, dynamic=False, **options)

    def images(
        self, codes: Tensor, generator: torch.Generator | None = None, *, z: Tensor | None = None, **conditions: Any
    ) -> Tensor:
        """As `RandomPathGenerator.images`.

        Raises:
            PathError, ConversionError: as there.
            torch._dynamo.exc.TorchDynamoException: torch.compile cannot make it one graph.
        """
        model = self._model
        program, tensors = model.program()
        if z is not None or program.draws_noise or not are_even(codes, model.plan.num_blocks):
            return model.images(codes, generator, z=z, **conditions)
        paths = model.paths.check(codes)
        others = read_conditions(model.blueprint.inputs, conditions, len(paths))
        routed = tuple(None if one is None else one.to(model.Z.device) for one in program.route(paths))
        return image_of(model.blueprint, self._run(program, tensors, routed, paths, others))


def are_even(paths: Tensor, num_blocks: Sequence[int]) -> bool:
    """Whether each bucket's blocks all occur equally often: `(N, num_buckets)`, of so many blocks each."""
    n = len(paths)
    return n > 0 and all(
        n % m == 0 and bool((torch.bincount(column, minlength=m) == n // m).all())
        for m, column in zip(num_blocks, paths.unbind(1), strict=True)
    )


def _run(program: RoutedProgram, tensors: nn.Module, routed: tuple[Any, ...], paths: Tensor, others: list[Any]) -> Any:
    return program.run(tensors, routed, paths, *others, generator=None)
