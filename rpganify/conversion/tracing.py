"""Generator -> traced graph, recorded as it runs.

The forward pass runs at two batch sizes, in eval and in train mode. Values decide control flow; whatever integer
differs between the two sizes derives from the batch and stays symbolic; everything else is the generator's own.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from rpganify.conversion.copying import copy_generator
from rpganify.conversion.emitting import emit_graph
from rpganify.conversion.inputs import Example, call_forward, value_of
from rpganify.conversion.known import known_kind
from rpganify.conversion.recording import Recorder, Recording
from rpganify.errors import ConversionError, RpganifyError
from rpganify.structure import tensors_of

# Two sizes that differ by 2, so that an integer which grows by an odd amount is not taken for a multiple of the batch.
BATCHES = (2, 4)


@dataclass(frozen=True, slots=True)
class Trace:
    """A generator as graphs.

    Args:
        eval_graph, train_graph: the forward pass in each mode; the same object where they do not differ.
        constants: tensors that the graphs use and the generator does not own, by their name in the graph.
        notes: what a user should know about the recording.
    """

    eval_graph: fx.Graph
    train_graph: fx.Graph
    constants: dict[str, Tensor]
    notes: tuple[str, ...]


def trace(generator: nn.Module, example: Example) -> Trace:
    """Records a generator; the generator itself is neither run nor changed.

    Args:
        generator: any module; copies of it run, on the CPU.
        example: values for the arguments of forward.
    Raises:
        ConversionError: the forward pass fails, depends on the content of its inputs, draws from Python's or
            numpy's random state, leaves torch, or has the batch size baked in.
    """
    constants: dict[str, Tensor] = {}
    eval_records = _record_pair(generator, example, is_training=False)
    eval_graph = emit_graph(*eval_records, BATCHES, example, constants)
    notes = _notes(eval_records[0])
    try:
        train_records = _record_pair(generator, example, is_training=True)
        train_graph = emit_graph(*train_records, BATCHES, example, constants)
        notes += [note for note in _notes(train_records[0]) if note not in notes]
    except ConversionError as error:
        # Style mixing and its like happen in training only; the generator itself is still convertible.
        notes.append(f"In train mode the eval-mode program runs instead: {error}")
        train_graph = eval_graph
    if _code(train_graph) == _code(eval_graph):
        train_graph = eval_graph
    return Trace(eval_graph, train_graph, constants, tuple(notes))


def _code(graph: fx.Graph) -> str:
    return "\n".join(f"{node.op} {node.target} {node.args} {node.kwargs}" for node in graph.nodes)


def _record_pair(generator: nn.Module, example: Example, is_training: bool) -> tuple[Recording, Recording]:
    first, second = (_record(generator, example, batch, is_training) for batch in BATCHES)
    return first, second


def _record(generator: nn.Module, example: Example, batch: int, is_training: bool) -> Recording:
    module = copy_generator(generator).cpu()
    module.train(is_training) if is_training else module.eval()
    arguments = example.at_batch(batch)
    recorder = Recorder(module, lambda child: known_kind(child) is not None)
    for spec in example.specs:
        recorder.add_input(spec.name, value_of(arguments, spec))
    with _own_random_state() as draws, torch.enable_grad():
        try:
            with recorder.watching():
                outputs = call_forward(module, arguments)
        except RpganifyError:
            raise
        except Exception as error:
            shapes = ", ".join(f"{s.name} {(batch, *s.shape)}" for s in example.specs)
            raise ConversionError(
                f"The forward pass of {type(generator).__name__} fails on {shapes}: {type(error).__name__}: "
                f"{_first_line(error)}. If these are not its inputs, name the latent and its shape "
                '(`--latent z:128`, latent="z:128") or pass example_inputs.'
            ) from error
    mode = "train" if is_training else "eval"
    if draws:
        raise ConversionError(
            f"The forward pass of {type(generator).__name__} draws from {' and '.join(draws)} in {mode} mode, and such a "
            "draw decides in Python what runs; a graph cannot repeat it. Use torch's random functions there, or bind the "
            "argument that switches it off (example_inputs={'mixing': False})."
        )
    if recorder.record.content_reads:
        place, name = recorder.record.content_reads[0]
        raise ConversionError(
            f"The forward pass of {type(generator).__name__} reads the content of a tensor into Python "
            f"({name} at {place}), and what runs next may depend on it: on the sample, or on a random draw. A graph runs the "
            "same for all. Express it with torch.where, or bind the argument that switches it off."
        )
    if not tensors_of(outputs):
        raise ConversionError(
            f"The forward pass of {type(generator).__name__} returned {type(outputs).__name__} without any tensor; a "
            "generator returns images."
        )
    return recorder.finish(module, outputs)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0]


def _notes(record: Recording) -> list[str]:
    return [
        f"The value of {names or 'a tensor'} was read into Python at {place}; it is a constant of the converted model."
        for place, names in record.state_reads
    ]


@contextmanager
def _own_random_state() -> Iterator[list[str]]:
    """Keeps the caller's random states; afterwards the list names those, besides torch's, that were drawn from."""
    drawn: list[str] = []
    before_python, before_numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            yield drawn
        finally:
            if random.getstate() != before_python:
                drawn.append("Python's random")
            if not _same_numpy_state(before_numpy, np.random.get_state()):
                drawn.append("numpy.random")
            random.setstate(before_python)
            np.random.set_state(before_numpy)


def _same_numpy_state(first: Any, second: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
