"""The analyzer `latent-inversion`: from an image back to the latent, in the metric's axes and without them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.generation import evaluating, to_uint8
from rpganify.analysis.geometry.axes import Axes, mean_axes
from rpganify.analysis.geometry.feature_maps import FeatureMap, feature_map_of, pixel_features
from rpganify.analysis.geometry.metric import measure_metric
from rpganify.analysis.geometry.products import Products
from rpganify.analysis.inversion.analyzer import check_shape
from rpganify.analysis.latent_inversion.bases import RELATIVE_EPSILON
from rpganify.analysis.latent_inversion.evolution import check_budget, require_cma
from rpganify.analysis.latent_inversion.findings import (
    OWN,
    REAL,
    Inverted,
    Measured,
    Targets,
    compare_methods,
    corrected,
)
from rpganify.analysis.latent_inversion.methods import (
    Outcome,
    evolution_methods,
    gradient_methods,
    num_axes_for,
    passes_of,
    run_method,
)
from rpganify.analysis.latent_inversion.report import NAME, make_report
from rpganify.analysis.latent_inversion.task import CHUNK, Task
from rpganify.analysis.latent_inversion.tuning import STEP_SIZES
from rpganify.analysis.latents import LatentMap, latent_of, latent_under_path
from rpganify.analysis.provenance import provenance
from rpganify.data.images import read_images, to_float
from rpganify.errors import AnalysisError
from rpganify.report.report import JsonValue, Report
from rpganify.routing.generator import RandomPathGenerator

NUM_POSITIONS = 10
SPREAD_AROUND_Z = 0.5  # of the root mean square of its values
_STEPS, _MIN_TARGETS, _MAX_TUNED_ON = (30, 300), 4, 16
# Measured on a core of 2020: asking and telling CMA-ES, per image that it tries.
_TRIED_S = 5e-5


@dataclass(frozen=True, slots=True)
class LatentInversionConfig:
    """Sizes.

    Args:
        num_targets: of each kind, real and own; None takes half the context's paths.
        num_steps: gradients per target; None takes three for each of the context's paths, 30 to 300.
        num_positions: whose mean metric gives the axes; of the vector Z under a path it is Z alone.
        relative_epsilon: of the preconditioning, as a share of the largest eigenvalue.
        with_evolution: whether CMA-ES is run; without the package cma it is left out, and the report says so.
    Raises:
        AnalysisError: a size below 1, or a negative ε.
    """

    num_targets: int | None = None
    num_steps: int | None = None
    num_positions: int = NUM_POSITIONS
    relative_epsilon: float = RELATIVE_EPSILON
    with_evolution: bool = True

    def __post_init__(self) -> None:
        sizes = {"targets": self.num_targets, "steps": self.num_steps, "positions": self.num_positions}
        wrong = [f"{size} {name}" for name, size in sizes.items() if size is not None and size < 1]
        if wrong or self.relative_epsilon < 0:
            raise AnalysisError(
                f"An inversion needs at least 1 target, step and position, and ε >= 0; got "
                f"{', '.join([*wrong, f'ε = {self.relative_epsilon:g}'])}."
            )


class LatentInversion:
    """The analyzer `latent-inversion`, of standard generators and of the vector Z under a path.

    Args:
        config: sizes.
    """

    name = NAME
    uses_extractor = False

    def __init__(self, config: LatentInversionConfig | None = None) -> None:
        self.config = config or LatentInversionConfig()

    def num_images(self, model: nn.Module, context: AnalysisContext) -> int:
        """About how many generator passes it takes, as images."""
        num_methods = 5 + 2 * self.config.with_evolution
        num_tries = (len(STEP_SIZES) + 1) * self._num_tuned_on(context) + self._num_targets(context) * _num_kinds(
            context
        )
        passes = num_methods * num_tries * passes_of(self._num_steps(context))
        return len(_feature_maps(context)) * passes

    def other_s(self, model: nn.Module, context: AnalysisContext, num_features: int) -> float:
        """About how many seconds CMA-ES takes beside."""
        return self.config.with_evolution * self.num_images(model, context) * 2 / 7 * _TRIED_S

    def analyze(self, model: nn.Module, context: AnalysisContext) -> Report:
        """Inverts images of the data and of the model itself.

        Raises:
            AnalysisError: images of another shape than the model's, a distance without derivative, or a generator
                that cannot be differentiated.
        """
        if context.data is not None:
            check_shape(context.data, tuple(getattr(model, "image_shape", ())))
        maps = _feature_maps(context)
        chance = torch.Generator().manual_seed(context.seed)
        left_out = self._left_out()
        with evaluating(model, context.seed):
            space = _space(model, context, chance)
            if not left_out:
                check_budget(space.dim, passes_of(self._num_steps(context)))
            wanted, targets, tuned_on = self._draw_targets(space, context, chance)
            starts = _start(space, len(wanted), chance)
            positions = space.draw(self.config.num_positions, chance) if space.home is None else space.home[None]
            found = [
                self._measure(one, space, wanted, starts, tuned_on, targets, positions, not left_out, context)
                for one in maps
            ]
        compared = corrected([one.comparisons for one in found])
        inverted = Inverted(
            space=space,
            measured=tuple(replace(one, comparisons=told) for one, told in zip(found, compared, strict=True)),
            targets=targets,
            num_tuned_on=tuned_on.stop,
            num_steps=self._num_steps(context),
            relative_epsilon=self.config.relative_epsilon,
            data="" if context.data is None else context.data.name,
            seed=context.seed,
        )
        return make_report(inverted, provenance(model, context, self._settings(inverted)), left_out)

    def _left_out(self) -> list[str]:
        if self.config.with_evolution:
            try:
                require_cma()
            except AnalysisError as error:
                return [f"CMA-ES was left out. {error}"]
            return []
        return ["CMA-ES was left out, as its configuration says."]

    def _num_targets(self, context: AnalysisContext) -> int:
        return self.config.num_targets or max(_MIN_TARGETS, context.num_paths // 2)

    def _num_tuned_on(self, context: AnalysisContext) -> int:
        """Even, so that it takes as many real images as own ones."""
        return min(_MAX_TUNED_ON, 2 * ((self._num_targets(context) + 1) // 2))

    def _num_steps(self, context: AnalysisContext) -> int:
        least, most = _STEPS
        return self.config.num_steps or min(most, max(least, 3 * context.num_paths))

    def _draw_targets(
        self, space: LatentMap, context: AnalysisContext, chance: torch.Generator
    ) -> tuple[Tensor, tuple[Targets, ...], slice]:
        """Images float `(n, C, H, W)`: those to tune on first, then real ones, then own ones; and which are which."""
        num_tuned, num_targets = self._num_tuned_on(context), self._num_targets(context)
        real = torch.empty(0, *space.image_shape, device=space.device, dtype=space.dtype)
        num_tuned_real = 0
        if context.data is not None:
            num_tuned_real = num_tuned // 2
            chosen = torch.randperm(len(context.data), generator=chance)[: num_tuned_real + num_targets]
            if len(chosen) < num_tuned_real + 1:
                raise AnalysisError(
                    f"{context.data.name} holds {len(chosen)} images; {num_tuned_real} are needed to choose step sizes on, and "
                    "one more at least to invert. Leave --data out, or name more."
                )
            real = to_float(read_images(context.data, chosen)).to(space.device, space.dtype)
        latents, spread = _own_latents(space, num_tuned - num_tuned_real + num_targets, chance)
        own = _images_of(space, latents)
        split = len(own) - num_targets
        wanted = torch.cat([real[:num_tuned_real], own[:split], real[num_tuned_real:], own[split:]])
        num_real = len(real) - num_tuned_real
        kinds = [Targets(OWN, slice(num_real, num_real + num_targets), latents[split:], spread)]
        if num_real:
            kinds.insert(0, Targets(REAL, slice(0, num_real)))
        return wanted, tuple(kinds), slice(0, num_tuned)

    def _measure(
        self,
        features: FeatureMap,
        space: LatentMap,
        wanted: Tensor,
        starts: Tensor,
        tuned_on: slice,
        targets: tuple[Targets, ...],
        positions: Tensor,
        with_evolution: bool,
        context: AnalysisContext,
    ) -> Measured:
        describe = features.as_function(space.dtype)
        axes = _axes(Products(space, describe), positions, context)
        num_top = num_axes_for(axes)
        with torch.no_grad():
            described = torch.cat([describe(part).flatten(1) for part in wanted.split(CHUNK)])
        task = Task(space, describe, described, starts)
        numbers = torch.arange(len(task))
        tuning, counted = task.chosen(numbers[tuned_on]), task.chosen(numbers[tuned_on.stop :])
        has_length = bool((starts.norm(dim=1) > 0).all())
        methods = gradient_methods(axes, self.config.relative_epsilon, with_length_held=has_length)
        if with_evolution:
            methods += evolution_methods(axes, num_top)
        outcomes: tuple[Outcome, ...] = tuple(
            run_method(one, tuning, counted, self._num_steps(context), context.seed, context.progress)
            for one in methods
        )
        pictures = [to_uint8(wanted[tuned_on.stop :]).cpu()]
        pictures += [to_uint8(_images_of(space, outcome.search.latents)).cpu() for outcome in outcomes]
        comparisons = compare_methods(outcomes, targets, context.seed)
        return Measured(features, axes, num_top, outcomes, tuple(pictures), comparisons)

    def _settings(self, inverted: Inverted) -> dict[str, JsonValue]:
        told: dict[str, JsonValue] = {
            "latent": inverted.space.name,
            "image distances": [one.features.title for one in inverted.measured],
            "features": [dict(one.features.provenance) for one in inverted.measured],
            "targets": {kind.name: kind.rows.stop - kind.rows.start for kind in inverted.targets},
            "images to choose step sizes on": inverted.num_tuned_on,
            "gradients per target": inverted.num_steps,
            "generator passes per target": passes_of(inverted.num_steps),
            "positions of the metric": len(inverted.measured[0].axes.positions),
            "epsilon, share of the largest eigenvalue": inverted.relative_epsilon,
        }
        if inverted.data:
            told["data"] = inverted.data
        return told


def _feature_maps(context: AnalysisContext) -> list[FeatureMap]:
    """Those of the context's distances; else the pixels', and those of the classifier if there is one."""
    if context.distances:
        return [feature_map_of(distance, distance.key) for distance in context.distances]
    classifier = [] if context.classifier is None else [feature_map_of(context.classifier, "classifier")]
    return [pixel_features(), *classifier]


def _num_kinds(context: AnalysisContext) -> int:
    return 1 + (context.data is not None)


def _space(model: nn.Module, context: AnalysisContext, chance: torch.Generator) -> LatentMap:
    """The random z of a standard generator; of a converted one the vector Z under the context's first path, or a random."""
    if not isinstance(model, RandomPathGenerator):
        return latent_of(model, context)
    path: Sequence[int] = context.paths[0] if context.paths else model.paths.sample(1, generator=chance)[0].tolist()
    return latent_under_path(model, path, context)


