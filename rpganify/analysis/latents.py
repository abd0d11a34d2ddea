"""The images of a generator as a differentiable function of a flat latent vector, all else held still.

What geometry and concepts are measured on. A `LatentMap` has

    map.draw(n, generator)   (n, dim) random latents, on the map's device, in its dtype
    map.images(latents)      (n, dim) -> (n, C, H, W), differentiable, in eval mode, not rounded and not clipped
    map.home                 (dim,) the position that belongs to the map: Z, a layer's activation; None for a random z

    latent_of(model, context)                    z of a standard generator
    latent_under_path(model, path, context)      the vector in the place of Z, under one path of a converted one
    part_of(map, indices, position)              some inputs of another map; the others stay at a position
    at_layer(model, layer, context, z=…, path=…) what an inner layer puts out

Weights and conditions stay as they are, and noise that the generator draws itself is drawn once, from the context's seed:
the same for every call and every sample of a batch. The model is copied, so it may change afterwards. Every constructor
takes `dtype=torch.float64` for checks that need more than single precision, and `alter`, which changes the copy first, for
controls. Call `images` inside `torch.enable_grad()` if gradients are off.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, fx, nn

from rpganify.analysis.analyzer import AnalysisContext
from rpganify.analysis.forward_mode import load_forward_mode
from rpganify.analysis.generation import device_of, evaluating
from rpganify.analysis.held_graph import HeldGraph, for_batch, hold_noise
from rpganify.analysis.inner_layers import layer_node, values_around
from rpganify.errors import AnalysisError
from rpganify.routing.blueprint import Blueprint
from rpganify.routing.generator import RandomPathGenerator, StandardGenerator, image_of
from rpganify.surgery.extract import extract, unwrap


@dataclass(frozen=True, slots=True)
class LatentMap:
    """Images as a function of a flat vector.

    Args:
        name: what the vector is, in words: "z", "Z under the path 3-17-0-22", "z[0:64]", "stage2.1".
        dim: its length.
        shape: of one latent before it is flattened.
        image_shape: `(C, H, W)`.
        device: where latents have to be.
        dtype: of latents and images.
        draw: `(n, generator on the CPU)` to random latents `(n, dim)`.
        images: `(n, dim)` to `(n, C, H, W)`, in about [-1, 1].
        home: the position that belongs to the map, `(dim,)`; None if it has none.
    """

    name: str
    dim: int
    shape: tuple[int, ...]
    image_shape: tuple[int, ...]
    device: torch.device
    dtype: torch.dtype
    draw: Callable[[int, torch.Generator], Tensor] = field(repr=False)
    images: Callable[[Tensor], Tensor] = field(repr=False)
    home: Tensor | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        load_forward_mode()


Alter = Callable[[nn.Module], None]


def latent_of(
    model: nn.Module, context: AnalysisContext, *, dtype: torch.dtype | None = None, alter: Alter | None = None
) -> LatentMap:
    """The random `z` of a standard generator.

    Args:
        model: a standard generator; copied.
        context: conditions, and the seed of noise that the generator draws itself.
        dtype: of latents and images; None takes the model's.
        alter: changes the tensors of the copy, a plain generator's, before it is used.
    Raises:
        AnalysisError: it is a converted one, a condition is missing, or its noise cannot be held.
    """
    if not isinstance(model, StandardGenerator):
        raise AnalysisError(
            f"A random z is the latent of a standard generator, and this is a {type(model).__name__}: its latent is the path, "
            "and a vector only under a path. Name one (`--path`, in Python `latent_under_path(model, path, context)`)."
        )
    plain = _plain_of(model, None, context, dtype, alter)
    return LatentMap(plain.latent, plain.dim, plain.shape, *plain.space, plain.draw, plain.images)


def latent_under_path(
    model: nn.Module,
    path: Tensor | Sequence[int],
    context: AnalysisContext,
    *,
    dtype: torch.dtype | None = None,
    alter: Alter | None = None,
) -> LatentMap:
    """The vector in the place of `Z`, under one path of a converted generator; `home` is `Z` itself.

    `draw` gives normal vectors, as `Z` was at birth.

    Args:
        model: a converted generator; copied.
        path: one block per bucket.
        context: conditions, and the seed of noise that the generator draws itself.
        dtype: of latents and images; None takes the model's.
        alter: changes the tensors of the copy, a plain generator's, before it is used.
    Raises:
        PathError: no such path.
        AnalysisError: it is a standard generator, a condition is missing, or its noise cannot be held.
    """
    rp = _converted(model)
    plain = _plain_of(rp, path, context, dtype, alter)
    home = rp.latent_of(path).detach().flatten().to(plain.device, plain.dtype, copy=True)
    return LatentMap(_under(rp, path), plain.dim, plain.shape, *plain.space, plain.draw, plain.images, home)


def part_of(whole: LatentMap, indices: Sequence[int] | Tensor, position: Tensor) -> LatentMap:
    """Some inputs of a map; the others stay where they are at a position.

    Args:
        whole: the map.
        indices: of the inputs, different ones, from 0; in the order that the part has them.
        position: `(dim,)` of the whole.
    Raises:
        AnalysisError: no index, one twice, or one that does not exist; or a position of another length.
    """
    chosen = torch.as_tensor(indices, dtype=torch.int64, device=whole.device).flatten()
    wrong = [index for index in chosen.tolist() if not 0 <= index < whole.dim]
    if not len(chosen) or wrong or len(chosen.unique()) < len(chosen):
        what = f"no input {wrong[0]}" if wrong else "one of them twice" if len(chosen) else "none named"
        raise AnalysisError(
            f"A part of {whole.name} is some of its {whole.dim} inputs, 0 to {whole.dim - 1}, each once; here: {what}. "
            f"`--part 0-{max(whole.dim // 2 - 1, 0)}` takes the first half."
        )
    if tuple(position.shape) != (whole.dim,):
        raise AnalysisError(
            f"The other inputs are held at a position of {whole.name}, {whole.dim} numbers; got shape {tuple(position.shape)}."
        )
    held = position.detach().to(whole.device, whole.dtype)

    def images(latents: Tensor) -> Tensor:
        return whole.images(held.expand(len(latents), -1).index_copy(1, chosen, latents))

    def draw(n: int, generator: torch.Generator) -> Tensor:
        return whole.draw(n, generator)[:, chosen]

    name = f"{whole.name}[{_ranges(chosen.tolist())}]"
    dim = len(chosen)
    return LatentMap(name, dim, (dim,), whole.image_shape, whole.device, whole.dtype, draw, images, held[chosen])


def at_layer(
    model: nn.Module,
    layer: str,
    context: AnalysisContext,
    *,
    z: Tensor | None = None,
    path: Tensor | Sequence[int] | None = None,
    dtype: torch.dtype | None = None,
    alter: Alter | None = None,
) -> LatentMap:
    """What an inner layer puts out, flattened; `home` is what it puts out at `z`.

    Values that reach the image past the layer, such as those of a skip connection, stay as they are at `z`. `draw` gives the
    layer's outputs at random latents.

    Args:
        model: a standard or converted generator; copied.
        layer: dotted name of a layer or of a module that holds some (`stage2.1`, `stage2`).
        context: conditions, and the seed of noise that the generator draws itself.
        z: the latent `(dim,)` or `(*latent)`; None takes `Z` of a converted one, and the seed's first draw else.
        path: of a converted generator.
        dtype: of latents and images; None takes the model's.
        alter: changes the tensors of the copy, a plain generator's, before it is used.
    Raises:
        AnalysisError: no such layer, it gives more than one tensor, or the image does not depend on it; or as
            `latent_of` and `latent_under_path`.
    """
    if path is None and not isinstance(model, StandardGenerator):
        raise AnalysisError(
            f"A {type(model).__name__} has a layer's output only under a path: name one (`--path`, in Python `path=…`)."
        )
    plain = _plain_of(model if path is None else _converted(model), path, context, dtype, alter)
    if z is None:
        first = plain.draw(1, torch.Generator().manual_seed(context.seed))[0]
        z = first if path is None else _converted(model).latent_of(path).detach()
    start = z.detach().reshape(1, -1).to(plain.device, plain.dtype)
    if start.shape[1] != plain.dim:
        raise AnalysisError(f"The latent of this generator has {plain.dim} numbers; got z of shape {tuple(z.shape)}.")
    node = layer_node(plain.graph.graph, layer, plain.blueprint)
    around, activation = values_around(plain.graph, node, plain.inputs(start))
    shape = tuple(activation.shape[1:])

    def images(latents: Tensor) -> Tensor:
        batch = len(latents)
        # The next operation may write to what the layer gave: it gets a copy.
        given = {one: for_batch(one, value, batch) for one, value in around.items()}
        outputs = plain.graph.run({**given, node: latents.reshape(batch, *shape).clone()}, batch)
        return image_of(plain.blueprint, outputs)

    def draw(n: int, generator: torch.Generator) -> Tensor:
        with torch.no_grad():
            output: Tensor = plain.graph.run(plain.inputs(plain.draw(n, generator)), n, until=node)
        return output.flatten(1)

    name = (
        f"the output of {layer}" if path is None else f"the output of {layer} under {_named(_converted(model), path)}"
    )
    home = activation.flatten()
    return LatentMap(name, len(home), shape, *plain.space, draw, images, home)


@dataclass(frozen=True, slots=True)
class _Plain:
    """A generator without buckets, ready to run in one type with its noise held."""

    blueprint: Blueprint
    graph: HeldGraph
    conditions: dict[fx.Node, Tensor]
    latent_node: fx.Node
    device: torch.device

    @property
    def dtype(self) -> torch.dtype:
        return self.graph.dtype

    @property
    def latent(self) -> str:
        return self.blueprint.latent.name

    @property
    def shape(self) -> tuple[int, ...]:
        return self.blueprint.latent.shape

    @property
    def dim(self) -> int:
        return math.prod(self.shape)

    @property
    def space(self) -> tuple[tuple[int, ...], torch.device, torch.dtype]:
        return self.blueprint.image_shape, self.device, self.dtype

    def inputs(self, latents: Tensor) -> dict[fx.Node, Tensor]:
        """A value of each input for a batch."""
        batch = len(latents)
        others = {node: value.expand(batch, *value.shape) for node, value in self.conditions.items()}
        return {self.latent_node: latents.reshape(batch, *self.shape), **others}

    def images(self, latents: Tensor) -> Tensor:
        return image_of(self.blueprint, self.graph.run(self.inputs(latents), len(latents)))

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        return torch.randn(n, self.dim, generator=generator).to(self.device, self.dtype)


def _plain_of(
    model: nn.Module,
    path: Tensor | Sequence[int] | None,
    context: AnalysisContext,
    dtype: torch.dtype | None,
    alter: Alter | None,
) -> _Plain:
    with evaluating(model, context.seed):
        if isinstance(model, RandomPathGenerator):
            assert path is not None
            module = extract(model, path)
        else:
            assert isinstance(model, StandardGenerator)
            module = unwrap(model)
        if alter is not None:
            alter(module)
    blueprint: Blueprint = model.blueprint
    dtype = dtype or next((one.dtype for one in module.parameters() if one.is_floating_point()), torch.float32)
    module.to(dtype).eval().requires_grad_(False)
    device = device_of(module)
    graph = blueprint.eval_graph
    inputs = {str(node.target): node for node in graph.nodes if node.op == "placeholder"}
    conditions = {
        inputs[spec.identifier]: _condition(spec.name, context, device, dtype)
        for spec in blueprint.inputs
        if not spec.is_latent
    }
    free = _Plain(blueprint, HeldGraph(module, graph, dtype), conditions, inputs[blueprint.latent.identifier], device)
    anywhere = torch.zeros(1, free.dim, device=device, dtype=dtype)
    held = hold_noise(free.graph, free.inputs(anywhere), context.seed)
    return _Plain(blueprint, held, conditions, free.latent_node, device)


def _condition(name: str, context: AnalysisContext, device: torch.device, dtype: torch.dtype) -> Tensor:
    if name not in context.conditions:
        raise AnalysisError(
            f"This generator also needs {name} for each image, and the analysis was given none. Name one value for all of "
            f"them: `--condition {name}=0`, or in Python AnalysisContext(conditions={{{name!r}: torch.tensor(0)}})."
        )
    value = context.conditions[name].to(device)
    return value.to(dtype) if value.is_floating_point() else value


def _converted(model: nn.Module) -> RandomPathGenerator:
    if not isinstance(model, RandomPathGenerator):
        raise AnalysisError(
            f"A path is one of a converted generator, and this is a {type(model).__name__}. Leave the path out to take its "
            "random z, or convert it: `rpganify convert SOURCE --buckets 5 --blocks 40`."
        )
    return model


def _under(model: RandomPathGenerator, path: Tensor | Sequence[int]) -> str:
    return f"Z under {_named(model, path)}"


def _named(model: RandomPathGenerator, path: Tensor | Sequence[int]) -> str:
    return f"the path {model.paths.format(torch.as_tensor(path))}"


def _ranges(indices: Sequence[int]) -> str:
    """Indices as people write them: `0-3,7`."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
