"""Choosing images by label: the brackets of `mnist[0-6]` and `cifar10[cat,dog]`."""

from __future__ import annotations

import re

import torch

from rpganify.data.images import ImageData, MemoryImages, SelectedImages
from rpganify.errors import DataError, closest

_RANGE = re.compile(r"(\d+)-(\d+)")


def select_labels(data: ImageData, text: str) -> ImageData:
    """The images whose label the text names, in their order; labels keep their numbers.

    Args:
        data: a set with labels.
        text: what stands in the brackets: class names, label numbers and ranges of numbers, joined by commas. A name
            wins over a number.
    Raises:
        DataError: the set has no labels, the text names a class that is not there, or no image is left.
    """
    labels = data.labels
    if labels is None:
        raise DataError(f"{data.name} has no labels, so [{text}] cannot choose among them; write it without brackets.")
    chosen = parse_labels(text, data.class_names, data.name)
    indices = torch.isin(labels, torch.tensor(chosen)).nonzero().flatten()
    if len(indices) == 0:
        named = ", ".join(data.class_names[label] for label in chosen)
        raise DataError(f"None of the {len(data):,} images of {data.name} is of class {named}; choose other classes.")
    name = f"{data.name}[{text}]"
    if isinstance(data, MemoryImages):
        return MemoryImages(name, data.pixels[indices], labels[indices], data.class_names, data.note)
    return SelectedImages(data, indices, name)


def select_same_labels(selected: SelectedImages, base: ImageData) -> SelectedImages:
    """The selection by label of one form of a data set, made again on another form of it.

    Args:
        selected: made by `select_labels`.
        base: the same data in another form, which may hold more or fewer samples of each label.
    """
    assert selected.labels is not None and base.labels is not None
    indices = torch.isin(base.labels, selected.labels.unique()).nonzero().flatten()
    return SelectedImages(base, indices, selected.name)


def parse_labels(text: str, class_names: tuple[str, ...], name: str) -> tuple[int, ...]:
    """The label numbers that the text names, ascending, each once.

    Args:
        text: e.g. `0-6`, `1,3,7` or `cat,dog`.
        class_names: one per label.
        name: the data set, for messages.
    Raises:
        DataError: nothing between two commas, a class that is not there, or a range that runs backwards.
    """
    chosen: set[int] = set()
    for item in (part.strip() for part in text.split(",")):
        if item in class_names:
            chosen.add(class_names.index(item))
            continue
        match = _RANGE.fullmatch(item)
        if match is None:
            chosen.add(_number(item, class_names, name))
            continue
        first, last = (_number(bound, class_names, name) for bound in match.groups())
        if first > last:
            raise DataError(f"The range {item} of {name}[{text}] runs backwards; write {last}-{first}.")
        chosen.update(range(first, last + 1))
    return tuple(sorted(chosen))


def _number(item: str, class_names: tuple[str, ...], name: str) -> int:
    if item.isdecimal() and int(item) < len(class_names):
        return int(item)
    shown = ", ".join(class_names[:20]) + (", …" if len(class_names) > 20 else "")
    raise DataError(
        f"{name} has no class {item!r}.{closest(item, class_names)} Its labels are 0 to {len(class_names) - 1}, "
        f"called {shown}."
    )
