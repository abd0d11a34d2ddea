"""Images of many paths, taken apart: the variance terms of each statistic, all from the same images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.generation import ImageMaker
from rpganify.analysis.responsibility.sobol import exact_terms, half_squared_distances, row_terms
from rpganify.analysis.responsibility.statistics import Statistic
from rpganify.errors import AnalysisError
from rpganify.paths import PathSpace


@dataclass(slots=True)
class Decomposed:
    """The variance terms of one statistic, and its mean and mean square over all images.

    Args:
        statistic: it, or the vector that it is a part of.
        part: which value of the vector, by its name; empty for the statistic itself.
    """

    statistic: Statistic
    part: str
    is_vector: bool = False
    num_images: int = 0
    _terms: list[Tensor] = field(default_factory=list)
    _sum: float = 0.0
    _sum_squares: float = 0.0

    @property
    def terms(self) -> Tensor:
        """One row per independent draw, `sobol.row_terms`."""
        return torch.cat(self._terms)

    @property
    def mean(self) -> float | None:
        """Of the statistic; None for a vector, which has none in a number."""
        return None if self.is_vector else self._sum / self.num_images

    @property
    def mean_square(self) -> float:
        """Of its values, the sum over a vector's."""
        return self._sum_squares / self.num_images

    def add(self, values: Tensor, terms: Tensor) -> None:
        """Takes in more images: values `(…, d)`, and the rows of terms made of them."""
        self.is_vector = values.shape[-1] > 1
        self.num_images += values[..., 0].numel()
        self._sum += float(values.sum())
        self._sum_squares += float(values.square().sum())
        self._terms.append(terms)


def decompose_rows(
    paths: Tensor, maker: ImageMaker, context: AnalysisContext, statistics: tuple[Statistic, ...]
) -> list[Decomposed]:
    """The terms of every row of Saltelli's scheme.

    Args:
        paths: as `saltelli_paths` gives them, int64 `(n, 2k + 2, num_buckets)`.
        maker: makes the images.
        context: told the progress.
        statistics: what is measured.
    """
    num_rows, per_row = paths.shape[:2]
    found = _empty(statistics)
    # A row's images go together: they share all blocks but one, which routing runs as larger groups.
    step = max(1, maker.batch_size // per_row)
    for start in range(0, num_rows, step):
        rows = paths[start : start + step]
        images = maker(rows.flatten(0, 1))
        for statistic in statistics:
            values = measured(statistic, images).reshape(len(rows), per_row, -1)
            for part, of_part in _parts(statistic, values):
                terms = row_terms(half_squared_distances(of_part), per_row // 2 - 1)
                found[statistic.key, part].add(of_part, terms)
        context.progress("responsibility", min(start + step, num_rows) * per_row, num_rows * per_row)
    return list(found.values())


def decompose_all_paths(
    space: PathSpace,
    maker: ImageMaker,
    context: AnalysisContext,
    statistics: tuple[Statistic, ...],
    varied: Sequence[int],
) -> list[Decomposed]:
    """The exact terms, from the images of all paths.

    Args:
        space: of the model; its values of all statistics are held at once.
        maker: makes the images.
        context: told the progress.
        statistics: what is measured.
        varied: the buckets of more than one block.
    """
    sizes = tuple(space.num_blocks[bucket] for bucket in varied)
    blocks = torch.unravel_index(torch.arange(space.cardinality), sizes) if sizes else ()
    paths = torch.zeros(space.cardinality, space.num_buckets, dtype=torch.int64)
    for bucket, column in zip(varied, blocks, strict=True):
        paths[:, bucket] = column
    values: dict[str, list[Tensor]] = {statistic.key: [] for statistic in statistics}
    for start in range(0, len(paths), maker.batch_size):
        images = maker(paths[start : start + maker.batch_size])
        for statistic in statistics:
            values[statistic.key].append(measured(statistic, images))
        context.progress("responsibility", min(start + maker.batch_size, len(paths)), len(paths))
    found = _empty(statistics)
    for statistic in statistics:
        whole = torch.cat(values.pop(statistic.key))
        for part, of_part in _parts(statistic, whole.reshape(*sizes, whole.shape[-1])):
            found[statistic.key, part].add(of_part, exact_terms(of_part))
    return list(found.values())


def measured(statistic: Statistic, images: Tensor) -> Tensor:
    """A statistic's values, float64 `(N, d)`.

    Raises:
        AnalysisError: a network gives NaN or infinity.
    """
    values = statistic.measure(images).double()
    if not values.isfinite().all():
        raise AnalysisError(
            f"The statistic {statistic.title!r} is NaN or infinite on some images: {statistic.definition} "
            "Its weight file may be damaged; leave it out, or name another."
        )
    return values


def _empty(statistics: tuple[Statistic, ...]) -> dict[tuple[str, str], Decomposed]:
    return {
        (statistic.key, part): Decomposed(statistic, part)
        for statistic in statistics
        for part in ("", *statistic.parts)
    }


def _parts(statistic: Statistic, values: Tensor) -> Iterator[tuple[str, Tensor]]:
    """The statistic's values, then those of each named part, `(…, 1)`."""
    yield "", values
    for index, part in enumerate(statistic.parts):
        yield part, values[..., index : index + 1]
