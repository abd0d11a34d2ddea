"""A Python file as people leave it lying about, cut into its top-level statements."""

from __future__ import annotations
import __future__

import ast
import hashlib
import io
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rpganify.errors import SourceError

_START = re.compile(r"(?!(?:else|elif|except|finally)\b)[^\s#)\]}]")
_INCOMPLETE = ("was never closed", "unterminated triple-quoted", "unexpected EOF", "unexpected end of")
_DEFINED = re.compile(r"(?:class|def)\s+(\w+)")
_ASSIGNED = re.compile(r"(\w+(?:\s*,\s*\w+)*)\s*(?::[^=]+)?=(?!=)")
# Statements of Python 2 and of notebooks that change no value; `pass` in their place changes nothing.
_SILENT = re.compile(
    r"^([ \t]*)(?:print(?:[ \t]+[^(=\s]|[ \t]*>>|[ \t]+\(.*\)[ \t]*[%,]|[ \t]*$)|[%!?]).*$", re.MULTILINE
)
_MOST_MERGES = 200


@dataclass(frozen=True, slots=True)
class BrokenPiece:
    """Lines of a file that do not parse.

    Args:
        line: where the error is, from 1.
        problem: "line 12: invalid syntax: `x = = 3`".
        names: what the lines would define, as far as one can tell.
        has_class: whether a class is among it.
    """

    line: int
    problem: str
    names: frozenset[str]
    has_class: bool


@dataclass(frozen=True, slots=True)
class Script:
    """A file's statements, in order; each import is split into one statement per name.

    Args:
        path: the file, absolute.
        statements: what parses, with the file's own line numbers.
        broken: what does not.
        flags: compiler flags of its `from __future__` imports.
        sha256: of the bytes on disk.
    """

    path: Path
    statements: tuple[ast.stmt, ...]
    broken: tuple[BrokenPiece, ...]
    flags: int
    sha256: str

    @property
    def docstring(self) -> str | None:
        """The text at its head, which some scripts hand to their parser."""
        first = self.statements[0] if self.statements else None
        is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
        return ast.get_docstring(ast.Module([first], []), clean=False) if first is not None and is_text else None


def shown(path: Path) -> str:
    """A path as messages print it: from the working directory if it lies below, else in full."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def one_line(text: object, limit: int = 240) -> str:
    """Any text as one line of at most `limit` characters."""
    flat = " ".join(str(text).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def read_script(path: Path) -> Script:
    """The statements of a Python file, whatever state it is in.

    A byte-order mark, any declared encoding, mixed tabs, notebook magics and Python 2 prints are taken
    as they come; other lines that do not parse are set aside as `BrokenPiece`.

    Raises:
        SourceError: the file cannot be read, or is no text.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{shown(path)} cannot be read: {error.strerror or error}. Check its permissions.") from error
    if b"\0" in raw:
        raise SourceError(f"{shown(path)} is no Python text: it holds NUL bytes. Give the file that defines the class.")
    statements: list[ast.stmt] = []
    broken: list[BrokenPiece] = []
    for piece in _pieces(_decode(raw)):
        if isinstance(piece, BrokenPiece):
            broken.append(piece)
        else:
            statements += piece.body
    features = {
        alias.name
        for node in statements
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for alias in node.names
    }
    flags = 0
    for feature in features & set(__future__.all_feature_names):
        flags |= getattr(__future__, feature).compiler_flag
    kept = [node for node in statements if not (isinstance(node, ast.ImportFrom) and node.module == "__future__")]
    return Script(path, tuple(_one_import_each(kept)), tuple(broken), flags, hashlib.sha256(raw).hexdigest())


def _decode(raw: bytes) -> str:
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(raw).readline)
        text = raw.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        text = raw.decode("utf-8-sig", errors="replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _pieces(text: str) -> Iterator[ast.Module | BrokenPiece]:
    """The whole file if it parses, else what parses of it between lines that start in the first column."""
    whole = _parse(text)
    if isinstance(whole, ast.Module):
        yield whole
        return
    lines = text.split("\n")
    starts = [number for number, line in enumerate(lines) if _START.match(line)] + [len(lines)]
    begin = 0
    while begin < len(starts) - 1:
        end, piece = _longest_piece(lines, starts, begin)
        first = starts[begin]
        if isinstance(piece, ast.Module):
            ast.increment_lineno(piece, first)
            yield piece
        else:
            yield _broken(lines[first : starts[end]], first, piece)
        begin = end


def _longest_piece(lines: list[str], starts: list[int], begin: int) -> tuple[int, ast.Module | SyntaxError]:
    """Parses from one start; goes on over further starts while what is there is merely unfinished."""
    first_error: SyntaxError | None = None
    for end in range(begin + 1, min(len(starts), begin + 1 + _MOST_MERGES)):
        chunk = lines[starts[begin] : starts[end]]
        piece = _parse("\n".join(chunk) + "\n")
        if isinstance(piece, ast.Module):
            return end, piece
        first_error = first_error or piece
        only_decorators = all(not line.strip() or line[0] in "@#" for line in chunk)
        if not only_decorators and not any(sign in str(piece.msg) for sign in _INCOMPLETE):
            break
    assert first_error is not None
    return begin + 1, first_error


def _parse(text: str) -> ast.Module | SyntaxError:
    """Parses as it is; else with tabs of 8 (Python 2's rule) or 4; else without prints of Python 2 and magics."""
    first_error: SyntaxError | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for attempt in _readings(text):
            try:
                return ast.parse(attempt)
            except SyntaxError as error:
                first_error = first_error or error
            except (ValueError, RecursionError, MemoryError) as error:
                first_error = first_error or SyntaxError(one_line(error))
    assert first_error is not None
    return first_error


def _readings(text: str) -> Iterator[str]:
    yield text
    tabbed = [text]
    if "\t" in text:
        tabbed = [re.sub(r"^[ \t]+", lambda m, n=n: m[0].expandtabs(n), text, flags=re.M) for n in (8, 4)]  # type: ignore[misc]
        yield from tabbed
    if _SILENT.search(text):
        for reading in tabbed:
            yield _SILENT.sub(r"\1pass", reading)


def _broken(chunk: list[str], first: int, error: SyntaxError) -> BrokenPiece:
    line = first + (error.lineno or 1)
    inside = min(max((error.lineno or 1) - 1, 0), len(chunk) - 1)
    names: set[str] = set()
    for text in chunk:
        if found := _DEFINED.match(text):
            names.add(found[1])
        elif found := _ASSIGNED.match(text):
            names.update(name.strip() for name in found[1].split(","))
    problem = f"line {line}: {one_line(error.msg)}: `{one_line(chunk[inside].strip(), 80)}`"
    return BrokenPiece(line, problem, frozenset(names), any(text.startswith("class") for text in chunk))


def _one_import_each(nodes: list[ast.stmt]) -> list[ast.stmt]:
    """Splits `import a, b` at top level and in its blocks, so that only those that are needed can be run."""
    result: list[ast.stmt] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            result += [ast.copy_location(ast.Import([alias]), node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            result += [ast.copy_location(ast.ImportFrom(node.module, [a], node.level), node) for a in node.names]
        else:
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                for section in sections(node):
                    section[:] = _one_import_each(section)
            result.append(node)
    return result


def sections(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """The lists of statements inside a block: body, else, finally and each handler's body."""
    for field in ("body", "orelse", "finalbody"):
        section = getattr(node, field, None)
        if isinstance(section, list):
            yield section
    for handler in getattr(node, "handlers", ()):
        yield handler.body