def _own_latents(space: LatentMap, count: int, chance: torch.Generator) -> tuple[Tensor, float]:
    """Latents whose images are to be found again, `(count, D)`, and the standard deviation of their values.

    Draws of z; around a position that belongs to the map, as under a path vectors far from Z make no image at all.
    """
    drawn = space.draw(count, chance)
    if space.home is None:
        return drawn, 1.0
    spread = SPREAD_AROUND_Z * (float(space.home.square().mean().sqrt()) or 1.0)
    return space.home + spread * drawn, spread


def _start(space: LatentMap, count: int, chance: torch.Generator) -> Tensor:
    """Where the searches begin: random latents, or the position that belongs to the map."""
    return space.draw(count, chance) if space.home is None else space.home.repeat(count, 1)


def _axes(products: Products, positions: Tensor, context: AnalysisContext) -> Axes:
    """The axes of the mean metric."""
    metrics = []
    for index, position in enumerate(positions):
        metric = measure_metric(products, position, is_checked=False)
        assert metric.matrix is not None  # the exact form has it
        metrics.append(metric.matrix)
        context.progress("metric", index + 1, len(positions))
    return mean_axes(torch.stack(metrics), positions)


def _images_of(space: LatentMap, latents: Tensor) -> Tensor:
    """Images `(n, C, H, W)`, in chunks and without gradients."""
    with torch.no_grad():
        return torch.cat([space.images(part) for part in latents.split(CHUNK)])
