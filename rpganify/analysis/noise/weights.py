"""Noise on the weights of a standard generator, in the buckets of its converted twin; the weights come back exactly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext, PathModel
from rpganify.analysis.quality.samples import SampledModel, conditions_for, generated_batches, require_samples
from rpganify.errors import AnalysisError
from rpganify.plan import FIXED_INPUT, Plan
from rpganify.routing.blueprint import Blueprint


@dataclass(frozen=True, slots=True)
class NoisyBucket:
    """What noise is put on.

    Args:
        tensors: parameters of the standard generator, by full name.
        missing: layers of the bucket that the standard generator does not have.
    """

    tensors: tuple[str, ...]
    missing: tuple[str, ...]


def require_twin(context: AnalysisContext, rp: PathModel) -> nn.Module:
    """The context's standard generator, if noise on it can be compared with the model's buckets.

    Raises:
        AnalysisError: there is none, it is no standard generator, or it makes images of another shape.
    """
    twin = context.twin
    if twin is None:
        raise AnalysisError(
            "Noise is put on the weights of a standard generator, and none was named. Train one of the same source, "
            "`rpganify train SOURCE --standard --data NAME -o runs/plain`, and name it: `--twin runs/plain`; or name "
            "your own: `--twin my_gan.py:Generator --weights g.pt`."
        )
    if getattr(twin, "codes", None) != "z" or not hasattr(twin, "blueprint"):
        raise AnalysisError(
            f"The twin is a {type(twin).__name__}, where a standard generator with a random z is needed. "
            "`rpganify train SOURCE --standard` trains one; in Python, `rpganify.standard(generator)` makes one."
        )
    shape = tuple(require_samples(twin, "noise").image_shape)
    if shape != tuple(rp.image_shape):
        raise AnalysisError(
            f"The twin makes images {shape} and the model {tuple(rp.image_shape)}; noise is compared between generators "
            "of one architecture. Name the model's own twin."
        )
    return twin


def noisy_buckets(plan: Plan, twin: nn.Module) -> tuple[NoisyBucket, ...]:
    """The twin's parameters, grouped into the buckets of a plan by the names of their layers.

    Args:
        plan: of the converted model.
        twin: a standard generator, converted from the same class or another one with the same names.
    Raises:
        AnalysisError: a bucket none of whose layers the twin has.
    """
    blueprint = cast(Blueprint, twin.blueprint)
    parameters = dict(twin.named_parameters())
    of_layer = {layer.name: [name for name in layer.parameters if name in parameters] for layer in blueprint.layers}
    buckets = []
    for number, bucket in enumerate(plan.buckets, start=1):
        tensors = [name for layer in bucket.layers for name in of_layer.get(layer, [])]
        missing = [layer for layer in bucket.layers if layer not in of_layer]
        if not tensors and bucket.layers == (FIXED_INPUT,):
            raise AnalysisError(
                f"Bucket {number} ({bucket.name}) holds {bucket.num_blocks} fixed inputs, in the place of which the twin draws "
                "its latent: there is no weight of the twin to lay noise on. Take a model with one Z."
            )
        if not tensors:
            raise AnalysisError(
                f"The twin has none of the layers of bucket {number} ({bucket.name}): {', '.join(bucket.layers)}. Its own "
                f"are {', '.join(of_layer)}. Name a twin of the source that the model was converted from."
            )
        buckets.append(NoisyBucket(tuple(tensors), tuple(missing)))
    return tuple(buckets)


@contextmanager
def noise_on(twin: nn.Module, tensors: Sequence[str], strength: float, seed: int) -> Iterator[None]:
    """Inside, normal noise lies on these parameters; afterwards they are what they were, bit for bit, errors or not.

    Args:
        twin: any module.
        tensors: names of its parameters.
        strength: standard deviation of the noise, as a multiple of each tensor's own. A tensor whose values are all the
            same, or that is a single value, has none, and stays as it is.
        seed: of the noise; the same seed gives the same noise times `strength`.
    """
    parameters = dict(twin.named_parameters())
    before = {name: parameters[name].detach().clone() for name in tensors}
    chance = torch.Generator().manual_seed(seed)
    try:
        with torch.no_grad():
            for name in tensors:
                parameter = parameters[name]
                noise = torch.randn(parameter.shape, generator=chance).to(parameter)
                parameter.add_(noise * (strength * parameter.std(correction=0)))
        yield
    finally:
        with torch.no_grad():
            for name, values in before.items():
                parameters[name].copy_(values)


@dataclass(frozen=True, slots=True)
class NoisyMaker:
    """Makes images of a standard generator with noise on one bucket's weights.

    Args:
        twin: in eval mode; `evaluating` does that.
        buckets: what noise is put on.
        context: conditions and batch size.
    """

    twin: nn.Module
    buckets: tuple[NoisyBucket, ...]
    context: AnalysisContext

    def latents(self, num_latents: int, seed: int) -> Tensor:
        """Random latents `(num_latents, *latent)`, on the CPU."""
        return cast(SampledModel, self.twin).draw(num_latents, torch.Generator().manual_seed(seed))

    def plain(self, z: Tensor) -> Tensor:
        """Images without noise: uint8 `(N, C, H, W)`."""
        model = cast(SampledModel, self.twin)
        conditions = conditions_for(model, len(z), self.context.conditions, None, torch.Generator())
        return torch.cat(list(generated_batches(model, z, conditions, self.context.batch_pixels)))

    def noisy(self, bucket: int, strength: float, z: Tensor, seeds: Sequence[int]) -> Tensor:
        """Images of every latent under every draw of noise: uint8 `(len(z), len(seeds), C, H, W)`."""
        made = []
        for seed in seeds:
            with noise_on(self.twin, self.buckets[bucket].tensors, strength, seed):
                made.append(self.plain(z))
        return torch.stack(made, dim=1)
