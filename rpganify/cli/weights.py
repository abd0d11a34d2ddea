"""Trained weights for a generator, from a file that cannot run code."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from rpganify.errors import ModelFileError, closest

_WANTED = "{option} takes .safetensors, or what torch.save wrote of a state dict."


def load_weights(generator: nn.Module, path: Path, what: str = "generator", option: str = "--weights") -> None:
    """Puts a file's weights into a generator, or another network; every tensor of it must be there.

    A checkpoint of several networks may hold the state dict under any key; a `module.` that DataParallel put in
    front of every name is taken off.

    Args:
        generator: the network.
        path: the file.
        what: the network is, for messages.
        option: that named the file.
    Raises:
        ModelFileError: the file is missing or damaged, holds more than tensors, or belongs to another network.
    """
    advice = _WANTED.format(option=option)
    content = _read(path, advice)
    wanted = generator.state_dict()
    found = [(key, _without_prefix(state)) for key, state in _state_dicts(content)]
    if not found:
        raise ModelFileError(f"{path} holds no state dict. {advice}")
    fitting = [(key, state) for key, state in found if _difference(wanted, state, what) is None]
    if len(fitting) > 1:
        keys = ", ".join(repr(key) for key, _ in fitting)
        raise ModelFileError(
            f"{path} holds several state dicts that fit the {what}, under {keys}. Save the one you mean to a file "
            "of its own: torch.save(torch.load(FILE)[KEY], NEW)."
        )
    if not fitting:
        # The nearest miss says the most about what is wrong.
        key, state = max(found, key=lambda item: len(wanted.keys() & item[1].keys()))
        where = f", under {key!r}," if key else ""
        reason = _difference(wanted, state, what)
        raise ModelFileError(f"{path}{where} holds the weights of another network: {reason}")
    generator.load_state_dict({**wanted, **fitting[0][1]})


def _read(path: Path, advice: str) -> Any:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            # On pickles of another protocol torch warns before it refuses; the refusal is told here.
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelFileError(f"There is no weight file {path}. {advice}") from error
    except pickle.UnpicklingError as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelFileError(
            f"{path} cannot be opened without running code from it: {reason} … It holds more than tensors, or is no "
            f"weight file. {advice}"
        ) from error
    except (SafetensorError, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ModelFileError(f"{path} cannot be read: {reason}. It may be truncated. {advice}") from error


def _state_dicts(content: Any, key: str = "") -> list[tuple[str, Mapping[str, Tensor]]]:
    """Every mapping of names to tensors in a checkpoint, with the keys that lead to it."""
    if not isinstance(content, Mapping):
        return []
    if content and all(isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()):
        return [(key, content)]
    return [
        found
        for name, value in content.items()
        if isinstance(name, str)
        for found in _state_dicts(value, f"{key}.{name}" if key else name)
    ]


def _without_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    if all(name.startswith("module.") for name in state):
        return {name.removeprefix("module."): tensor for name, tensor in state.items()}
    return dict(state)


def _difference(wanted: Mapping[str, Tensor], state: Mapping[str, Tensor], what: str) -> str | None:
    """What keeps a state dict from fitting, as a sentence; None if it fits."""
    # torch 0.3 did not count the batches that a batch norm has seen, and running without the count changes nothing.
    missing = [name for name in wanted if name not in state and not name.endswith("num_batches_tracked")]
    surplus = [name for name in state if name not in wanted]
    if missing:
        return f"{missing[0]!r} is not in it{_more(missing)}.{closest(missing[0], surplus)}"
    if surplus:
        return f"the {what} has no {surplus[0]!r}{_more(surplus)}."
    for name, tensor in state.items():
        if tensor.shape != wanted[name].shape:
            return f"{name!r} is {tuple(tensor.shape)} there and {tuple(wanted[name].shape)} in the {what}."
    return None


def _more(names: list[str]) -> str:
    return f", nor are {len(names) - 1} more" if len(names) > 1 else ""
