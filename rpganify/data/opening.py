"""From what the user wrote (`mnist:test[0-6]`) to images that fit the generator."""

from __future__ import annotations

from pathlib import Path

from rpganify.data.fitting import FittedImages, kept_size
from rpganify.data.images import FitsItself, ImageData, SelectedImages, to_float
from rpganify.data.keeping import keep_in_memory
from rpganify.data.labels import select_labels, select_same_labels
from rpganify.data.streamed import StreamedImages
from rpganify.entries import DataSetEntry
from rpganify.errors import DataError
from rpganify.registry import Registry

__all__ = ["fit_to", "open_data", "parse_spec", "to_float"]


def open_data(spec: str, root: Path | None, registry: Registry) -> ImageData:
    """The data set that a text names.

    Args:
        spec: `NAME`, `NAME:ARGUMENT`, `NAME[LABELS]` or `NAME:ARGUMENT[LABELS]`; e.g. `digits`, `mnist:test`,
            `mnist[0-6]`, `cifar10[cat,dog]`, `folder:DIR`.
        root: the folder that holds the files; None for sets that need none.
        registry: knows the names.
    Raises:
        DataError: the text has another form, files are missing or damaged, or no image is left.
        RegistryError: no data set has that name.
    """
    name, argument, labels = parse_spec(spec, root)
    entry = registry.get(DataSetEntry, name)
    data = registry.make(entry, root=root, argument=argument)
    if not isinstance(data, ImageData):
        raise DataError(
            f"The data set {name!r} of the plugin {registry.provider(entry)} gave a {type(data).__name__}; its factory "
            "returns a rpganify.data.images.ImageData, such as MemoryImages."
        )
    if len(data) == 0:
        raise DataError(f"{spec} holds no image.")
    return data if labels is None else select_labels(data, labels)


def parse_spec(spec: str, root: Path | None = None) -> tuple[str, str | None, str | None]:
    """Name, argument and labels of a text such as `mnist:test[0-6]`; None for what it leaves out.

    Brackets at the end of an existing path, relative to `root`, belong to the path.

    Raises:
        DataError: no name, nothing behind a colon, or brackets that are empty, open or not at the end.
    """
    name, colon, argument = spec.strip().partition(":")
    labels: str | None = None
    is_path = bool(argument) and ((root or Path()) / argument).exists()
    holder = argument if colon else name
    if holder.endswith("]") and "[" in holder and not is_path:
        holder, _, labels = holder[:-1].rpartition("[")
        name, argument = (name, holder) if colon else (holder, argument)
    if (colon and not argument) or (labels is not None and not labels.strip()):
        raise DataError(f"{spec!r} stops short: something belongs behind the colon and into the brackets.")
    if not name or set(name) & set("[]"):
        raise DataError(
            f"{spec!r} is no data set: write NAME, NAME:ARGUMENT, NAME[LABELS] or NAME:ARGUMENT[LABELS], "
            "such as mnist:test[0-6]."
        )
    return name, argument or None, labels


def fit_to(data: ImageData, image_shape: tuple[int, ...], *, to_grey: bool = False) -> tuple[ImageData, str]:
    """The data set in the generator's image shape, and what was done to it for the user to read.

    Images: another aspect is cropped around the centre, another size resized (bilinear, antialiased), grey repeated to
    RGB. What is no image has to have the shape already, unless the data set knows how to bring itself to it
    (`FitsItself`).

    Args:
        data: any data set; it stays as it is.
        image_shape: of the generator's output, `(C, H, W)` for images.
        to_grey: allow RGB to become grey, weighted by luma.
    Returns:
        Samples of that shape, decoded in memory where they fit (`keep_in_memory`); and sentences that include the set's own
        `note`, "" if nothing was done.
    Raises:
        DataError: the channels do not fit, or there is no way from one shape to the other.
    """
    if tuple(data.image_shape) == tuple(image_shape):
        return keep_in_memory(data), data.note
    if isinstance(data, FitsItself):
        return data.fitted(tuple(image_shape))
    if isinstance(data, SelectedImages) and isinstance(data.base, FitsItself):
        base, said = data.base.fitted(tuple(image_shape))
        return select_same_labels(data, base), said
    if len(image_shape) != 3 or min(image_shape) < 1 or len(data.image_shape) != 3:
        raise DataError(
            f"{data.name} holds samples of shape {_shape(data.image_shape)}, the generator makes {_shape(image_shape)}, and "
            "only images (C, H, W) are resized. Take data of the generator's shape, or build a generator for the data's."
        )
    channels, height, width = image_shape
    old_channels, old_height, old_width = data.image_shape
    _check_channels(data, channels, to_grey)
    done = _described((old_channels, old_height, old_width), (channels, height, width))
    said = f"{data.note} {data.name}: {done}.".strip()
    return keep_in_memory(_fitted(data, (channels, height, width))), said


def _fitted(data: ImageData, image_shape: tuple[int, int, int]) -> ImageData:
    """Images that are brought to a shape when drawn; those in files straight from the size that they have there."""
    if isinstance(data, StreamedImages):
        return data.resized(image_shape)
    if isinstance(data, SelectedImages) and isinstance(data.base, StreamedImages):
        return SelectedImages(data.base.resized(image_shape), data.indices, data.name)
    return FittedImages(data, image_shape)


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(str(size) for size in shape) or "()"


def _check_channels(data: ImageData, channels: int, to_grey: bool) -> None:
    found = data.image_shape[0]
    if found == channels or (found, channels) == (1, 3) or ((found, channels) == (3, 1) and to_grey):
        return
    kinds = {1: "grey (1 channel)", 3: "RGB (3 channels)"}
    have, want = kinds.get(found, f"of {found} channels"), kinds.get(channels, f"of {channels} channels")
    message = f"Image channels do not fit: {data.name} is {have}, the generator makes images that are {want}. "
    if (found, channels) == (3, 1):
        message += "Dropping the colours is not done unasked. "
    raise DataError(
        f"{message}Build the generator with {found} output channel{'s' * (found != 1)} (for the built-in ones "
        f"`--arg image_channels={found}`), or take a data set that is {want}"
        f"{', or call fit_to(…, to_grey=True)' if (found, channels) == (3, 1) else ''}."
    )


def _described(old: tuple[int, int, int], new: tuple[int, int, int]) -> str:
    """What brings images of one shape to another, as a phrase; "" if they are equal."""
    steps = []
    kept = kept_size(*old[1:], *new[1:])
    if kept != old[1:]:
        steps.append(f"cropped around the centre from {old[1]}x{old[2]} to {kept[0]}x{kept[1]}")
    if kept != new[1:]:
        steps.append(f"resized from {kept[0]}x{kept[1]} to {new[1]}x{new[2]} (bilinear, antialiased)")
    if old[0] != new[0]:
        steps.append("grey repeated to RGB" if new[0] == 3 else "RGB made grey by luma")
    return ", ".join(steps)
