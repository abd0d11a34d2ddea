"""The laws of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rpganify.data.images import ImageData, to_float
from rpganify.entries import Factory
from rpganify.errors import DataError
from rpganify.registry import resolve
from rpganify.testing.laws import BrokenLaw, Unavailable, name_of, require, shown, working
from rpganify.training.randomness import seeded_globals
from rpganify.training.reading.order import DataOrder

_NUM_IMAGES = 64


def check_dataset(factory: Factory, *, root: Path | None = None, argument: str | None = None) -> None:
    """A data set hands out 8-bit images by index, the same ones each time.

    Its laws:

    - it has the members of `rpganify.data.images.ImageData`, at least one image, and a name;
    - `images(indices)` gives `(B, *image_shape)` on the CPU, for indices in any order and repeated, and each image is
      what it is alone;
    - pictures `(C, H, W)` are uint8 from 0 to 255, not to 1; what is no picture is uint8, int16 or float32 in [-1, 1];
    - labels, if there are any, are int64 `(len,)` in [0, num_classes), with one class name each;
    - the same index gives the same image: when asked again, under another global seed, after somebody wrote into the
      images that were handed out, and in a data set that is opened anew;
    - a whole epoch in a training's order can be drawn.

    Args:
        factory: as in `DataSetEntry`: a callable or `"package.module:attribute"`.
        root: the folder of its files, what `--data-root` names.
        argument: what follows the colon in `folder:DIR`.
    Raises:
        BrokenLaw: a law does not hold.
        Unavailable: its files are not here, as its own DataError says.

    Example:
        check_dataset(open_birds, root=tmp_path)
    """
    name = name_of(factory)
    data, again = (_opened(name, factory, root, argument) for _ in range(2))
    _check_description(name, data)
    _check_labels(name, data)
    indices = _some_indices(len(data))
    _check_images(name, data, indices)
    _check_sameness(name, data, again, indices)
    _check_epoch(name, data)


def _opened(name: str, factory: Factory, root: Path | None, argument: str | None) -> ImageData:
    call = resolve(factory)
    repair = "The factory is called as factory(root=Path or None, argument=str or None); missing files are a DataError."
    with working(name, expected="a data set", repair=repair):
        try:
            data = call(root=root, argument=argument)
        except DataError as error:
            raise Unavailable(f"{name} cannot be checked here: {error}") from error
    if not isinstance(data, ImageData):
        missing = [m for m in _members() if not hasattr(data, m)]
        raise BrokenLaw(
            f"{name}: expected a rpganify.data.images.ImageData; got {shown(data)} without {', '.join(missing)}. "
            "Add what is missing, or return MemoryImages(name, pixels)."
        )
    return data


def _members() -> list[str]:
    return ["name", "image_shape", "class_names", "num_classes", "labels", "note", "__len__", "images"]


def _check_description(name: str, data: ImageData) -> None:
    require(
        isinstance(data.name, str) and bool(data.name),
        f"{name}.name",
        expected="what the user would type, a text",
        found=repr(data.name),
        repair="A run's record holds it.",
    )
    require(
        isinstance(data.note, str),
        f"{name}.note",
        expected='sentences on what was done to the images, "" if nothing',
        found=repr(data.note),
        repair='Give "".',
    )
    require(len(data) > 0, name, expected="at least one image", found="none", repair="Refuse an empty one: DataError.")
    shape: Any = data.image_shape
    require(
        isinstance(shape, tuple) and len(shape) >= 2 and all(type(size) is int and size > 0 for size in shape),
        f"{name}.image_shape",
        expected="the shape of one image, (C, H, W), a tuple of whole numbers from 1 on",
        found=repr(shape),
        repair="Channels come first, and there is no batch axis.",
    )


def _check_labels(name: str, data: ImageData) -> None:
    subject, labels, num_classes = f"{name}.labels", data.labels, data.num_classes
    if labels is None:
        require(
            num_classes is None and data.class_names == (),
            subject,
            expected="without labels num_classes None and class_names ()",
            found=f"{num_classes} and {data.class_names!r}",
            repair="Give the labels, or leave out the classes.",
        )
        return
    require(
        isinstance(labels, Tensor) and labels.dtype == torch.int64 and labels.shape == (len(data),),
        subject,
        expected=f"one class number per image, int64 ({len(data)},)",
        found=shown(labels),
        repair="Convert them: `labels.long().flatten()`.",
    )
    require(
        len(data.class_names) == num_classes,
        f"{name}.class_names",
        expected=f"one name for each of the {num_classes} classes of num_classes",
        found=f"{len(data.class_names)} names",
        repair='Name every class, label 0 first; `--data NAME[cat,dog]` selects by them, and "0", "1", … will do.',
    )
    low, high = int(labels.min()), int(labels.max())
    require(
        num_classes is not None and 0 <= low <= high < num_classes,
        subject,
        expected=f"class numbers from 0 to {(num_classes or 0) - 1}",
        found=f"numbers from {low} to {high}",
        repair="Count classes from 0.",
    )


def _check_images(name: str, data: ImageData, indices: Tensor) -> None:
    subject, shape = f"{name}.images", tuple(data.image_shape)
    repair = "It is called with int64 indices (B,) in [0, len), in any order, some of them twice."
    with working(subject, expected=f"images at {len(indices)} indices", repair=repair):
        batch = data.images(indices)
    types = (torch.uint8,) if len(shape) == 3 else (torch.uint8, torch.int16, torch.float32)
    require(
        isinstance(batch, Tensor) and batch.dtype in types and batch.shape == (len(indices), *shape),
        subject,
        expected=f"{' or '.join(map(_type_name, types))} {(len(indices), *shape)} for {len(indices)} indices",
        found=shown(batch),
        repair="Pictures are 8-bit pixels, channels first; `to_float` brings them to [-1, 1].",
    )
    require(
        batch.device.type == "cpu",
        subject,
        expected="images on the CPU",
        found=f"images on {batch.device}",
        repair="Leave the move to the trainer.",
    )
    _check_range(subject, batch)
    for place, index in enumerate(indices[:8].tolist()):
        alone = data.images(torch.tensor([index]))
        require(
            torch.equal(alone[0], batch[place]),
            subject,
            expected=f"image {index} to be the same alone as in a batch",
            found="another one",
            repair="Take the images in the order of the indices.",
        )


def _check_range(subject: str, batch: Tensor) -> None:
    largest = float(batch.abs().max() if batch.dtype != torch.uint8 else batch.max())
    full = {torch.uint8: "0 (black) to 255 (white)", torch.int16: "-32768 to 32767", torch.float32: "-1 to 1"}[
        batch.dtype
    ]
    require(
        largest <= 1 if batch.dtype == torch.float32 else largest > 1,
        subject,
        expected=f"{_type_name(batch.dtype)} values from {full}",
        found=f"{largest:.4g} as the largest in {len(batch)} images",
        repair="Bring them to that range before they become that type; `to_float` makes [-1, 1] of it.",
    )


def _check_sameness(name: str, data: ImageData, again: ImageData, indices: Tensor) -> None:
    subject = f"{name}.images"
    draws_nothing = "A data set draws nothing at random; an image and its label are one for all."
    with seeded_globals(1):
        first = data.images(indices).clone()
    with seeded_globals(2):
        second = data.images(indices)
    require(
        torch.equal(second, first),
        subject,
        expected="the same indices to give the same images each time",
        found="others when asked again",
        repair=draws_nothing,
    )
    data.images(indices).zero_()
    require(
        torch.equal(data.images(indices), first),
        subject,
        expected="images of their own, which may be written into",
        found="that writing into them changed the data set",
        repair="Hand out a copy: indexing by a tensor makes one, `.clone()` does.",
    )
    require(
        len(again) == len(data) and torch.equal(again.images(indices), first),
        subject,
        expected="the same images in a data set that is opened again",
        found=f"{len(again)} images, others among them",
        repair=f"{draws_nothing} Sort what a folder or a dict lists.",
    )
    labels, others = data.labels, again.labels
    require(
        labels is None or (others is not None and torch.equal(labels, others)),
        f"{name}.labels",
        expected="the same labels in a data set that is opened again",
        found="others",
        repair=f"{draws_nothing} Number classes in a fixed order.",
    )


def _check_epoch(name: str, data: ImageData) -> None:
    order = DataOrder(len(data), 0)
    for position in (0, max(0, len(data) - 2)):  # the second crosses into the next epoch
        real = to_float(data.images(order.indices(position, 4)))
        require(
            real.shape == (4, *data.image_shape) and -1 <= float(real.min()) <= float(real.max()) <= 1,
            f"{name}.images",
            expected=f"a training's batch, (4, {', '.join(map(str, data.image_shape))}) in [-1, 1]",
            found=shown(real),
            repair="`len(data)` is the number of images that `images` knows, and indices go up to it.",
        )


def _some_indices(count: int) -> Tensor:
    """First, last and others in no order, some twice: int64 `(<= 64,)`."""
    shuffled = torch.randperm(count, generator=torch.Generator().manual_seed(0))[: _NUM_IMAGES - 4]
    return torch.cat([shuffled, torch.tensor([count - 1, 0, 0]), shuffled[:1]])


def _type_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
