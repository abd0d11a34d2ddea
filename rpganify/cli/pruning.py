"""What `rpganify prune` measures with and tells: real images, scores of blocks, what was lost and won."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rpganify.analysis.analyzer import NUM_IMAGES, AnalysisContext
from rpganify.analysis.bootstrap import Estimate
from rpganify.analysis.opening import open_extractor
from rpganify.analysis.pruning.cost import QualityCost
from rpganify.analysis.pruning.low_quality import QualityPruning
from rpganify.analysis.pruning.redundancy import Pruning
from rpganify.analysis.pruning.scores import DEFINITION
from rpganify.cli.conditions import read_conditions
from rpganify.cli.console import say, show, show_table
from rpganify.cli.progress import ProgressTalk
from rpganify.data.opening import fit_to, open_data
from rpganify.data.progress import progress_told
from rpganify.errors import AnalysisError
from rpganify.registry import default_registry
from rpganify.routing.generator import RandomPathGenerator

_NUM_SHOWN = 5  # scores of blocks that stay


@dataclass(frozen=True, slots=True)
class Measures:
    """What was typed of real images, and what tells images apart.

    Args:
        data, data_root, extractor, num_images: as typed; None where it was left out.
    """

    data: str | None
    data_root: Path | None
    extractor: str | None
    num_images: int | None

    def check(self, *, is_needed: bool) -> None:
        """Refuses half of what a measure of quality needs.

        Args:
            is_needed: whether blocks are chosen by it.
        Raises:
            AnalysisError: data without an extractor, or the other way round; or none, where they are needed.
        """
        if (self.data is None) != (self.extractor is None) or (is_needed and self.data is None):
            has = (
                f"--data {self.data}" if self.data else f"--extractor {self.extractor}" if self.extractor else "neither"
            )
            raise AnalysisError(
                "The quality of images is measured against real ones, in the features of an extractor: it needs --data and "
                f"--extractor, and was given {has}. For example: --data mnist --extractor classifier:FILE."
            )

    def context(
        self,
        model: RandomPathGenerator,
        conditions: list[str] | None,
        seed: int,
        place: torch.device,
        talk: ProgressTalk,
        *,
        draws_labels: bool,
    ) -> AnalysisContext:
        """What blocks are compared with.

        Args:
            model: on its device.
            conditions: as typed.
            seed: of everything random.
            place: the device.
            talk: shows progress.
            draws_labels: whether class labels may be drawn from the data's, where none are typed. Blocks that are compared
                with each other need the same for all images.
        Raises:
            RpganifyError: data or extractor cannot be opened, or do not fit the model.
        """
        registry, data, extractor = default_registry(), None, None
        if self.data is not None and self.extractor is not None:
            extractor = open_extractor(self.extractor, place, registry)
            with progress_told(talk.update):
                data, done = fit_to(open_data(self.data, self.data_root, registry), model.image_shape)
            if done:
                say(f"data: {done}")
        has_labels = draws_labels and data is not None and data.labels is not None
        is_drawn = has_labels and all(one.shape == () and one.dtype == torch.int64 for one in model.conditions)
        return AnalysisContext(
            seed=seed,
            device=place,
            conditions={} if is_drawn and not conditions else read_conditions(conditions, model.conditions),
            data=data,
            extractor=extractor,
            num_images=self.num_images or NUM_IMAGES,
            progress=talk.update,
        )


def show_redundant(found: Pruning, names: Sequence[str]) -> None:
    """The blocks that go as others do what they do, and what images lose."""
    show_table(
        [
            ("bucket", "left"),
            ("block", "right"),
            ("dropped as", "left"),
            ("closest that stays", "right"),
            ("grey levels", "right"),
        ],
        [[names[d.bucket], str(d.block), d.reason, str(d.nearest), f"{d.distance:.2f}"] for d in found.drops],
    )
    show(
        f"images: {found.changed_share:.0%} of random paths go through a dropped block; through the closest one instead, "
        f"images of random paths differ by {found.image_distance:.2f} grey levels (root mean square), independent paths by "
        f"{found.random_distance:.2f}"
    )


def show_scores(found: QualityPruning, names: Sequence[str], num_blocks: Sequence[int]) -> None:
    """The scores of the blocks that go, and of the next that would."""
    stay = sorted(found.rest, key=lambda score: score.change.value)
    show_table(
        [
            ("", "left"),
            ("bucket", "left"),
            ("block", "right"),
            ("distance without it", "right"),
            ("95 % interval", "right"),
            ("adjusted p", "right"),
        ],
        [
            [
                what,
                names[score.bucket],
                str(score.block),
                f"{score.change.value:+.3g}",
                f"{score.change.low:+.3g} to {score.change.high:+.3g}",
                f"{score.p_value:.2g}",
            ]
            for what, scores in (("dropped", found.drops), ("stays", stay[:_NUM_SHOWN]))
            for score in scores
        ],
    )
    if len(stay) > _NUM_SHOWN:
        show(f"and {len(stay) - _NUM_SHOWN} more, of higher scores")
    show(
        f"scores, ours: Fréchet distance of {found.num_images:,} images to {found.num_real:,} real ones without the block's, "
        "less that without as many random ones; one block after the other"
    )
    show(f"images: {found.changed_share(num_blocks):.0%} of random paths go through a dropped block")


def show_cost(cost: QualityCost) -> None:
    """What the distance to real images was, and is."""
    show(
        f"{cost.name}: {_interval(cost.before)} -> {_interval(cost.after)}, {cost.difference.value:+.3g} "
        f"[{cost.difference.low:+.3g}, {cost.difference.high:+.3g}]; lower is better; means of {cost.num_draws} sets of "
        f"{cost.num_images:,} images against {cost.num_real:,} real ones, with 95 % intervals"
    )


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a model is.

    Args:
        num_blocks: of each bucket.
        num_paths: of them all.
        num_values: in parameters and buffers.
        num_bytes: of its files.
    """

    num_blocks: tuple[int, ...]
    num_paths: int
    num_values: int
    num_bytes: int

    @classmethod
    def of(cls, model: RandomPathGenerator, directory: Path) -> Sizes:
        """Of a model and its folder."""
        num_values = sum(tensor.numel() for tensor in (*model.parameters(), *model.buffers()))
        num_bytes = sum(file.stat().st_size for file in directory.iterdir() if file.is_file())
        return cls(model.plan.num_blocks, model.paths.cardinality, num_values, num_bytes)


