from pathlib import Path

import pytest

from rpganify.training.audience import Audience
from rpganify.training.callbacks import Alarm, Callback, Quality, StepMetrics, TrainResult, TrainStart

START = TrainStart(Path("run"), 0, 10)
METRICS = StepMetrics(1, 1.5, -0.5, 0.25, -0.25, None, -3.0, 0.01, 0.02, 0.03, 1000.0)
RESULT = TrainResult(Path("run"), 1, 10, Path("run/checkpoints/step-000001"), False, 1.0, METRICS)
TOLD = {
    "on_start": (START,),
    "on_step": (METRICS,),
    "on_checkpoint": (1, Path("step-000001")),
    "on_alarm": (Alarm(1, "saturation", "."),),
    "on_quality": (Quality(1, "distance", 0.5, True, True),),
    "on_rollback": (START,),
    "on_end": (RESULT,),
}


class Listener:
    """Writes down what it is told, in a list that it may share."""

    def __init__(self, seen, name, methods=tuple(TOLD)):
        for method in methods:
            setattr(self, method, lambda *what, method=method: seen.append((name, method, what)))


class Silent(Callback):
    """Inherits empty methods."""


@pytest.mark.parametrize("method", TOLD)
def test_everybody_is_told_in_their_order_and_whoever_has_no_method_for_it_is_left_out(method):
    seen = []
    audience = Audience([Listener(seen, "first"), Listener(seen, "deaf", ()), Silent(), Listener(seen, "last")])
    getattr(audience, method)(*TOLD[method])
    assert seen == [("first", method, TOLD[method]), ("last", method, TOLD[method])]


def test_every_method_of_a_callback_is_one_of_the_audience_s():
    assert {name for name in vars(Callback) if name.startswith("on_")} == set(TOLD)


class Closing:
    def __init__(self, closed, name, error=None):
        self.closed, self.name, self.error = closed, name, error

    def close(self):
        self.closed.append(self.name)
        if self.error:
            raise self.error


def test_all_are_closed_in_their_order_also_behind_one_that_fails():
    closed = []
    audience = Audience([Closing(closed, 1, OSError("full")), Silent(), Closing(closed, 2), Closing(closed, 3)])
    with pytest.raises(OSError, match="full"):
        audience.close()
    assert closed == [1, 2, 3]
