"""Generator -> traced graph, recorded as it runs.

The forward pass runs at two batch sizes, in eval and in train mode. Values decide control flow; whatever integer
differs between the two sizes derives from the batch and stays symbolic; everything else is the generator's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from rpganify.conversion.copying import copy_generator
from rpganify.conversion.emitting import emit_graph
from rpganify.conversion.inputs import Example, call_forward, no_tensor, value_of
from rpganify.conversion.known import is_whole
from rpganify.conversion.randomness import own_random_state
from rpganify.conversion.record import Recording
from rpganify.conversion.recording import Recorder
from rpganify.errors import ConversionError, RpganifyError
from rpganify.structure import tensors_of

# Two sizes that differ by 2, so that an integer which grows by an odd amount is not taken for a multiple of the batch;
# the second has more samples than an example has distinct ones.
BATCHES = (2, 4)


@dataclass(frozen=True, slots=True)
class Trace:
    """A generator as graphs.

    Args:
        eval_graph, train_graph: the forward pass in each mode; the same object where they do not differ.
        constants: tensors that the graphs use and the generator does not own, by their name in the graph.
        notes: what a user should know about the recording.
        custom_functions: names of the custom autograd.Functions that ran.
    """

    eval_graph: fx.Graph
    train_graph: fx.Graph
    constants: dict[str, Tensor]
    notes: tuple[str, ...]
    custom_functions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """How a generator is recorded.

    Args:
        freezes_noise: noise that forward draws is drawn once, now, and the same for every sample and call.
        keeps_functions: a custom autograd.Function stays one call, with its own backward.
    """

    freezes_noise: bool = False
    keeps_functions: bool = False


def trace(generator: nn.Module, example: Example, options: TraceOptions | None = None) -> Trace:
    """Records a generator; the generator itself is neither run nor changed.

    Args:
        generator: any module; copies of it run, on the CPU.
        example: values for the arguments of forward.
        options: see there.
    Raises:
        ConversionError: the forward pass fails, depends on the content of its inputs, draws from Python's or
            numpy's random state, leaves torch, or has the batch size baked in.
    """
    options = options or TraceOptions()
    constants: dict[str, Tensor] = {}
    eval_records = _record_pair(generator, example, options, is_training=False)
    eval_graph = emit_graph(*eval_records, BATCHES, example, constants, options.freezes_noise)
    notes = _notes(eval_records[0])
    try:
        train_records = _record_pair(generator, example, options, is_training=True)
        train_graph = emit_graph(*train_records, BATCHES, example, constants, options.freezes_noise, is_training=True)
        notes += [note for note in _notes(train_records[0]) if note not in notes]
    except ConversionError as error:
        # Style mixing and its like happen in training only; the generator itself is still convertible.
        notes.append(f"In train mode the eval-mode program runs instead: {error}")
        train_graph = eval_graph
    if _code(train_graph) == _code(eval_graph):
        train_graph = eval_graph
    return Trace(eval_graph, train_graph, constants, tuple(notes), tuple(eval_records[0].custom_functions))


def _code(graph: fx.Graph) -> str:
    return "\n".join(f"{node.op} {node.target} {node.args} {node.kwargs}" for node in graph.nodes)


def _record_pair(
    generator: nn.Module, example: Example, options: TraceOptions, is_training: bool
) -> tuple[Recording, Recording]:
    first, second = (_record(generator, example, options, batch, is_training) for batch in BATCHES)
    return first, second


def _record(generator: nn.Module, example: Example, options: TraceOptions, batch: int, is_training: bool) -> Recording:
    module = copy_generator(generator).cpu()
    module.train(is_training) if is_training else module.eval()
    arguments = example.at_batch(batch)
    recorder = Recorder(module, is_whole, options.keeps_functions)
    for spec in example.specs:
        recorder.add_input(spec.name, value_of(arguments, spec))
    with own_random_state() as draws, torch.enable_grad():
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
            f"The forward pass of {type(generator).__name__} draws from {draws[0][0]} in {mode} mode{draws[0][1]}, and such a "
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
        raise no_tensor(generator, outputs)
    return recorder.finish(module, outputs)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0]


def _notes(record: Recording) -> list[str]:
    reads = [
        f"The value of {names or 'a tensor'} was read into Python at {place}; it is a constant of the converted model."
        for place, names in record.state_reads
    ]
    changes = [
        f"The forward pass changes {name!r} from {before!r} to {after!r}; what depends on it stays as at the first call."
        for name, before, after in record.changed_numbers
    ]
    return reads + changes
