"""Two processes that train together, joined by gloo on this machine."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("pairs.py")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What the script finds, by scenario; torch is imported once for all of them."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parents[2])}
    place = tmp_path_factory.mktemp("pairs")
    command = [sys.executable, str(SCRIPT)]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("loss", ["hinge", "r1", "ls"])
def test_two_processes_of_32_images_train_like_one_of_64(found, loss):
    seen = found["equal"][loss]
    assert len(seen["order"]) == 16 and len(seen["order"][0]) == 64
    assert seen["orders"] == seen["order"]  # the first half by the first process, the second by the other
    one, two = seen["losses"]
    assert len(one) == len(two) == 8 and seen["told"] == 0  # only the first process tells
    # Means of two halves instead of the whole: the rounding of float32, which Adam makes larger from step to step.
    assert two == [pytest.approx(losses, abs=1e-6) for losses in one]
    assert seen["largest_difference"] < 1e-5 and seen["ema_difference"] < 1e-5
    assert seen["is_alike"]  # both processes end with the same weights


def test_two_processes_that_are_stopped_go_on_bit_for_bit_and_their_number_may_be_changed_if_so_asked(found):
    assert found["resumed"] == {"is_equal": True, "is_alike": True, "steps": [7, 9, 11, 11], "is_joined_alike": True}


def test_a_request_to_terminate_one_process_stops_both_after_the_same_step(found):
    end = {"step": 3, "signal": 15, "stopped": True}
    assert found["stopped"] == [[end, end], [end, end]]


def test_what_breaks_in_one_process_takes_both_back_or_ends_both_with_their_reasons(found):
    seen = found["broken"]
    assert (seen["nan"], seen["is_alike"], seen["num_rollbacks"]) == ([7, 7], True, 1)
    told, reason = seen["gone"]
    assert reason == "TrainingError: This image cannot be read."
    assert told.startswith(
        "TrainingError: Another process of this training has ended, or is not to be reached any more:"
    )
    assert told.endswith("What ended it stands beside this; mend that, then go on with --resume.")
