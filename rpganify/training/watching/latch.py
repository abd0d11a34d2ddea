"""Says each alarm once until what it is about has passed."""

from __future__ import annotations

from collections.abc import Hashable


class AlarmLatch:
    """Which alarms have been said and still hold."""

    def __init__(self) -> None:
        self._said: set[Hashable] = set()

    def rises(self, key: Hashable, *, is_bad: bool, is_clear: bool) -> bool:
        """Whether an alarm is to be said now.

        Between bad and clear lies what is neither: there an alarm stays as it is, so that it does not flicker.

        Args:
            key: what the alarm is about.
            is_bad: whether it holds.
            is_clear: whether it has passed, and may be said again from then on.
        """
        if is_clear:
            self._said.discard(key)
        elif is_bad and key not in self._said:
            self._said.add(key)
            return True
        return False
