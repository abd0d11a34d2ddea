"""A value that a script could not give: it says why, but only to whoever uses it."""

from __future__ import annotations

from typing import Any, NoReturn

from rpganify.errors import SourceError

_OPERATIONS = (
    *("call", "bool", "iter", "next", "len", "getitem", "setitem", "delitem", "contains", "enter", "exit"),
    *("eq", "ne", "lt", "le", "gt", "ge", "hash", "str", "repr", "format", "fspath", "mro_entries", "array"),
    *("int", "float", "index", "complex", "round", "neg", "pos", "abs", "invert", "and", "rand", "or", "ror", "xor"),
    *("rxor", "add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "floordiv", "rfloordiv"),
    *("mod", "rmod", "pow", "rpow", "matmul", "rmatmul"),
)


class Unavailable:
    """Stands in for a name whose statement failed, or was not run on purpose.

    A class often mentions names in methods that nobody calls here (`cached_path`, `plt`, a compiled
    extension). So a failure is kept until the name is touched: then it is raised as a `SourceError`.

    Args:
        reason: the whole message, one line.
    """

    __slots__ = ("_reason",)

    def __init__(self, reason: str) -> None:
        object.__setattr__(self, "_reason", reason)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        raise SourceError(self._reason)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise SourceError(self._reason)


def reason_of(value: object) -> str | None:
    """Why `value` is unavailable; None if it is an ordinary value."""
    return value._reason if isinstance(value, Unavailable) else None


def _refusal(operation: str) -> Any:
    def refuse(self: Unavailable, *args: object, **kwargs: object) -> NoReturn:
        raise SourceError(self._reason)

    refuse.__name__ = operation
    return refuse


for _operation in _OPERATIONS:
    setattr(Unavailable, f"__{_operation}__", _refusal(f"__{_operation}__"))