def show_sizes(before: Sizes, after: Sizes, ordinary: Sequence[str]) -> None:
    """What was won in size."""
    counts = (", ".join(str(m) for m in sizes.num_blocks) for sizes in (before, after))
    show("blocks: {} -> {}".format(*counts))
    if ordinary:
        them = "it is an ordinary layer" if len(ordinary) == 1 else "they are ordinary layers"
        show(
            f"one block is left of {', '.join(ordinary)}: {them} now, and paths are shorter (--keep-buckets keeps them)"
        )
    show(f"paths: {before.num_paths:,} -> {after.num_paths:,}")
    show(
        f"size: {before.num_values:,} -> {after.num_values:,} values, {1 - after.num_values / before.num_values:.0%} less; "
        f"{before.num_bytes / 1e6:.2f} -> {after.num_bytes / 1e6:.2f} MB on disk"
    )


def as_json(
    before: Sizes,
    after: Sizes,
    found: Pruning | QualityPruning | None,
    cost: QualityCost | None,
    numbers: Mapping[str, Sequence[int]],
    ordinary: Sequence[str],
) -> dict[str, Any]:
    """The same for a script."""
    both = {"before": dataclasses.asdict(before), "after": dataclasses.asdict(after)}
    sizes = {key: {when: one[key] for when, one in both.items()} for key in both["before"]}
    scored = found if isinstance(found, QualityPruning) else None
    return {
        **sizes,
        "kept": numbers,
        "ordinary": list(ordinary),
        "cost": dataclasses.asdict(found) if isinstance(found, Pruning) else None,
        "low_quality": scored
        and {
            **dataclasses.asdict(scored),
            "changed_share": scored.changed_share(before.num_blocks),
            "definition": " ".join(DEFINITION.split()),
        },
        "quality": None if cost is None else dataclasses.asdict(cost),
    }


def _interval(value: Estimate) -> str:
    return f"{value.value:.4g} [{value.low:.4g}, {value.high:.4g}]"
