"""Whatever moment a training is killed at, or finds the disk full, it goes on to what it would have become."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("crashes.py")
MANY = pytest.param(100, marks=pytest.mark.slow)


def strike(shell, kind, count, seed):
    """The script's report: `count` faults of a kind, at moments that follow from the seed and the machine's pace."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",  # more threads would round sums otherwise, and could not be forked
        "PYTHONPATH": str(SCRIPT.parents[2]),
        "RPGANIFY_LOAD_PLUGINS": "",
    }
    done = subprocess.run(
        [sys.executable, str(SCRIPT), kind, str(count), str(seed)],
        cwd=shell.directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("count", [6, MANY])
def test_trainings_that_are_killed_at_random_moments_end_with_the_weights_of_one_that_was_not(converted, count):
    report = strike(converted, "kill", count, seed=count)
    assert report["problems"] == []
    assert report["struck"] == count and report["trainings"] >= 2


@pytest.mark.parametrize("count", [4, MANY])
def test_trainings_that_find_the_disk_full_at_random_moments_say_so_lose_nothing_and_go_on(converted, count):
    report = strike(converted, "full", count, seed=count)
    assert report["problems"] == []
    assert report["struck"] == count and len(report["said"]) >= count
    reasons = ("No space left on device", "File too large")
    assert all(any(reason in line for reason in reasons) for line in report["said"])
