"""The laws of a feature extractor."""

from __future__ import annotations

import json
from collections.abc import Sequence

import torch
from torch import Tensor

from rpganify.analysis.features import FeatureExtractor
from rpganify.data.images import to_float
from rpganify.testing.examples import pictures
from rpganify.testing.laws import is_finite, name_of, require, require_close, shown, working
from rpganify.testing.watching import untouched_randomness, untouched_tensors

_TOLERANCE = 1e-4  # of float32 sums in another order


def check_extractor(
    extractor: FeatureExtractor, *, image_shapes: Sequence[tuple[int, int, int]] = ((1, 28, 28), (3, 32, 32))
) -> None:
    """An extractor turns each image into a row of numbers, by itself and always the same.

    Its laws, for each image shape:

    - `name`, `is_papers`, `provenance` and `adaptation` say in words and JSON what a report tells of it;
    - features of images `(N, C, H, W)` in [-1, 1] are finite floats `(N, D)` on the CPU, one image or several;
    - different pictures have different features, and a batch's are those of its images one by one;
    - they are the same each time; nothing is drawn, and the images stay as they are.

    Args:
        extractor: any object with the members of `rpganify.analysis.features.FeatureExtractor`.
        image_shapes: `(C, H, W)` of the pictures it is tried on; heights and widths are multiples of 4.
    Raises:
        BrokenLaw: a law does not hold.

    Example:
        check_extractor(PixelFeatures())
    """
    name = name_of(extractor)
    _check_words(name, extractor)
    for channels, height, width in image_shapes:
        images = to_float(pictures(4, channels, max(height, width)))[:, :, :height, :width].contiguous()
        _check_features(name, extractor, images)


def _check_words(name: str, extractor: FeatureExtractor) -> None:
    require(
        isinstance(getattr(extractor, "name", None), str) and bool(extractor.name),
        f"{name}.name",
        expected="what a report calls it, a text",
        found=repr(getattr(extractor, "name", None)),
        repair="Every number made with it carries the name; put the weight file's into it.",
    )
    require(
        isinstance(getattr(extractor, "is_papers", None), bool),
        f"{name}.is_papers",
        expected="True or False",
        found=repr(getattr(extractor, "is_papers", None)),
        repair="It is True for the InceptionV3 of published FID values only; write `is_papers = False`.",
    )
    with working(
        f"{name}.provenance", expected="data that JSON can hold", repair="Give texts, numbers, lists and dicts."
    ):
        json.dumps(dict(extractor.provenance), allow_nan=False)
    adaptation = extractor.adaptation((3, 32, 32))
    require(
        isinstance(adaptation, str),
        f"{name}.adaptation",
        expected='words on what is done to images first, "" if nothing',
        found=repr(adaptation),
        repair='Return "" or a phrase such as "resized to 299×299".',
    )


def _check_features(name: str, extractor: FeatureExtractor, images: Tensor) -> None:
    subject = f"{name} on images of {'×'.join(map(str, images.shape[1:]))}"
    with (
        working(subject, expected="features", repair="It is called with float images (N, C, H, W), C 1 or 3."),
        untouched_tensors(subject, {"images": images}, repair="Work on a copy."),
        untouched_randomness(subject, repair="Put the network into eval mode, and draw nothing."),
    ):
        features = extractor(images)
    again, alone = extractor(images), [extractor(image[None]) for image in images]
    require(
        isinstance(features, Tensor)
        and features.dim() == 2
        and len(features) == len(images)
        and features.is_floating_point()
        and features.device.type == "cpu",
        subject,
        expected=f"floats ({len(images)}, D) on the CPU",
        found=f"{shown(features)} on {features.device}" if isinstance(features, Tensor) else shown(features),
        repair="Flatten what the network gives: `features.flatten(1).float().cpu()`.",
    )
    require(is_finite(features), subject, expected="finite features", found="NaN or infinity", repair="Normalise less.")
    require(
        not features.requires_grad,
        subject,
        expected="features without a gradient graph, which would hold the network's activations",
        found="features that require gradients",
        repair="Compute them inside `with torch.no_grad():`.",
    )
    require(
        torch.equal(features, again),
        subject,
        expected="the same features of the same images",
        found="others when asked again",
        repair="Put the network into eval mode, and draw nothing.",
    )
    require(
        float((features[0] - features[1]).abs().max()) > 0,
        subject,
        expected="a black and a white picture to have different features",
        found="equal ones",
        repair="Look at how images are prepared: they come in [-1, 1].",
    )
    require_close(
        subject,
        features,
        torch.cat(alone),
        expected="a batch's features to be those of its images one by one",
        tolerance=_TOLERANCE,
        repair="Put batch norm into eval mode, and normalise each image by itself.",
    )
