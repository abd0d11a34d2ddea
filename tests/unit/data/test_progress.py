"""How far the reading of a data set is."""

from __future__ import annotations

from pathlib import Path

import pytest

from rpganify.data.folder import open_folder
from rpganify.data.progress import progress_told, tracked
from tests.unit.data.files import png


class Clock:
    """A second passes each time that somebody looks, or as much as is said."""

    def __init__(self, step_s: float = 1.0) -> None:
        self.now, self.step_s = 0.0, step_s

    def __call__(self) -> float:
        self.now += self.step_s
        return self.now


def told_of(num_items: int, step_s: float, each: int = 1, total: int | None = None) -> list[tuple[str, int, int]]:
    heard: list[tuple[str, int, int]] = []
    with progress_told(lambda what, done, total: heard.append((what, done, total))):
        items = tracked(range(num_items), "reading", total or num_items, each=each, clock=Clock(step_s))
        assert list(items) == list(range(num_items))
    return heard


def test_what_takes_less_than_two_seconds_is_not_told() -> None:
    assert told_of(num_items=19, step_s=0.1) == []


def test_what_takes_longer_is_told_four_times_a_second_and_at_its_end() -> None:
    heard = told_of(num_items=31, step_s=0.125)
    assert [done for _, done, _ in heard] == [16, 18, 20, 22, 24, 26, 28, 30, 31]
    assert {(what, total) for what, _, total in heard} == {("reading", 31)}


def test_items_that_stand_for_several_are_counted_so_and_the_last_for_fewer() -> None:
    assert told_of(num_items=4, step_s=1.0, each=256, total=1000) == [("reading", n, 1000) for n in (512, 768, 1000)]


def test_without_a_listener_nothing_is_told_and_after_one_nothing_more() -> None:
    heard: list[int] = []
    with progress_told(lambda what, done, total: heard.append(done)):
        pass
    assert list(tracked("ab", "reading", 2, clock=Clock(10))) == ["a", "b"]
    assert heard == []


def test_a_folder_tells_its_headers_and_its_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(3):
        (tmp_path / f"{index}.png").write_bytes(png(index))
    monkeypatch.setattr("rpganify.data.progress.QUIET_S", -1.0)
    heard = []
    with progress_told(lambda what, done, total: heard.append((what, done, total))):
        open_folder(root=tmp_path)
    name = f"folder:{tmp_path}"
    assert heard[0] == (f"reading headers of {name}", 1, 3)
    assert heard[-2:] == [(f"reading headers of {name}", 3, 3), (f"bringing {name} into memory", 3, 3)]
