"""The laws of an image distance."""

from __future__ import annotations

import torch
from torch import Tensor

from rpganify.analysis.distances import PairDistance
from rpganify.testing.examples import pictures
from rpganify.testing.laws import is_finite, name_of, require, require_close, shown, working
from rpganify.testing.watching import untouched_randomness, untouched_tensors

_TOLERANCE = 1e-5  # features are float32, and a network may sum a larger batch in another order


def check_distance(distance: PairDistance, *, num_channels: int = 3, size: int = 32) -> None:
    """A distance is one for each pair of images, whatever else is measured with them.

    Its laws, on pictures of which one is black, one white and two alike:

    - `key`, `title` and `parts` are texts, the first of them not empty;
    - `pairs(describe(images))` of G groups of k images is float64 `(G, k, k, len(parts))`, finite and not negative;
    - it is 0 between equal images and the same in both directions; some two different images are apart;
    - a pair's distance does not depend on the rest of its group, nor on the other groups, nor on what was described
      in one call;
    - it is the same each time, draws nothing, and leaves the images as they are.

    Args:
        distance: any object with the members of `rpganify.analysis.distances.PairDistance`.
        num_channels: of the pictures it is tried on, 1 (grey) or 3.
        size: height and width of these, a multiple of 4.
    Raises:
        BrokenLaw: a law does not hold.

    Example:
        check_distance(ColourDistance(num_channels=3))
    """
    name = name_of(distance)
    _check_words(name, distance)
    images = pictures(6, num_channels, size)
    images[4] = images[3]  # equal images in one group
    with (
        working(
            name,
            expected="distances of two groups of three images",
            repair="`describe` takes uint8 (N, C, H, W), `pairs` what it gave, as (G, k, …).",
        ),
        untouched_tensors(f"{name}.describe", {"images": images}, repair="Work on a copy: `images.float()` makes one."),
        untouched_randomness(name, repair="A distance draws nothing at random."),
    ):
        described = distance.describe(images)
        found = distance.pairs(_grouped(described, 3))
    again = distance.pairs(_grouped(distance.describe(images), 3))
    expected = (2, 3, 3, len(distance.parts))
    require(
        isinstance(found, Tensor) and found.dtype == torch.float64 and found.shape == expected,
        f"{name}.pairs",
        expected=f"float64 {expected} for 2 groups of 3 images and the parts {distance.parts}",
        found=shown(found),
        repair="Compute in float64, one number per pair and part: (G, k, k, len(parts)).",
    )
    require(
        torch.equal(found, again) or not is_finite(found),
        name,
        expected="the same images to have the same distances each time",
        found="others when asked again",
        repair="Put a network into eval mode, and draw nothing.",
    )
    _check_metric(name, distance, found, _grouped(described, 6))
    _check_grouping(name, distance, images, found)


def _check_words(name: str, distance: PairDistance) -> None:
    for member in ("key", "title"):
        word = getattr(distance, member, None)
        require(
            isinstance(word, str) and bool(word),
            f"{name}.{member}",
            expected="a text",
            found=repr(word),
            repair="`key` is a word for columns, `title` a phrase for figures.",
        )
    parts = getattr(distance, "parts", None)
    require(
        isinstance(parts, tuple) and bool(parts) and all(isinstance(part, str) and part for part in parts),
        f"{name}.parts",
        expected="the names of its last axis, a tuple of texts, the distance itself first",
        found=repr(parts),
        repair="A distance without parts has one: `parts = (key,)`.",
    )


def _check_metric(name: str, distance: PairDistance, found: Tensor, described: Tensor) -> None:
    whole = distance.pairs(described)[0]  # (6, 6, P): images 3 and 4 are equal
    require(
        is_finite(whole) and is_finite(found),
        f"{name}.pairs",
        expected="finite distances",
        found="NaN or infinity",
        repair="Look for a division by zero, or a root of something negative, between equal or black images.",
    )
    require(
        bool((whole >= 0).all()),
        f"{name}.pairs",
        expected="distances from 0 on",
        found=f"{float(whole.min()):.3g}",
        repair="Take the absolute value or the root of squares; a similarity is no distance.",
    )
    scale = float(whole[..., 0].max())
    require(
        scale > 0,
        f"{name}.pairs",
        expected="some two different pictures, a black and a white one among them, to be apart",
        found="0 for all",
        repair="Look at what `describe` keeps of an image.",
    )
    same = max(float(whole.diagonal().abs().max()), float(whole[3, 4].max()))
    require(
        same <= _TOLERANCE * scale,
        f"{name}.pairs",
        expected="0 between equal images",
        found=f"{same:.3g}, where others are up to {scale:.3g} apart",
        repair="Subtract before squaring: ‖x - y‖, not ‖x‖² + ‖y‖² - 2xy, which rounds to something else than 0.",
    )
    require_close(
        f"{name}.pairs",
        whole,
        whole.transpose(0, 1),
        expected="the same distance in both directions",
        tolerance=_TOLERANCE,
        repair="Average both directions, or take something symmetric.",
    )


def _check_grouping(name: str, distance: PairDistance, images: Tensor, found: Tensor) -> None:
    groups = [distance.pairs(_grouped(distance.describe(images[start : start + 3]), 3))[0] for start in (0, 3)]
    require_close(
        name,
        found,
        torch.stack(groups),
        expected="a group's distances not to depend on the other groups",
        tolerance=_TOLERANCE,
        repair="Describe each image by itself, and compare within the groups of the first axis only.",
    )
    pair = distance.pairs(_grouped(distance.describe(images[[0, 2]]), 2))[0]
    require_close(
        name,
        found[0][[0, 2]][:, [0, 2]],
        pair,
        expected="the distance of two images not to depend on the others of their group",
        tolerance=_TOLERANCE,
        repair="Normalise by constants, not by a mean or maximum over the group.",
    )


def _grouped(described: Tensor, size: int) -> Tensor:
    """Descriptions `(N, …)` as groups of that many, `(N / size, size, …)`."""
    return described.view(-1, size, *described.shape[1:])
