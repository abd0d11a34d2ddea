"""One line about what went wrong in somebody's script: where, what, and how to go on."""

from __future__ import annotations

import ast
import re
import traceback
from collections.abc import Callable
from pathlib import Path

from rpganify.errors import RpganifyError
from rpganify.source.guard import RefusedEffect
from rpganify.source.text import one_line, shown
from rpganify.source.unavailable import Unavailable, reason_of

# What people import is not always what they install.
_DISTRIBUTIONS = {
    "cv2": "opencv-python",
    "PIL": "pillow",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "pkg_resources": "setuptools<81",
    "pytorch_lightning": "pytorch-lightning",
}

_WORLD = re.compile(r"rpganify_source_\d+\.")


def describe_failure(
    error: BaseException, node: ast.AST, path: Path, is_user_file: Callable[[str], bool], said: str = ""
) -> str:
    """The whole message for an exception that a statement of a script raised.

    Args:
        error: what was raised.
        node: the statement; its line is given if the traceback shows no other.
        path: the script.
        is_user_file: whether a code object's file name is one of the user's.
        said: what the statement wrote to stderr; argparse tells its reason there.
    """
    if isinstance(error, RpganifyError):
        return str(error)
    if reason := reason_behind(error):
        return reason
    place = f"{shown(path)}, line {getattr(node, 'lineno', '?')}"
    statement = one_line(ast.unparse(node).split("\n")[0], 80)
    if isinstance(error, RefusedEffect):
        return (
            f"{place}: `{statement}` is needed but was not run, as it would {one_line(error, 120)}. "
            "Move what the generator needs of it to a file of its own, or name a construction without it "
            "(FILE.py:Generator(64))."
        )
    if isinstance(error, SystemExit):
        why = one_line(said.strip().split("\n")[-1].partition("error: ")[2] or error, 160)
        return f"{place}: `{statement}` stops the script: {why}. {_argv_advice(why)}"
    if isinstance(error, ModuleNotFoundError) and error.name:
        return (
            f"{place}: `{statement}` needs the package {error.name!r}, which is not installed. {_install(error.name)}"
        )
    if isinstance(error, IndexError) and "sys.argv" in ast.unparse(node):
        return f"{place}: `{statement}` reads the command line, which is empty. {_argv_advice('')}"
    return f"{failing_place(error, is_user_file) or place}: {exception_text(error)} in `{statement}`."


def reason_behind(error: BaseException) -> str | None:
    """Why a value was unavailable that made C++ code fail: it names the type, but does not touch the value."""
    if Unavailable.__name__ not in str(error):
        return None
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        seen = [*frame.f_locals.values(), *(frame.f_globals.get(name) for name in frame.f_code.co_names)]
        for value in seen:
            if reason := reason_of(value):
                return reason
    return None


def exception_text(error: BaseException) -> str:
    """Type and message of an exception, in one line."""
    text = one_line(_WORLD.sub("", str(error)), 200)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def failing_place(error: BaseException, is_user_file: Callable[[str], bool]) -> str | None:
    """File and line of the innermost frame that is the user's: "my_gan.py, line 31"."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if is_user_file(frame.filename):
            return f"{shown(Path(frame.filename))}, line {frame.lineno}"
    return None


def _install(name: str) -> str:
    top = name.partition(".")[0]
    return f"Install it (`pip install {_DISTRIBUTIONS.get(top, top)}`) and try again."


def _argv_advice(why: str) -> str:
    _, _, options = why.partition("required: ")
    example = " ".join(f"{name.split('/')[0]} VALUE" for name in options.split(", ") if name.startswith("-"))
    return f'Give the script its own options: `--argv "{example or "--option VALUE"}"`.'
