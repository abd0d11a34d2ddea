"""What somebody typed for a generator: a file, a module or a name, and what in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rpganify.errors import SourceError, closest
from rpganify.source.text import one_line, shown

_FILE = re.compile(r"(?P<place>.*?\.py)(?::(?P<inside>.*))?", re.DOTALL)
_MODULE = re.compile(r"(?P<place>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<inside>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reference:
    """A source, taken apart.

    Args:
        kind: "file", "module" or "name" (an architecture, or a module without a class).
        place: the file, dotted module or name.
        expression: what follows the colon, parsed; None if nothing does.
    """

    kind: str
    place: str
    expression: ast.expr | None


def parse_reference(text: str) -> Reference:
    """Takes `my_gan.py:Generator(64)`, `package.module:Class` or `sngan32` apart.

    Raises:
        SourceError: nothing is named, or what follows the colon is no Python expression.
    """
    if not text.strip():
        raise SourceError(
            "No generator is named. Give a file (`my_gan.py`), `package.module:Class` or an architecture."
        )
    for kind, pattern in (("file", _FILE), ("module", _MODULE)):
        found = pattern.fullmatch(text.strip())
        if found:
            return Reference(kind, found["place"], _expression(found["inside"], found["place"]))
    if "/" in text or "\\" in text or Path(text).exists():
        return Reference("file", text, None)
    return Reference("name", text, None)


def _expression(inside: str | None, place: str) -> ast.expr | None:
    if inside is None:
        return None
    try:
        return ast.parse(inside.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        problem = one_line(getattr(error, "msg", None) or error)
        raise SourceError(
            f"What follows {place}: is no Python expression ({problem}): {one_line(inside, 120)!r}. "
            f"Give a class (`{place}:Generator`) or a call (`{place}:Generator(64)`)."
        ) from error


def existing_file(text: str) -> Path:
    """The Python file of that name, absolute.

    Raises:
        SourceError: it is missing (files with near names are given), a folder, or no Python file.
    """
    path = Path(text).expanduser()
    try:
        if path.is_dir():
            files = sorted(file.name for file in path.glob("*.py"))
            inside = f"Name one of its files: {', '.join(files[:8])}." if files else "It holds no Python file."
            raise SourceError(f"{text} is a folder. {inside}")
        if not path.is_file():
            folder = path.parent
            if not folder.is_dir():
                raise SourceError(f"{text} does not exist: there is no folder {folder}. Check the path.")
            files = sorted(file.name for file in folder.glob("*.py"))
            near = closest(path.name, files)
            there = f" Python files in {shown(folder.resolve())}: {', '.join(files[:8])}." if files and not near else ""
            raise SourceError(f"{text} does not exist.{near}{there} Check the path, or give the file's full name.")
    except (OSError, ValueError) as error:
        raise SourceError(f"{one_line(text, 120)!r} is no path that can be opened: {one_line(error)}.") from error
    if path.suffix != ".py":
        advice = {
            ".ipynb": f"Export the notebook first: `jupyter nbconvert --to script {path.name}`.",
            ".pt": "That holds weights. Name the class's file, and give the weights with `--weights`.",
        }
        hint = advice.get(".pt" if path.suffix in (".pth", ".ckpt", ".safetensors") else path.suffix, "")
        raise SourceError(f"{text} is no Python file. {hint or 'Name the .py file that defines the class.'}")
    return path.resolve()


def parse_arguments(arguments: Mapping[str, str]) -> dict[str, object]:
    """The values of `--arg name=value`: Python literals where they are, else text.

    Raises:
        SourceError: a name that no Python argument can have.
    """
    values: dict[str, object] = {}
    for name, text in arguments.items():
        if not name.isidentifier():
            raise SourceError(f"{name!r} is no argument name. Write `--arg latent_dim=128`.")
        try:
            values[name] = ast.literal_eval(text.strip()) if isinstance(text, str) else text
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
            values[name] = text
    return values
