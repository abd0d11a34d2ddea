"""Reads a table of TOML strictly: every key is asked for, of the right kind, and none is left over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rpganify.errors import closest

from .errors import RecipeError


class Fields:
    """A table whose keys are taken one by one; `finish` refuses what nobody took.

    Args:
        content: the table.
        place: where it stands, for messages: `mnist-dcgan.toml, [models.rpgan]`.
    """

    def __init__(self, content: Mapping[str, Any], place: str) -> None:
        self._content = content
        self._place = place
        self._asked: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        """A text; without a default it has to be there."""
        return str(self._take(name, (str,), "a text in quotes", default))

    def number(self, name: str) -> float | None:
        """A number, None if it is left out."""
        value = self._take(name, (int, float), "a number", None, is_due=False)
        return None if value is None else float(value)

    def whole(self, name: str) -> int | None:
        """A whole number, None if it is left out."""
        value = self._take(name, (int,), "a whole number", None, is_due=False)
        return None if value is None else int(value)

    def flag(self, name: str, default: bool) -> bool:
        """true or false."""
        return bool(self._take(name, (bool,), "true or false", default))

    def texts(self, name: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(self._list(name, str, "texts", default))

    def wholes(self, name: str, default: Sequence[int] | None = None) -> tuple[int, ...]:
        """A list of whole numbers, or one of them."""
        value = self._content.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            self._asked.append(name)
            return (value,)
        return tuple(self._list(name, int, "whole numbers", default))

    def rows(self, name: str) -> tuple[tuple[str, ...], ...]:
        """A list of lists of texts; empty if it is left out."""
        rows = self._list(name, list, "lists of texts", ())
        for row in rows:
            self._check_each(name, row, str, "lists of texts")
        return tuple(tuple(row) for row in rows)

    def table(self, name: str) -> Mapping[str, Any]:
        """A table as it is; empty if it is left out."""
        value: Mapping[str, Any] = self._take(name, (dict,), f"a table, [{name}]", {})
        return value

    def fields(self, name: str) -> Fields:
        """A table to be read in the same way; empty if it is left out."""
        return Fields(self.table(name), f"{self._place}, [{name}]")

    def tables(self, name: str) -> tuple[Fields, ...]:
        """A list of tables, `[[name]]`; empty if it is left out."""
        tables = self._list(name, dict, f"tables, [[{name}]]", ())
        return tuple(Fields(one, f"{self._place}, [[{name}]] {index}") for index, one in enumerate(tables, 1))

    def has(self, name: str) -> bool:
        """Whether a key is there; asking does not take it."""
        return name in self._content

    def refuse(self, why: str) -> RecipeError:
        """An error about this table, to be raised."""
        return RecipeError(f"{self._place}: {why}")

    def finish(self) -> None:
        """Refuses keys that nobody asked for.

        Raises:
            RecipeError: there is one; it names the nearest that is known.
        """
        for name in self._content:
            if name not in self._asked:
                raise self.refuse(
                    f"there is no setting {name!r} here.{closest(name, self._asked)} Known are: {', '.join(self._asked)}."
                )

    def _take(self, name: str, kinds: tuple[type, ...], wanted: str, default: Any, *, is_due: bool = True) -> Any:
        self._asked.append(name)
        if name not in self._content:
            if default is None and is_due:
                raise self.refuse(f"{name!r} is missing; it is {wanted}.{closest(name, list(self._content))}")
            return default
        value = self._content[name]
        # In Python true is 1; in a recipe it is a slip.
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise self.refuse(f"{name!r} is {wanted}, not {value!r}.")
        return value

    def _list(self, name: str, kind: type, wanted: str, default: Sequence[Any] | None) -> Sequence[Any]:
        values: Sequence[Any] = self._take(
            name, (list,), f"a list of {wanted}", None if default is None else [*default]
        )
        self._check_each(name, values, kind, wanted)
        return values

    def _check_each(self, name: str, values: Sequence[Any], kind: type, wanted: str) -> None:
        for value in values:
            if not isinstance(value, kind) or isinstance(value, bool):
                raise self.refuse(f"{name!r} is a list of {wanted}; {value!r} is none.")
