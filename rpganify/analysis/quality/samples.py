"""Images for measures of quality: of a generator, routed or standard, and of a data set; the same seed, the same images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn

from rpganify.analysis.features import FeatureExtractor
from rpganify.analysis.generation import MAX_BATCH, device_of, to_uint8
from rpganify.data.images import ImageData, to_float
from rpganify.errors import AnalysisError

Done = Callable[[int], None]
EXTRACTOR_BATCH = 256


class SampledModel(Protocol):
    """What measures of quality ask of a generator; converted and standard ones offer it alike."""

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Channels, height, width."""
        ...

    @property
    def conditions(self) -> tuple[Any, ...]:
        """Inputs besides the codes: `name`, `shape`, `dtype` each."""
        ...

    def draw(self, n: int, generator: torch.Generator | None = None) -> Tensor:
        """`n` random paths or latents, on the CPU."""
        ...

    def images(self, codes: Tensor, /, **conditions: Tensor) -> Tensor:
        """Images `(n, C, H, W)` in about [-1, 1]."""
        ...


def require_samples(model: object, asker: str) -> SampledModel:
    """The model, if it draws its own inputs and makes pictures.

    Args:
        model: any generator.
        asker: who asks, for the message.
    Raises:
        AnalysisError: it cannot draw, or its output is no picture of one (grey) or three (colour) channels.
    """
    missing = [member for member in ("draw", "images", "image_shape") if not hasattr(model, member)]
    if missing:
        raise AnalysisError(
            f"{asker} draws images from a generator, and {type(model).__name__} has no {', '.join(missing)}. "
            "Hand over what `rpganify.wrap`, `rpganify.standard` or `rpganify.load` gives."
        )
    sampled = cast(SampledModel, model)
    shape = tuple(sampled.image_shape)
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise AnalysisError(
            f"{asker} measures pictures of 1 (grey) or 3 (colour) channels, (C, H, W); this generator's output is "
            f"{shape}. Name a generator of pictures."
        )
    return sampled


def require_same_shape(image_shape: tuple[int, ...], data: ImageData, asker: str) -> None:
    """Refuse real images of another shape than the generator's: resizing one side only would be measured as well.

    Raises:
        AnalysisError: the shapes differ.
    """
    if tuple(image_shape) != tuple(data.image_shape):
        raise AnalysisError(
            f"{asker} compares images of one shape; the generator makes {tuple(image_shape)} and {data.name} "
            f"holds {tuple(data.image_shape)}. `rpganify.data.opening.fit_to` brings a data set to the generator's shape."
        )


