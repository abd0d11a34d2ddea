import ast
from pathlib import Path

import pytest

from rpganify.errors import SourceError
from rpganify.source.text import one_line, read_script


def names_of(path: Path) -> list[str]:
    found = []
    for node in read_script(path).statements:
        found += [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        found += [node.name] if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else []
    return found


def script(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "script.py"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path):
    assert names_of(script(tmp_path, b"\xef\xbb\xbfa = 1\n")) == ["a"]


def test_a_declared_encoding_is_honoured(tmp_path):
    path = script(tmp_path, "# -*- coding: latin-1 -*-\na = 'é'\n".encode("latin-1"))
    [assign] = read_script(path).statements
    assert isinstance(assign, ast.Assign) and ast.literal_eval(assign.value) == "é"


def test_bytes_that_are_no_utf8_do_not_stop_the_reading(tmp_path):
    assert names_of(script(tmp_path, b"# caf\xe9\na = 1\n")) == ["a"]


def test_carriage_returns_end_lines(tmp_path):
    assert names_of(script(tmp_path, b"a = 1\r\nif a:\r\n    b = 2\r\n")) == ["a", "b"]


def test_indentation_that_mixes_tabs_and_spaces_is_read_as_python_2_read_it(tmp_path):
    path = script(tmp_path, "def f():\n        a = 1\n\treturn a\n")  # eight blanks and one tab are the same depth
    [function] = read_script(path).statements
    assert isinstance(function, ast.FunctionDef) and len(function.body) == 2


def test_prints_of_python_2_are_left_out_also_inside_a_class(tmp_path):
    text = "class A:\n    def f(self):\n        print 'x', 1\n        return 2\nprint 'done'\nb = 1\n"
    script_read = read_script(script(tmp_path, text))
    assert not script_read.broken
    assert names_of(tmp_path / "script.py") == ["A", "b"]


def test_notebook_magics_are_left_out(tmp_path):
    text = "# In[1]:\n%matplotlib inline\n!pip install x\na = 1\nfor i in range(2):\n    !ls\n    b = i\n"
    assert names_of(script(tmp_path, text)) == ["a", "i", "b"]


def test_only_the_piece_that_does_not_parse_is_set_aside(tmp_path):
    text = "a = 1\nclass Broken(:\n    x = 1\nb = 2\n"
    read = read_script(script(tmp_path, text))
    [piece] = read.broken
    assert piece.names == {"Broken"}
    assert piece.line == 2 and piece.problem.startswith("line 2: ") and "`class Broken(:`" in piece.problem
    assert names_of(tmp_path / "script.py") == ["a", "b"]


def test_a_text_in_three_quotes_with_lines_in_the_first_column_stays_one_piece(tmp_path):
    text = 'exec "python 2"\nNOTE = """\nclass NotAClass:\nx = 3\n"""\nb = 2\n'
    read = read_script(script(tmp_path, text))
    assert names_of(tmp_path / "script.py") == ["NOTE", "b"]
    assert [piece.line for piece in read.broken] == [1]


def test_a_decorator_stays_with_its_function_in_a_file_that_does_not_parse(tmp_path):
    text = "exec 'x'\n@wrap\n@wrap2(1)\ndef f():\n    pass\n"
    [function] = read_script(script(tmp_path, text)).statements
    assert isinstance(function, ast.FunctionDef) and len(function.decorator_list) == 2
    assert function.lineno == 4


def test_lines_keep_their_numbers_when_a_file_is_cut(tmp_path):
    text = "exec 'x'\n\n\na = 1\n\nb = 2\n"
    assert [node.lineno for node in read_script(script(tmp_path, text)).statements] == [4, 6]


def test_imports_are_split_so_that_each_can_be_needed_alone(tmp_path):
    text = "import os, sys\ntry:\n    from m import a, b as c\nexcept ImportError:\n    pass\n"
    first, second, block = read_script(script(tmp_path, text)).statements
    assert [ast.unparse(node) for node in (first, second)] == ["import os", "import sys"]
    assert isinstance(block, ast.Try)
    assert [ast.unparse(node) for node in block.body] == ["from m import a", "from m import b as c"]


def test_future_imports_become_compiler_flags(tmp_path):
    read = read_script(script(tmp_path, "from __future__ import annotations, division\na = 1\n"))
    assert read.flags & 0x1000000
    assert len(read.statements) == 1


def test_the_digest_is_that_of_the_bytes(tmp_path):
    import hashlib

    path = script(tmp_path, b"\xef\xbb\xbfa = 1\r\n")
    assert read_script(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_with_nul_bytes_is_no_python_text(tmp_path):
    with pytest.raises(SourceError, match="is no Python text: it holds NUL bytes"):
        read_script(script(tmp_path, b"a = 1\n\0"))


def test_an_endless_bracket_does_not_swallow_the_rest_of_the_file(tmp_path):
    text = "x = (1,\n" + "\n".join(f"a{i} = {i}" for i in range(50)) + "\n"
    assert "a49" in names_of(script(tmp_path, text))


def test_one_line_joins_and_shortens():
    assert one_line("a\n  b\tc") == "a b c"
    assert one_line("x" * 50, limit=10) == "x" * 9 + "…"
