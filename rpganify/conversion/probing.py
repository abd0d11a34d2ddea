"""Finds out by trying what a generator takes: its latent, the latent's shape, its labels."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rpganify.conversion.copying import copy_generator
from rpganify.conversion.inputs import (
    Example,
    call_forward,
    forward_parameters,
    is_label_name,
    is_latent_name,
    make_example,
    no_tensor,
)
from rpganify.errors import ConversionError, closest
from rpganify.structure import tensors_of

_LATENT_SIZES = re.compile(
    r"(z|latent|noise|code|style|nz|encoding|input|embed|w)_?(dims?|sizes?|channels?|features?)?|dim_?(z|latent)|nz|n_?z|"
    r"(in|input)_(dim|features)|latent"
)
_CLASS_COUNTS = re.compile(r"n_?(um_?)?(classes|cls|labels?)|class(es)?_?(num|count)|c_dim|label_dim")
_SHAPE = re.compile(r"\d+(x\d+)*")
_BATCH = 2
_MOST_SHAPES = 48


@dataclass(frozen=True, slots=True)
class LatentChoice:
    """What the user said of the latent: `z`, `z:128`, `100x1x1`.

    Args:
        name: of the forward argument; None if not said.
        shape: of one latent; None if not said.
    """

    name: str | None = None
    shape: tuple[int, ...] | None = None

    @classmethod
    def parse(cls, text: str | None) -> LatentChoice:
        """Reads `--latent`.

        Raises:
            ConversionError: neither a name, nor a shape, nor both.
        """
        if text is None:
            return cls()
        name, _, shape = text.rpartition(":")
        if _SHAPE.fullmatch(shape) and (name or ":" not in text):
            return cls(name or None, tuple(int(extent) for extent in shape.split("x")))
        if ":" in text or not text:
            raise ConversionError(f"{text!r} is no latent; write its name, its shape, or both: z, 100x1x1, z:128.")
        return cls(text)


def find_example(
    generator: nn.Module, latent: str | None = None, example_inputs: Mapping[str, Any] | None = None
) -> Example:
    """Example inputs for every argument that forward requires.

    Args:
        generator: tried on a copy, in eval mode.
        latent: as on the command line; what it leaves open is found.
        example_inputs: argument -> tensor or constant, where they are known already.
    Raises:
        ConversionError: no shape works, or an argument of which nothing is known; says how to name it.
    """
    choice = LatentChoice.parse(latent)
    if example_inputs is not None and choice.shape is None and _is_complete(generator, example_inputs):
        return make_example(example_inputs, choice.name)
    bound = dict(example_inputs or {})
    parameters = _named_parameters(generator)
    wanted, is_packed = (choice.name or "").removesuffix("[0]") or None, (choice.name or "").endswith("[0]")
    latent_name = _latent_argument(generator, parameters, wanted, set(bound))
    others = [p.name for p in parameters if p.default is p.empty and p.name != latent_name and p.name not in bound]
    unknown = [name for name in others if not is_label_name(name)]
    if unknown:
        raise ConversionError(
            f"forward of {type(generator).__name__} also requires {unknown[0]!r}, of which nothing is known. Give an "
            f"example of it: example_inputs={{{latent_name!r}: torch.randn(2, 128), {unknown[0]!r}: …}} (on the command "
            f"line `--input {unknown[0]}=SHAPE` or `--const {unknown[0]}=VALUE`)."
        )
    module = copy_generator(generator).cpu()
    module.eval()
    shapes = [choice.shape] if choice.shape is not None else list(_latent_shapes(module))
    dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)
    failures: list[Exception] = []
    # A list of latents is what some generators take (`styles=[z]`); asked for as `styles[0]`, or tried last.
    packings = (True,) if is_packed else (False, True)
    for shape, packing in _attempts(shapes, packings):
        for labels in _label_choices(module, others):
            try:
                noise = torch.randn(_BATCH, *shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
                arguments = {latent_name: [noise] if packing else noise, **labels, **bound}
                with torch.random.fork_rng(devices=[]), torch.no_grad():
                    outputs = call_forward(module, arguments)
            except ConversionError:
                raise
            except Exception as error:
                failures.append(error)
                nearer = _corrected(shape, error)
                # The list grows while it is walked: a shape that an error message leads to is tried last.
                if choice.shape is None and nearer is not None and nearer not in shapes and len(shapes) < _MOST_SHAPES:
                    shapes.append(nearer)
                continue
            if not tensors_of(outputs):
                raise no_tensor(generator, outputs)
            if any(tensor.dim() and tensor.shape[0] == _BATCH for tensor in tensors_of(outputs)):
                return make_example(arguments, f"{latent_name}[0]" if packing else latent_name)
    tried = ", ".join("x".join(map(str, shape)) for shape in shapes[:6]) or "none"
    tried += f" or {len(shapes) - 6} others" if len(shapes) > 6 else ""
    said = (str(failures[0]).strip().splitlines() or [""])[0].rstrip(".") if failures else ""
    reason = f" The first attempt said: {type(failures[0]).__name__}: {said}." if failures else ""
    raise ConversionError(
        f"{type(generator).__name__} accepts no latent {latent_name!r} of shape {tried}.{reason} Name the shape of one "
        f'latent: `--latent {latent_name}:128`, latent="{latent_name}:100x1x1".'
    )


def _attempts(shapes: list[tuple[int, ...]], packings: tuple[bool, ...]) -> Iterator[tuple[tuple[int, ...], bool]]:
    """Every shape in every packing; shapes that are added meanwhile take part."""
    for packing in packings:
        for shape in shapes:
            yield shape, packing


def _is_complete(generator: nn.Module, example_inputs: Mapping[str, Any]) -> bool:
    """Whether the examples hold all that forward requires, and a tensor among it."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    required = [p.name for p in forward_parameters(generator) if p.default is p.empty and p.kind not in kinds]
    return all(name in example_inputs for name in required) and any(tensors_of(v) for v in example_inputs.values())


