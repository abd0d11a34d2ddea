"""The module that a source names, whether it lies in a file of the user's or is installed."""

from __future__ import annotations

import contextlib
import importlib
import sys
import types
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rpganify.errors import SourceError, closest
from rpganify.source.failures import exception_text
from rpganify.source.finding import find_files
from rpganify.source.runner import Runner, runner_of
from rpganify.source.world import World


@dataclass(frozen=True, slots=True)
class Place:
    """A module that classes can be taken from.

    Args:
        name: for messages: the file or the dotted name.
        module: its namespace.
        runner: of the user's file; None for an installed module, which has been imported as a whole.
        session: the surroundings in which its code runs.
        owns: whether a code object's file is the user's.
        sha256: of the file.
    """

    name: str
    module: types.ModuleType
    runner: Runner | None
    session: Callable[[], AbstractContextManager[None]]
    owns: Callable[[str], bool]
    sha256: str | None

    def require(self, names: Iterable[str], before: int | None = None) -> dict[str, Any]:
        """The namespace, once the statements that these names need have run."""
        if self.runner is not None:
            self.runner.require(names, before)
        return self.module.__dict__


def open_file(path: Path, argv: Sequence[str] = (), root: Path | None = None) -> Place:
    """A Python file; nothing of it runs yet.

    Args:
        path: absolute.
        argv: its command line.
        root: a folder that its absolute imports start from, besides its own.
    """
    world = World(path, argv, root)
    runner = runner_of(world.main)
    return Place(str(path), world.main, runner, world.session, world.owns, runner.script.sha256)


def open_module(name: str, argv: Sequence[str] = ()) -> Place:
    """A dotted module: of the user's if it lies in the working directory or on a path of theirs, else installed.

    Raises:
        SourceError: there is none, or importing the installed one fails.
    """
    folders = [Path.cwd(), *(Path(entry) for entry in sys.path)]
    own = [folder for folder in folders if folder.is_dir() and not _is_for_installed(folder)]
    if name not in sys.modules:
        found = find_files(name.split("."), own)
        if found is not None and found[-1].is_file():
            depth = len(name.split(".")) - (1 if found[-1].name != "__init__.py" else 0)
            return open_file(found[-1].resolve(), argv, found[-1].resolve().parents[depth])
    try:
        with _quiet():
            module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise SourceError(_no_module(name, error.name, own)) from error
        raise SourceError(
            f"{name} needs the package {error.name!r}, which is not installed. "
            f"Install it (`pip install {error.name}`) and try again."
        ) from error
    except (Exception, SystemExit) as error:
        raise SourceError(
            f"Importing {name} fails: {exception_text(error)}. Does `python -c 'import {name}'` work?"
        ) from error
    file = getattr(module, "__file__", None)
    return Place(name, module, None, _quiet, lambda filename: filename == file, None)


@contextlib.contextmanager
def _quiet() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _is_for_installed(folder: Path) -> bool:
    stdlib = Path(contextlib.__file__).resolve().parent
    return "site-packages" in folder.parts or "dist-packages" in folder.parts or folder.resolve().is_relative_to(stdlib)


def _no_module(name: str, lacking: str, folders: list[Path]) -> str:
    known = sorted({path.stem for folder in folders for path in folder.glob("*") if path.stem.isidentifier()})
    known += sorted(sys.stdlib_module_names)
    where = "" if lacking == name else f" (there is no {lacking!r})"
    return (
        f"There is no module {name!r}{where}.{closest(lacking, known)} Run from the folder that holds it, "
        "install it, or name the file: `path/to/file.py:Class`."
    )
