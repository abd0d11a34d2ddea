"""Functions outside the closed list, found again where the model points to. This runs the code of a model's source."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import reduce
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from rpganify.conversion.recording import custom_call
from rpganify.errors import ModelFileError
from rpganify.source.modules import open_file


def find_foreign(provenance: Mapping[str, Any], target: str) -> Callable[..., Any]:
    """The function that a model file calls `module:name`.

    Args:
        provenance: of the model; `source_path` and `sha256` where its source is a script.
        target: as the file says it.
    Raises:
        ModelFileError: it is not there, or the script is another one by now.
    """
    module, _, name = target.partition(":")
    script = provenance.get("source_path")
    try:
        if module == "torch" or script is None:
            holder: Any = importlib.import_module(module)
        else:
            holder = _ScriptNames(Path(str(script)), provenance.get("sha256"))
        found = reduce(getattr, name.split("."), holder)
    except (ImportError, AttributeError, LookupError, OSError) as error:
        raise ModelFileError(
            f"The model calls {target}, which cannot be found: {error}. Make its source importable, or run the command where "
            "the script is."
        ) from error
    if isinstance(found, type) and issubclass(found, torch.autograd.Function):
        return custom_call(found)
    if not callable(found):
        raise ModelFileError(f"The model calls {target}, which is no function.")
    return found  # type: ignore[no-any-return]


class _ScriptNames:
    """A script's top-level names as attributes; only what they need of it runs."""

    def __init__(self, script: Path, expected: str | None) -> None:
        if expected is not None and sha256(script.read_bytes()).hexdigest() != expected:
            raise ModelFileError(f"{script} has changed since the model was converted from it; convert it again.")
        self._place = open_file(script.resolve())

    def __getattr__(self, name: str) -> Any:
        return self._place.require([name])[name]