def _corrected(shape: tuple[int, ...], error: Exception) -> tuple[int, ...] | None:
    """The latent's shape that a size mismatch speaks of: labels may be joined to it before the first layer.

    Linear layers say what they got and what they wanted ("2x14 and 10x48"), convolutions likewise.
    """
    text = str(error)
    linear = re.search(r"\((\d+)x(\d+) and (\d+)x(\d+)\)", text)
    convolution = re.search(r"to have (\d+) channels, but got (\d+) channels", text)
    if linear and len(shape) == 1:
        got, wanted = int(linear[2]), int(linear[3])
    elif convolution and len(shape) > 1:
        wanted, got = int(convolution[1]), int(convolution[2])
    else:
        return None
    size = shape[0] + wanted - got
    return (size, *shape[1:]) if 0 < size <= 4096 else None


def _named_parameters(generator: nn.Module) -> list[inspect.Parameter]:
    if type(generator).forward is nn.Module.forward and "forward" not in vars(generator):
        methods = [
            name
            for name, member in inspect.getmembers(type(generator), inspect.isfunction)
            if not hasattr(nn.Module, name) and not name.startswith("_")
        ]
        offered = f" It has {', '.join(methods)}." if methods else ""
        raise ConversionError(
            f"{type(generator).__name__} has no forward().{offered} Name the method that makes images "
            f"(`my_gan.py:{type(generator).__name__}.{methods[0] if methods else 'decode'}`)."
        )
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = forward_parameters(generator)
    named = [p for p in parameters if p.kind not in kinds]
    return named or [p for p in parameters if p.kind is inspect.Parameter.VAR_POSITIONAL]


def _latent_argument(
    generator: nn.Module, parameters: list[inspect.Parameter], wanted: str | None, bound: set[str]
) -> str:
    names = [p.name for p in parameters if p.name not in bound]
    if wanted is not None:
        if wanted not in names:
            raise ConversionError(
                f"forward of {type(generator).__name__} takes {', '.join(names) or 'nothing'}; there is no {wanted!r} to "
                f"be the latent.{closest(wanted, names)}"
            )
        return wanted
    if not names:
        raise ConversionError(
            f"forward of {type(generator).__name__} takes no input, so there is no latent to replace."
        )
    likely = [name for name in names if is_latent_name(name)]
    required = [p.name for p in parameters if p.default is p.empty and p.name in names]
    open_names = [name for name in required if not is_label_name(name)] or names
    return likely[0] if likely else open_names[0]


def _latent_shapes(module: nn.Module) -> Iterator[tuple[int, ...]]:
    """Shapes that one latent may have, most likely first: sizes that attributes name, then what the layers take in."""
    sizes: list[int] = []
    for child in [module, *module.children()]:
        for name, value in vars(child).items():
            if (
                isinstance(value, int)
                and not isinstance(value, bool)
                and 0 < value <= 4096
                and _LATENT_SIZES.fullmatch(name.lower())
            ):
                sizes.append(value)
    layers: list[tuple[int, ...]] = []
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            layers.append((layer.in_features,))
        elif isinstance(layer, (nn.Conv1d, nn.ConvTranspose1d)):
            layers.append((layer.in_channels, 1))
        elif isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            layers.append((layer.in_channels, 1, 1))
        elif isinstance(layer, (nn.Conv3d, nn.ConvTranspose3d)):
            layers.append((layer.in_channels, 1, 1, 1))
        elif not list(layer.children()):
            # A layer of the author's own: a weight is (out, in, ...), as in torch, or the other way round.
            matrices = [p for p in layer.parameters(recurse=False) if p.dim() == 2]
            layers += [(extent,) for weight in matrices for extent in reversed(weight.shape)]
    tried: set[tuple[int, ...]] = set()
    named = [(size, *ones) for size in sizes for ones in ((), (1, 1))]
    # The first layer first: what it takes in fits more often than what an attribute seems to say.
    for shape in [*layers[:1], *named, *((layers[0][0],) for _ in layers[:1]), *layers[1:24]]:
        if shape not in tried:
            tried.add(shape)
            yield shape


def _label_choices(module: nn.Module, names: list[str]) -> Iterator[dict[str, Tensor]]:
    """Class indices, then one-hot rows as long as an attribute says there are classes."""
    yield {name: torch.zeros(_BATCH, dtype=torch.int64) for name in names}
    if not names:
        return
    counts = {
        value
        for child in [module, *module.children()]
        for name, value in vars(child).items()
        if isinstance(value, int) and 0 < value <= 100_000 and _CLASS_COUNTS.fullmatch(name.lower())
    }
    for count in sorted(counts | {10}):
        yield {name: torch.eye(count)[torch.zeros(_BATCH, dtype=torch.int64)] for name in names}