def generated_batches(
    model: SampledModel,
    codes: Tensor,
    conditions: Mapping[str, Tensor],
    batch_pixels: int = 2**20,
) -> Iterator[Tensor]:
    """The images of `codes` as they would be saved: uint8 `(B, C, H, W)` on the CPU, batch by batch.

    Args:
        model: in eval mode; `evaluating` does that.
        codes: `(N, ...)`, as drawn.
        conditions: `(N, ...)` for each further input; `conditions_for` makes them.
        batch_pixels: upper bound of pixels (height × width × images) that are generated at once.
    Raises:
        AnalysisError: the images have another shape than the model says, or hold NaN or infinity.
    """
    device = device_of(model) if isinstance(model, nn.Module) else torch.device("cpu")
    step = max(1, min(MAX_BATCH, batch_pixels // math.prod(model.image_shape[1:])))
    for start in range(0, len(codes), step):
        here = slice(start, start + step)
        part = codes[here]
        images = model.images(part.to(device), **{name: value[here].to(device) for name, value in conditions.items()})
        if tuple(images.shape) != (len(part), *model.image_shape):
            raise AnalysisError(
                f"The generator made images of shape {tuple(images.shape)} where {(len(part), *model.image_shape)} was due."
            )
        if not torch.isfinite(images).all():
            raise AnalysisError(
                "The generator makes images that hold NaN or infinity; nothing can be measured on them. "
                "The training diverged: take an earlier checkpoint, or train with a lower learning rate."
            )
        yield to_uint8(images).cpu()


def conditions_for(
    model: SampledModel,
    num_images: int,
    given: Mapping[str, Tensor],
    labels: Tensor | None,
    chance: torch.Generator,
) -> dict[str, Tensor]:
    """What the generator needs besides its codes, for every image.

    A condition that is given is the same for all images. A class label that is not is drawn from the real images'
    labels, so that the generated classes are as frequent as the real ones.

    Args:
        model: says what it needs.
        num_images: how many.
        given: one value, without the batch axis, by name.
        labels: of the real images, int64 `(N,)`, or None.
        chance: draws the labels.
    Returns:
        By name, `(num_images, ...)`; empty for most generators.
    Raises:
        AnalysisError: a condition is neither given nor a label that the data could supply.
    """
    values = {}
    for condition in model.conditions:
        if condition.name in given:
            value = given[condition.name]
            values[condition.name] = value.expand(num_images, *value.shape)
        elif condition.shape == () and condition.dtype == torch.int64 and labels is not None:
            drawn = torch.randint(len(labels), (num_images,), generator=chance)
            values[condition.name] = labels[drawn]
        else:
            raise AnalysisError(
                f"This generator also needs {condition.name} for each image, and was given none. Name one value for all: "
                f"`--condition {condition.name}=0`; a class label is drawn from the real images' where the data has labels."
            )
    return values


def drawn_images(
    model: SampledModel,
    num_images: int,
    seed: int,
    *,
    given: Mapping[str, Tensor],
    labels: Tensor | None = None,
    batch_pixels: int = 2**20,
) -> Iterator[Tensor]:
    """Images of random codes, batch by batch: uint8 `(B, C, H, W)`; all codes are drawn at once, from `seed` alone.

    Arguments and errors as of `conditions_for` and `generated_batches`.
    """
    chance = torch.Generator().manual_seed(seed)
    codes = model.draw(num_images, chance)
    conditions = conditions_for(model, num_images, given, labels, chance)
    return generated_batches(model, codes, conditions, batch_pixels)


def real_batches(data: ImageData, indices: Tensor, batch_size: int = EXTRACTOR_BATCH) -> Iterator[Tensor]:
    """The real images at `indices`: uint8 `(B, C, H, W)`."""
    for part in torch.split(indices, batch_size):
        yield data.images(part)


def real_indices(num_data: int, num_images: int, seed: int, skip: int = 0) -> Tensor:
    """Which real images are compared: distinct random ones, int64 `(num_images,)`.

    Args:
        num_data: how many there are, >= skip + num_images.
        num_images: how many are wanted.
        seed: of the choice.
        skip: how many of the same random order come before; so two calls give disjoint images.
    """
    order = torch.randperm(num_data, generator=torch.Generator().manual_seed(seed))
    return order[skip : skip + num_images]


def extract_features(extractor: FeatureExtractor, batches: Iterable[Tensor]) -> Tensor:
    """Features `(N, D)` of images that come in batches, uint8 `(B, C, H, W)`."""
    (features,) = describe_images(lambda images: (extractor(images),), batches)
    return features


def describe_images(
    describe: Callable[[Tensor], tuple[Tensor, ...]], batches: Iterable[Tensor], progress: Done = lambda done: None
) -> tuple[Tensor, ...]:
    """What `describe` says of all images, in batches that are worth a network's while.

    Args:
        describe: images in [-1, 1], `(B, C, H, W)`, to tensors with one row each.
        batches: uint8 `(B, C, H, W)`, of at least one image in all.
        progress: told the number of images done so far.
    """
    described: list[tuple[Tensor, ...]] = []
    waiting: list[Tensor] = []
    done = 0
    for images in batches:
        waiting.append(images)
        if sum(map(len, waiting)) >= EXTRACTOR_BATCH:
            described.append(describe(to_float(torch.cat(waiting))))
            done += sum(map(len, waiting))
            waiting = []
            progress(done)
    if waiting:
        described.append(describe(to_float(torch.cat(waiting))))
        progress(done + sum(map(len, waiting)))
    return tuple(torch.cat(parts) for parts in zip(*described, strict=True))
