"""The check of callbacks passes the right ones, and says what is wrong with the others."""

import pytest
import torch

from rpganify.entries import CallbackEntry
from rpganify.registry import Registry
from rpganify.testing import BrokenLaw, check_callback
from rpganify.training.callbacks import Callback


@pytest.mark.parametrize("entry", Registry().all(CallbackEntry).values(), ids=lambda entry: entry.name)
def test_every_built_in_callback_passes(entry):
    check_callback(entry.factory)


def test_there_are_built_in_callbacks():
    assert Registry().all(CallbackEntry)


class Recording(Callback):
    """Writes down what it was told of."""

    told: list[str] = []  # noqa: RUF012

    def on_start(self, start):
        self.told.append(f"start {start.step}")

    def on_step(self, metrics):
        self.told.append(f"step {metrics.step}")

    def on_checkpoint(self, step, directory):
        self.told.append(f"checkpoint {step} {directory.name}")

    def on_end(self, result):
        self.told.append(f"end {result.step}")


def test_a_callback_is_told_of_a_training_and_of_its_resumption():
    Recording.told.clear()
    check_callback(Recording)
    assert Recording.told == [
        *("start 0", "step 1", "step 2", "checkpoint 2 step-000002", "end 2"),
        *("start 2", "step 3", "step 4", "checkpoint 4 step-000004", "end 4"),
    ]


class Failing(Callback):
    def on_checkpoint(self, step, directory):
        (directory / "missing").read_text()


class FailingWhenResumed(Callback):
    def on_start(self, start):
        assert start.step == 0, "begin from the start"


class DrawsNumbers(Callback):
    """Moves the global generator, which dropout draws from."""

    def on_step(self, metrics):
        torch.rand(3)


class WithoutEnd:
    def on_start(self, start):
        """Nothing."""

    on_step = on_checkpoint = on_alarm = on_quality = on_rollback = on_start


class Interrupting(Callback):
    def on_step(self, metrics):
        import signal

        signal.raise_signal(signal.SIGINT)


class NeedsAFile(Callback):
    def __init__(self, file):
        self.file = file


@pytest.mark.parametrize(
    ("callback", "sentence"),
    [
        (Failing, r"expected a training that it is told of to end well; got TrainingError: Step 2: .*missing"),
        (FailingWhenResumed, r"expected a training that it is told of to end well; got AssertionError: begin from"),
        (DrawsNumbers, r"expected the weights of a training without it; got others in 'generator\..*random states"),
        (WithoutEnd, r"expected a method on_end; got none\. Inherit from rpganify\.training\.callbacks\.Callback"),
        (Interrupting, r"expected all 2 steps to be done; got 1 steps\. Stop a training only when"),
        (NeedsAFile, r"expected to be made without arguments; got TypeError: .*'file'\. `--callback NAME` passes none"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_wrong_callback_is_named_with_what_came_and_how_to_repair_it(callback, sentence):
    with pytest.raises(BrokenLaw, match=f"^{callback.__name__}: {sentence}"):
        check_callback(callback)
