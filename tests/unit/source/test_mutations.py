"""Whatever happens to a script, loading it ends in a generator or in one line."""

import ast
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from rpganify.errors import SourceError
from rpganify.source import load_source

EXAMPLE = (Path(__file__).resolve().parents[3] / "examples" / "my_gan.py").read_text()
JUNK = [
    "def (", "print 'python 2'", "    stray = 1", "x = = 3", ")", '"""', "return 3", "%matplotlib inline", "\tx = 1",
    "import nobody_has_this", "from . import *", "raise SystemExit", "opt = None", "class Generator: pass", "@", "\\",
    "1/0", "del opt", "nn = None", "import sys; sys.exit(1)", "lambda: (yield)", "async def f(): await x", "é = '\ud7ff'",
]  # fmt: skip


def outcome(text: str) -> str:
    """ "built", or the message; anything else escapes and fails the test."""
    try:
        assert isinstance(load_source(text).build(0), nn.Module)
    except SourceError as error:
        message = str(error)
        assert message and "\n" not in message and "Traceback" not in message
        assert len(message) < 1500
        return message
    return "built"


def mutate(text: str, seed: int) -> str:
    """One to three changes: a line dropped, doubled, swapped, cut, replaced by junk, or a name changed."""
    draw = random.Random(seed)
    lines = text.split("\n")
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(lines))
        kind = draw.randrange(7)
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(at, draw.choice(JUNK))
        elif kind == 2:
            lines[at] = lines[at][: draw.randint(0, len(lines[at]))]
        elif kind == 3:
            lines = lines[: max(at, 1)]
        elif kind == 4:
            name = draw.choice([n.id for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Name)])
            lines = "\n".join(lines).replace(name, name[::-1], draw.randint(1, 3)).split("\n")
        elif kind == 5:
            lines.insert(at, lines[draw.randrange(len(lines))])
        else:
            lines[at] = draw.choice([" ", "\t", "    "]) + lines[at]
    return "\n".join(lines)


@pytest.mark.parametrize("name", ["my_gan.py", "my_gan.py:Generator"])
def test_120_mutations_of_a_script_end_in_a_generator_or_in_one_line(write, name):
    outcomes = []
    for seed in range(120):
        write(mutate(EXAMPLE, seed))
        outcomes.append(outcome(name))
    assert 20 < outcomes.count("built") < 115


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(expression=st.text(alphabet="Generato()[].,:=*+1 '\"lambda\n", max_size=25))
def test_any_text_after_the_colon_ends_in_a_generator_or_in_one_line(write, generator_text, expression):
    write(generator_text)
    outcome(f"my_gan.py:{expression}")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(text=st.text(max_size=30))
def test_any_source_ends_in_a_generator_or_in_one_line(write, text):
    outcome(text)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(raw=st.binary(max_size=200))
def test_any_bytes_in_a_file_end_in_a_generator_or_in_one_line(write, raw):
    write(raw)
    outcome("my_gan.py")
