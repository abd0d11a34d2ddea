"""What is measured: power of generated and of real samples, and how much of it each bucket's choice of a block makes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.generation import ImageMaker, evaluating, to_uint8
from rpganify.data.display import is_picture
from rpganify.data.images import ImageData, to_float
from rpganify.errors import AnalysisError
from rpganify.paths import PathSpace
from rpganify_spectrum.power import Frequencies

_CHUNK = 64
_MIN_EXTENT = 4
_NUM_TRIED = 4


@dataclass(frozen=True, slots=True, eq=False)
class Varied:
    """What one choice changes, a row per path, float64 `(num_paths, num_rings)` each.

    Args:
        changed: its mean is the power that the choice makes, be it of a bucket's block or of the generator's own noise. A row
            may be negative.
        whole: mean power of the two samples that were compared.
    """

    changed: Tensor
    whole: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Spectra, one row per sample.

    Args:
        frequencies: rings and bands.
        generated: power of samples of random paths, float64 `(num_paths, num_rings)`.
        real: power of real samples, `(num_real, num_rings)`; None without data.
        varied: per bucket; None for a bucket of one block. Empty for a model without buckets.
        noise: of the noise that the generator draws itself; None if it draws none.
        notes: what is to be known.
    """

    frequencies: Frequencies
    generated: Tensor
    real: Tensor | None
    varied: tuple[Varied | None, ...]
    noise: Varied | None
    notes: tuple[str, ...]


def measure(model: nn.Module, context: AnalysisContext, num_real: int) -> Measured:
    """Spectra of a model's samples, and of real ones if the context has data.

    Args:
        model: converted, or standard, which has no buckets to vary.
        context: its seed, number of paths and data are used.
        num_real: real samples to draw, at most.
    Raises:
        AnalysisError: samples without a spatial axis of at least 4, or data of another shape.
    """
    shape = tuple(getattr(model, "image_shape", ()))
    if len(shape) < 2 or min(shape[1:]) < _MIN_EXTENT:
        raise AnalysisError(
            f"spectrum needs samples of a channel axis and others of {_MIN_EXTENT} or more, (C, H, W) or (C, L); this model's "
            f"are {shape}."
        )
    if context.data is not None and tuple(context.data.image_shape) != shape:
        raise AnalysisError(
            f"The samples of {context.data.name} are {tuple(context.data.image_shape)}, the model's {shape}. "
            "`fit_to(data, model.image_shape)` of rpganify.data.opening brings them together."
        )
    frequencies = Frequencies.of(shape[1:])
    chance = torch.Generator().manual_seed(context.seed)
    space: PathSpace | None = model.paths if getattr(model, "codes", None) == "paths" else None  # type: ignore[assignment]
    buckets = range(len(space.num_blocks)) if space else range(0)
    with evaluating(model, context.seed):
        maker = ImageMaker(model, context)  # type: ignore[arg-type]
        codes = model.draw(context.num_paths, chance)  # type: ignore[operator]
        is_noisy = not torch.equal(maker.values(codes[:_NUM_TRIED]), maker.values(codes[:_NUM_TRIED]))
        rounds = 1 + is_noisy + sum(space.num_blocks[bucket] > 1 for bucket in buckets if space)
        done = 0

        def make(of: Tensor) -> tuple[Tensor, Tensor]:
            """Samples and their power, told as progress."""
            nonlocal done
            samples = _as_saved(
                maker.values(of, lambda n: context.progress("spectrum", done + n, rounds * context.num_paths))
            )
            done += context.num_paths
            return samples, _power(frequencies, samples)

        base, generated = make(codes)
        noise: Varied | None = None
        if is_noisy:
            again, power = make(codes)
            noise = Varied(_power(frequencies, again - base) / 2, (generated + power) / 2)
        varied: list[Varied | None] = []
        for bucket in buckets:
            assert space is not None
            num_blocks = space.num_blocks[bucket]
            if num_blocks == 1:
                varied.append(None)
                continue
            others, power = make(_with_other_blocks(codes, bucket, num_blocks, chance))
            changed = _power(frequencies, others - base) / 2
            # The other sample has other noise too; and a random block is the same one once in num_blocks times.
            changed = (changed if noise is None else changed - noise.changed) * (num_blocks - 1) / num_blocks
            varied.append(Varied(changed, (generated + power) / 2))
    real = None if context.data is None else _real_power(frequencies, context.data, num_real, chance)
    return Measured(frequencies, generated, real, tuple(varied), noise, maker.notes())


def _as_saved(samples: Tensor) -> Tensor:
    """Samples clipped and rounded as a file would hold them: pictures to 8 bits, sound to 16; real ones are so too."""
    if is_picture(tuple(samples.shape[1:])):
        return to_float(to_uint8(samples))
    return (samples.clamp(-1, 1) * 32767).round() / 32767


def _with_other_blocks(codes: Tensor, bucket: int, num_blocks: int, chance: torch.Generator) -> Tensor:
    """The same paths, in one bucket another block each."""
    steps = torch.randint(1, num_blocks, (len(codes),), generator=chance)
    changed = codes.clone()
    changed[:, bucket] = (codes[:, bucket] + steps) % num_blocks
    return changed


def _power(frequencies: Frequencies, samples: Tensor) -> Tensor:
    return torch.cat([frequencies.power(part) for part in samples.split(_CHUNK)])


def _real_power(frequencies: Frequencies, data: ImageData, num_real: int, chance: torch.Generator) -> Tensor:
    indices = torch.randperm(len(data), generator=chance)[:num_real]
    return torch.cat([frequencies.power(to_float(data.images(part))) for part in indices.split(_CHUNK)])
