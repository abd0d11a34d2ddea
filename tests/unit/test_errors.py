"""The errors that are raised on purpose."""

from __future__ import annotations

import pytest

from rpganify import errors
from rpganify.errors import RpganifyError, closest

CHILDREN = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, RpganifyError)]


@pytest.mark.parametrize("error", CHILDREN)
def test_one_except_clause_catches_every_refusal(error: type[RpganifyError]) -> None:
    with pytest.raises(RpganifyError, match=r"^because$"):
        raise error("because")


@pytest.mark.parametrize("error", [e for e in CHILDREN if e is not RpganifyError])
def test_each_refusal_is_also_a_builtin_error_for_callers_who_know_no_rpganify(error: type[RpganifyError]) -> None:
    assert issubclass(error, (ValueError, LookupError, RuntimeError))
    assert error.__doc__


def test_the_nearest_known_names_are_offered() -> None:
    assert closest("conv", ["conv1", "fc"]) == " Did you mean 'conv1'?"
    assert closest("block", ["block1", "block2", "fc"]) == " Did you mean 'block2' or 'block1'?"


def test_at_most_three_names_are_offered() -> None:
    assert closest("layer", [f"layer{i}" for i in range(9)]).count(" or ") == 2


def test_nothing_is_offered_where_nothing_is_near() -> None:
    assert closest("zebra", ["conv1", "fc"]) == ""
    assert closest("conv", []) == ""
