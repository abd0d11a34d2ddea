"""How a check fails, and how it is skipped."""

import functools
import subprocess
import sys
import unittest

import pytest
import torch

from rpganify.errors import RpganifyError
from rpganify.testing import BrokenLaw, Unavailable
from rpganify.testing.laws import name_of, require, require_close, working


def test_a_law_that_holds_says_nothing():
    require(True, "it", expected="one", found="two", repair="")


def test_a_broken_law_is_one_message_and_an_assertion_error():
    with pytest.raises(BrokenLaw) as caught:
        require(False, "It", expected="one", found=2, repair="Add one.")
    assert str(caught.value) == "It: expected one; got 2. Add one."
    assert isinstance(caught.value, AssertionError) and isinstance(caught.value, RpganifyError)


def test_what_cannot_be_checked_skips_a_test_of_unittest():
    class Case(unittest.TestCase):
        def runTest(self):
            raise Unavailable("no files")

    result = Case().run()
    assert [reason for _, reason in result.skipped] == ["no files"] and not result.failures + result.errors


def test_what_cannot_be_checked_skips_a_test_of_pytest(tmp_path):
    test = "from rpganify.testing import Unavailable\n\ndef test_it():\n    raise Unavailable('no files')\n"
    (tmp_path / "test_it.py").write_text(test)
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:xdist", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0 and "1 skipped" in done.stdout and "no files" in done.stdout, done.stdout


@pytest.mark.parametrize("worse", [1.2, float("nan")])
def test_closeness_is_judged_at_the_oracles_scale_and_nan_is_never_close(worse):
    close = functools.partial(require_close, "It", expected="ones", tolerance=0.1, repair="Look.")
    oracle = torch.full((3,), 100.0)
    close(oracle + 9, oracle)
    close(torch.empty(0), torch.empty(0))
    with pytest.raises(
        BrokenLaw, match=r"It: expected ones; got a difference of (20|nan) where the largest value is 1e\+02"
    ):
        close(oracle * worse, oracle)
    with pytest.raises(BrokenLaw, match=r"It: expected ones, float32 \(3,\); got the shape float32 \(1,\)\. Look\."):
        close(oracle[:1], oracle)


def test_an_exception_of_the_extension_is_a_broken_law_with_its_cause():
    sentence = r"It: expected a number; got ValueError: no way\. Try\."
    with pytest.raises(BrokenLaw, match=sentence) as caught, working("It", expected="a number", repair="Try."):
        raise ValueError("no\n  way.")
    assert isinstance(caught.value.__cause__, ValueError)


@pytest.mark.parametrize("error", [BrokenLaw("inner"), Unavailable("inner"), KeyboardInterrupt()])
def test_what_a_check_itself_raises_passes_as_it_is(error):
    with pytest.raises(type(error)) as caught, working("It", expected="a number", repair="Try."):
        raise error
    assert caught.value is error


def test_objects_classes_and_functions_are_called_by_their_names():
    def inner():
        """Nothing."""

    assert name_of("package.module:Class") == "Class"
    assert [
        name_of(thing) for thing in (inner, Unavailable, Unavailable("x"), torch.ones(1), functools.partial(inner))
    ] == [*("inner", "Unavailable", "Unavailable", "Tensor", "partial")]
