"""What was found, in sentences that follow from the numbers."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rpganify.analysis.controls.found import OPTIMISED, SEQUENTIAL, Controls
from rpganify.analysis.controls.growth import image_growth, pairs_of_sets, point_for
from rpganify.analysis.controls.scoring import share


def summary(measured: Controls, twin: Controls | None) -> str:
    """The finding in a few sentences."""
    sentences = [_of_way(measured, way) for way in (SEQUENTIAL, OPTIMISED) if measured.of_method(way)]
    alone = _alone(measured)
    sentences += [alone] if alone else []
    if twin is not None:
        sentences.append(f"The standard twin: {_of_way(twin, SEQUENTIAL)[0].lower()}{_of_way(twin, SEQUENTIAL)[1:]}")
        alone = _alone(twin)
        sentences += [f"There, {alone[0].lower()}{alone[1:]}"] if alone else []
        sentences += _equal(measured, twin)
    return " ".join(sentences)


def bucket_sentences(measured: Controls, names: Sequence[str]) -> tuple[str, ...]:
    """For each bucket of a converted model, which classes it raises most by itself, and of how many sets it is part."""
    first: dict[int, list[str]] = {bucket: [] for bucket in range(len(names))}
    parts: dict[int, int] = dict.fromkeys(range(len(names)), 0)
    for one in measured.sets:
        control = one.control
        for choice in control.choices:
            parts[choice.coordinate] += 1
        if control.raising:
            (choice,) = control.raising[0]
            first[choice.coordinate].append(f"{control.concept} (block {int(choice.value)})")
    said = []
    num_sets = sum(bool(one.size) for one in measured.sets)
    for bucket in range(len(names)):
        raised = first[bucket]
        most = (
            f"holds the block that alone raises {_listed(raised)} most" if raised else "raises no class most by itself"
        )
        said.append(
            f"Bucket {bucket + 1} ({names[bucket]}) {most}, and is part of {parts[bucket]} of {num_sets} controlling sets."
        )
    return tuple(said)


def _of_way(measured: Controls, way: str) -> str:
    sets = [one for one in measured.of_method(way) if one.outcome.success is not None]
    if not sets:
        return "All images are of one class already."
    sizes = sorted(one.size for one in sets)
    reached = [one.outcome.success.value for one in sets if one.outcome.success is not None]
    random = [one.random.value for one in sets if one.random is not None]
    unit = "dimensions" if measured.is_latent else "blocks"
    does = {SEQUENTIAL: "set to a value" if measured.is_latent else "put into any path", OPTIMISED: "shifted together"}[
        way
    ]
    span = f"{sizes[0]}" if sizes[0] == sizes[-1] else f"{sizes[0]} to {sizes[-1]}"
    beside = f", where random sets of that size do so for {100 * sum(random) / len(random):.0f} %" if random else ""
    varied = [one.variety for one in sets if one.variety is not None]
    base = measured.base_ordinary
    beside_base = f" ({100 * base:.0f} % without)" if base is not None else ""
    ordinary = [one.ordinary for one in sets if one.ordinary is not None]
    left = []
    if varied:
        left.append(f"{100 * sum(varied) / len(varied):.0f} % as varied as those of the class by themselves")
    if ordinary:
        left.append(f"{100 * sum(ordinary) / len(ordinary):.0f} % of them ordinary{beside_base}")
    under = f" The images under them are {', and '.join(left)}." if left else ""
    return (
        f"{span} {unit} {does} bring {100 * sum(reached) / len(reached):.0f} % of the images of other classes to the wanted "
        f"one (mean of {len(sets)} classes; the worst {100 * min(reached):.0f} %){beside}.{under}"
    )


def _alone(measured: Controls) -> str:
    growth = image_growth(measured, torch.Generator().manual_seed(0))
    if not growth.success or growth.success[0] is None:
        return ""
    unit = "dimension" if measured.is_latent else "block"
    text = f"One changed {unit}, chosen for the image, is enough for {100 * growth.success[0].value:.0f} %"
    enough = [
        (size, one.value)
        for size, one in zip(growth.sizes, growth.success, strict=True)
        if size > 1 and one is not None and one.value >= 0.95
    ]
    last = growth.success[-1]
    if enough:
        text += f", {enough[0][0]} for {100 * enough[0][1]:.0f} %"
    elif last is not None and len(growth.sizes) > 1:
        text += f", {growth.sizes[-1]} for {100 * last.value:.0f} %"
    return f"{text} of images and other classes."


def _equal(measured: Controls, twin: Controls) -> list[str]:
    """How many of the twin's dimensions bring as many images to a class as one block does, as two do, and so on."""
    said = []
    pairs = pairs_of_sets(measured, twin)
    for size in sorted({point.size for one, _ in pairs for point in one.curve}):
        rates = [(share(point.reached), other) for one, other in pairs for point in one.curve if point.size == size]
        found = [(point_for(other, rate), other) for rate, other in rates if rate is not None]
        sizes = sorted(point.size for point, _ in found if point is not None)
        never = sum(point is None for point, _ in found)
        blocks, is_ = (f"{size} blocks", "are") if size > 1 else ("1 block", "is")
        if len(sizes) > never:
            span = f"{sizes[0]}" if sizes[0] == sizes[-1] else f"{sizes[0]} to {sizes[-1]}"
            beyond = f" (for {never} of {len(found)} classes no set does)" if never else ""
            said.append(f"{blocks} {is_} worth {span} dimensions{beyond}")
        elif found:
            said.append(f"{blocks} {is_} worth more than the twin's sets for {never} of {len(found)} classes")
    return [f"For one set for all images, {', '.join(said)}."] if said else []


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
