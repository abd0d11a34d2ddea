import operator
import types
from collections.abc import Callable

import pytest

from rpganify.errors import SourceError
from rpganify.source.unavailable import Unavailable, reason_of

USES: list[Callable[[Unavailable], object]] = [
    lambda v: v.attribute,
    lambda v: v(),
    lambda v: v[0],
    lambda v: v + 1,
    lambda v: 1 + v,
    lambda v: v == 1,
    lambda v: bool(v),
    lambda v: len(v),
    lambda v: list(v),
    lambda v: str(v),
    lambda v: f"{v}",
    lambda v: int(v),
    lambda v: v.__enter__(),
    lambda v: operator.index(v),
    lambda v: setattr(v, "x", 1),
    lambda v: types.new_class("Child", (v,)),
]


@pytest.mark.parametrize("use", USES)
def test_every_use_raises_the_reason(use):
    with pytest.raises(SourceError, match="because of this"):
        use(Unavailable("because of this"))


def test_holding_one_is_harmless_and_its_reason_can_be_asked():
    value = Unavailable("because of this")
    holder = [value]
    assert holder[0] is value
    assert reason_of(value) == "because of this"
    assert reason_of(3) is None
