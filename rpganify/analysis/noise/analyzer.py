"""Noise injection: a standard generator's weights under noise, against other blocks of its converted twin."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext, PathModel, require_paths
from rpganify.analysis.generation import ImageMaker, evaluating
from rpganify.analysis.noise.figure import GridPanel
from rpganify.analysis.noise.measure import HIGH, LOW, NUM_LATENTS, NUM_NOISES, Match, measure_noise_distances
from rpganify.analysis.noise.quality import measure_noise_quality, num_needed
from rpganify.analysis.noise.report import noise_report
from rpganify.analysis.noise.weights import NoisyMaker, noisy_buckets, require_twin
from rpganify.analysis.quality.measure import draw_seed
from rpganify.analysis.quality.samples import require_same_shape
from rpganify.analysis.variations.analyzer import Variation, choose_variations
from rpganify.errors import AnalysisError
from rpganify.report.report import Report

NUM_PICTURES = 3


class Noise:
    """The analyzer `noise`.

    Args:
        low: weak noise, as a multiple of each tensor's own standard deviation.
        high: strong noise.
        num_pictures: images per bucket and panel of the grid.
    """

    name = "noise"

    def __init__(self, low: float = LOW, high: float = HIGH, num_pictures: int = NUM_PICTURES) -> None:
        if not 0 < low < high or not math.isfinite(high) or num_pictures < 1:
            raise AnalysisError(
                f"Noise is weak and strong, 0 < low < high, and at least one picture of each is shown; got low {low}, high "
                f"{high}, {num_pictures} pictures. {LOW} and {HIGH} of a tensor's own standard deviation are usual."
            )
        self.low = low
        self.high = high
        self.num_pictures = num_pictures

    def num_images(self, model: nn.Module, context: AnalysisContext) -> int:
        """About how many images are made and described."""
        num_buckets = require_paths(model, self.name).paths.num_buckets
        distances = (
            4 * context.num_paths + 16 * NUM_LATENTS * NUM_NOISES
        )  # blocks; two levels, and a search of about 14
        quality = 0 if context.extractor is None else 2 * context.num_images
        return num_buckets * (distances + quality) + 3 * quality // 2

    def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
        """Grids, distances, Fréchet distances at matched diversity, and the rank correlation of the buckets.

        Raises:
            AnalysisError: no buckets, no twin, or one that does not fit the model.
        """
        rp = require_paths(model, self.name)
        twin = require_twin(context, rp)
        if context.data is not None:
            require_same_shape(rp.image_shape, context.data, "noise")
        noisy = NoisyMaker(twin, noisy_buckets(rp.plan, twin), context)
        maker = ImageMaker(rp, context)
        with evaluating(model, context.seed), evaluating(twin, context.seed):
            measured = measure_noise_distances(rp, maker, noisy, context, (self.low, self.high))
            quality = None
            if context.extractor is not None and self._num_compared(context) >= num_needed(
                context.extractor, rp.image_shape
            ):
                quality = measure_noise_quality(rp, maker, noisy, measured.matches, context, context.extractor)
            (variation,) = choose_variations(rp.paths, context, 1, self.num_pictures)[:1]
            panels = self._panels(variation, measured.matches, maker, noisy, rp)
        return noise_report(
            measured, quality, panels, rp.paths.format(variation.path), noisy, model, rp, context, maker.notes()
        )

    def _num_compared(self, context: AnalysisContext) -> int:
        return context.num_images if context.data is None else min(context.num_images, len(context.data))

    def _panels(
        self, variation: Variation, matches: tuple[Match, ...], maker: ImageMaker, noisy: NoisyMaker, rp: PathModel
    ) -> tuple[GridPanel, ...]:
        base, *rows = torch.split(maker(variation.paths()), [1, *(len(blocks) for blocks in variation.blocks)])
        remarks = tuple("" if blocks else "one block: nothing to vary" for blocks in variation.blocks)
        shown = tuple(row if len(row) else None for row in rows)
        seed = noisy.context.seed
        z = noisy.latents(1, draw_seed(seed, 7))
        plain = noisy.plain(z)[0]
        panels = [GridPanel("other blocks", "random path generator", base[0], shown, remarks)]

        def noises(bucket: int, strength: float) -> Tensor:
            seeds = [draw_seed(seed, 8, bucket, index) for index in range(self.num_pictures)]
            return noisy.noisy(bucket, strength, z, seeds)[0]

        for word, strength in (("weak", self.low), ("strong", self.high)):
            pictures = tuple(noises(bucket, strength) for bucket in range(rp.paths.num_buckets))
            told = f"standard generator, {word}"
            panels.append(GridPanel(f"noise {strength:g}", told, plain, pictures, ("",) * len(pictures)))
        matched = tuple(
            None if match.strength is None else noises(bucket, match.strength) for bucket, match in enumerate(matches)
        )
        said = tuple(
            "no such strength" if match.strength is None else f"noise {match.strength:.2g}" for match in matches
        )
        panels.append(GridPanel("matched noise", "standard, as far as blocks", plain, matched, said))
        return tuple(panels)
