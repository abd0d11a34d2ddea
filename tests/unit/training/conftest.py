"""A disk that is as slow as a test needs it to be."""

import os
import threading

import pytest

from rpganify.training.saving import writer as checkpoint_writer


class SlowDisk:
    """Holds every thread but the main one at its first `fsync`, until `opened` is set or somebody waits for it.

    `reached` says that a thread is held, or was.
    """

    def __init__(self):
        self.reached, self.opened = threading.Event(), threading.Event()
        self.num_waits = 0

    def hold(self):
        self.reached.clear()
        self.opened.clear()


@pytest.fixture
def slow_disk(monkeypatch):
    disk, fsync, wait = SlowDisk(), os.fsync, checkpoint_writer.wait

    def slow_fsync(handle):
        if threading.current_thread() is not threading.main_thread():
            disk.reached.set()
            assert disk.opened.wait(60)
        fsync(handle)

    def opening_wait(futures):
        if not disk.opened.is_set():
            assert disk.reached.wait(60)
            disk.num_waits += 1
            disk.opened.set()
        return wait(futures)

    monkeypatch.setattr(os, "fsync", slow_fsync)
    monkeypatch.setattr(checkpoint_writer, "wait", opening_wait)
    yield disk
    disk.opened.set()
