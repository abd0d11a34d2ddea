"""Where a metric is taken: a latent space and a position in it, or several spaces with a position each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.geometry.controls import Control
from rpganify.analysis.latents import LatentMap, at_layer, latent_of, latent_under_path, part_of
from rpganify.errors import AnalysisError
from rpganify.routing.generator import RandomPathGenerator


@dataclass(frozen=True, slots=True)
class Place:
    """What of a generator is moved.

    Args:
        layer: dotted name of an inner layer whose output is moved; None moves the latent.
        part: indices of the inputs that are moved, from 0; empty moves all.
    """

    layer: str | None = None
    part: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Point:
    """A latent space and a position in it.

    Args:
        label: a word for tables: a number, or a path.
        space: images as a function of what is moved.
        position: `(space.dim,)`.
        code: the path, `(num_buckets,)`; None without one.
    """

    label: str
    space: LatentMap
    position: Tensor = field(repr=False)
    code: Tensor | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Points:
    """Positions that a metric is compared at.

    Args:
        points: at least one; their spaces have one dimension.
        what: what is moved, in words: "z", "Z under each path".
        where: how the positions were chosen, a sentence.
        measure: what the distance between two of them is, in words.
    """

    points: tuple[Point, ...]
    what: str
    where: str
    measure: str

    def distances(self) -> Tensor:
        """Between all pairs of positions: float64 `(n, n)`."""
        codes = [point.code for point in self.points if point.code is not None]
        if len(codes) == len(self.points):
            paths = torch.stack(codes)
            return (paths[:, None] != paths[None]).sum(dim=2).double()
        positions = torch.stack([point.position.double().cpu() for point in self.points])
        return torch.cdist(positions, positions, compute_mode="donot_use_mm_for_euclid_dist")


def choose_points(
    model: nn.Module,
    context: AnalysisContext,
    num_positions: int,
    place: Place | None = None,
    control: Control | None = None,
) -> Points:
    """Random positions of a model's latent.

    Of a standard generator: normal z. Of a converted one: `Z` under random paths, or under the context's paths; with one
    path, `Z` and normal vectors in its place under that path.

    Args:
        model: standard or converted.
        context: seed, paths and conditions.
        num_positions: how many; fewer where there are not so many paths.
        place: what is moved; None is the latent.
        control: changes the copies of the generator first; the positions stay the same.
    Raises:
        AnalysisError: no such layer or input, or a generator that does not allow it.
        PathError: no such path.
    """
    place = place or Place()
    chance = torch.Generator().manual_seed(context.seed)
    if isinstance(model, RandomPathGenerator):
        paths = _paths(model, context, num_positions, chance)
        if len(paths) > 1:
            return _under_paths(model, context, paths, place, control)
        return _under_one_path(model, context, paths[0], num_positions, place, control, chance)
    base = latent_of(model, context, alter=control(None) if control else None)
    positions = base.draw(num_positions, chance)
    points = [
        _placed(str(number), base, position, place, model, context, control)
        for number, position in enumerate(positions, 1)
    ]
    where = f"{num_positions} normal z, from seed {context.seed}"
    return Points(tuple(points), _what(points), where, "Euclidean distance of the positions")


def _under_paths(
    model: RandomPathGenerator, context: AnalysisContext, paths: Tensor, place: Place, control: Control | None
) -> Points:
    points = []
    for path in paths:
        base = latent_under_path(model, path, context, alter=control(path) if control else None)
        assert base.home is not None
        label = model.paths.format(path)
        points.append(_placed(label, base, base.home, place, model, context, control, path))
    chosen = "the paths named" if context.paths else f"random paths, from seed {context.seed}"
    named = f"the output of {place.layer} at Z" if place.layer else "Z"
    where = f"{len(paths)} positions: {named} under each of {len(paths)} {chosen}"
    return Points(tuple(points), f"{named} under each path", where, "buckets in which two paths differ")


def _under_one_path(
    model: RandomPathGenerator,
    context: AnalysisContext,
    path: Tensor,
    num_positions: int,
    place: Place,
    control: Control | None,
    chance: torch.Generator,
) -> Points:
    base = latent_under_path(model, path, context, alter=control(path) if control else None)
    assert base.home is not None
    positions = torch.cat([base.home[None], base.draw(num_positions - 1, chance)])
    labels = ["Z", *(str(number) for number in range(2, num_positions + 1))]
    points = [
        _placed(label, base, position, place, model, context, control, path, has_code=False)
        for label, position in zip(labels, positions, strict=True)
    ]
    where = (
        f"Z and {num_positions - 1} normal vectors in its place, from seed {context.seed}, under the path "
        f"{model.paths.format(path)}; the generator was trained at Z alone"
    )
    return Points(tuple(points), _what(points), where, "Euclidean distance of the positions")


def _placed(
    label: str,
    base: LatentMap,
    position: Tensor,
    place: Place,
    model: nn.Module,
    context: AnalysisContext,
    control: Control | None,
    path: Tensor | None = None,
    *,
    has_code: bool = True,
) -> Point:
    space, at = base, position
    if place.layer is not None:
        alter = control(path) if control else None
        space = at_layer(model, place.layer, context, z=position, path=path, alter=alter)
        assert space.home is not None
        at = space.home
    if place.part:
        space = part_of(space, place.part, at)
        assert space.home is not None
        at = space.home
    return Point(label, space, at, path if has_code else None)


def _paths(model: RandomPathGenerator, context: AnalysisContext, wanted: int, chance: torch.Generator) -> Tensor:
    """Different paths: those of the context, else random ones."""
    if context.paths:
        return torch.stack([torch.as_tensor(path) for path in dict.fromkeys(context.paths)])
    if model.paths.cardinality <= wanted:
        numbers = torch.arange(model.paths.cardinality)
        return torch.stack(torch.unravel_index(numbers, model.paths.num_blocks), dim=1)
    found: dict[tuple[int, ...], None] = {}
    while len(found) < wanted:
        found.update(dict.fromkeys(tuple(path) for path in model.paths.sample(wanted, generator=chance).tolist()))
    # In order, so that paths through one block of the first bucket stand side by side.
    return torch.tensor(sorted(list(found)[:wanted]))


def _what(points: Sequence[Point]) -> str:
    return points[0].space.name


def check_dimensions(points: Sequence[Point]) -> None:
    """Refuses positions of spaces that cannot be compared.

    Raises:
        AnalysisError: their dimensions differ.
    """
    dims = sorted({point.space.dim for point in points})
    if len(dims) > 1:
        raise AnalysisError(f"Metrics are compared in spaces of one dimension; these have {dims}.")
