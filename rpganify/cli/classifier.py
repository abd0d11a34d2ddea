"""`rpganify classifier`: a classifier trained on labelled images, for statements about classes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rpganify.cli.completion import names_of
from rpganify.cli.options import DeviceOption, ForceOption, JsonOption, SeedOption
from rpganify.entries import DataSetEntry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rpganify.analysis.classifier_training import ClassAccuracy
    from rpganify.data.images import ImageData
    from rpganify.registry import Registry


def classifier(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Labelled images: digits, mnist, cifar10[cat,dog], folder:DIR, …",
            autocompletion=names_of(DataSetEntry),
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Where it is kept, for --classifier (.safetensors).")
    ],
    data_root: Annotated[
        Path | None, typer.Option("--data-root", metavar="DIR", help="Where the data set's files are.")
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(
            "--test",
            metavar="DATA",
            help="Images to test on; the data's own test part if left out, or a tenth of the images, which are not learnt.",
            autocompletion=names_of(DataSetEntry),
        ),
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", min=8, metavar="PIXELS", help="Height and width; the data's if left out.")
    ] = None,
    for_model: Annotated[
        Path | None,
        typer.Option("--for", metavar="MODEL", help="Take the image shape of this model or run: no resizing later."),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            "--epochs",
            min=1,
            metavar="NUMBER",
            help="Passes over the images; 4 to 40 if left out, fewer the more images there are.",
            show_default=False,
        ),
    ] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="Show images mirrored as well: for photographs, not for digits.")
    ] = False,
    width: Annotated[
        int, typer.Option("--width", min=1, metavar="CHANNELS", help="Of the first layer; more for harder images.")
    ] = 32,
    seed: SeedOption = 0,
    force: ForceOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Train a classifier on labelled images.

    A small convolutional network, kept as data, for `--classifier FILE` of analyze, report and concepts. Says how well it
    recognises images that it has not seen, class by class.
    """
    if output.suffix != ".safetensors":
        raise typer.BadParameter(f"{output} must end in .safetensors.", param_hint="--output")
    if size is not None and for_model is not None:
        raise typer.BadParameter("--for takes the model's size; leave one of the two out.", param_hint="--size")

    from rpganify.analysis.classifier import save_classifier
    from rpganify.analysis.classifier_training import ClassifierConfig, count_right, hold_out, train_classifier
    from rpganify.cli.choosing import choose_device
    from rpganify.cli.console import say, show_json
    from rpganify.cli.files import check_is_free
    from rpganify.cli.models import open_on_disk
    from rpganify.cli.progress import ProgressTalk
    from rpganify.data.opening import open_data
    from rpganify.data.progress import progress_told
    from rpganify.memory import keep_freed_memory
    from rpganify.registry import default_registry

    check_is_free(output, is_forced=force)
    place = choose_device(device)
    if place.type == "cpu":
        keep_freed_memory()
    config = ClassifierConfig(seed=seed, num_epochs=epochs, is_mirrored=mirror, width=width)
    shape = open_on_disk(for_model).model.image_shape if for_model is not None else None
    registry = default_registry()
    kept = test or _test_part(data, registry)
    with ProgressTalk() as talk, progress_told(talk.update):
        learnt = _fitted(open_data(data, data_root, registry), shape, size)
        if kept is None:
            learnt, held = hold_out(learnt, seed)
            tested = f"{len(held):,} images of {held.name} held out"
        else:
            held = _fitted(open_data(kept, data_root, registry), shape or learnt.image_shape, None)
            tested = f"{len(held):,} images of {held.name}"
        network = train_classifier(
            learnt, config, device=place, progress=lambda done, total: talk.update("images shown", done, total)
        )
        found = count_right(network, held)
    share = sum(one.num_right for one in found) / sum(one.num_images for one in found)
    network.told = {**network.told, "tested on": tested, "held-out accuracy": round(share, 6)}
    output.parent.mkdir(parents=True, exist_ok=True)
    save_classifier(network, output)
    if as_json:
        show_json(
            {
                "file": str(output),
                "image shape": list(network.image_shape),
                **network.told,
                "classes": [
                    {"name": one.name, "images": one.num_images, "accuracy": one.num_right / one.num_images}
                    for one in found
                ],
            }
        )
    else:
        _show(found, network.class_names)
    say(f"{100 * share:.2f} % right on {tested}")
    say(f"wrote {output}")
    say(f"next: rpganify concepts MODEL --classifier {output}")


def _test_part(data: str, registry: Registry) -> str | None:
    """The part of the same set that is kept for tests, with the same choice of labels; None if none is known."""
    from rpganify.data.opening import parse_spec

    name, argument, labels = parse_spec(data)
    if argument is not None:
        return None
    part = registry.get(DataSetEntry, name).held_out
    return part and f"{name}:{part}" + (f"[{labels}]" if labels else "")


def _fitted(data: ImageData, shape: tuple[int, ...] | None, size: int | None) -> ImageData:
    """The images in the shape that was asked for, or in their own; says what was done to them."""
    from rpganify.cli.console import say
    from rpganify.data.opening import fit_to

    wanted = shape or (data.image_shape if size is None else (data.image_shape[0], size, size))
    fitted, done = fit_to(data, wanted)
    if done:
        say(f"data: {done}")
    return fitted


def _show(found: Sequence[ClassAccuracy], names: Sequence[str]) -> None:
    from rpganify.cli.console import show_table

    known = {one.name: one for one in found}
    rows = []
    for name in names:
        one = known.get(name)
        rows.append(
            [
                name,
                f"{one.num_images:,}" if one else "0",
                f"{100 * one.num_right / one.num_images:.2f} %" if one else "–",
            ]
        )
    num_images, num_right = sum(one.num_images for one in found), sum(one.num_right for one in found)
    footer = ["all", f"{num_images:,}", f"{100 * num_right / num_images:.2f} %"]
    show_table([("class", "left"), ("images", "right"), ("right", "right")], rows, footer)
