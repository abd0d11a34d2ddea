import logging
import signal
import threading

import pytest

from rpganify.training.interrupt import FinishOnInterrupt


def test_the_first_interrupt_is_noted_and_the_second_stops_at_once(caplog):
    with FinishOnInterrupt() as stop:
        assert not stop.is_requested
        with caplog.at_level(logging.WARNING):
            signal.raise_signal(signal.SIGINT)
        assert stop.is_requested
        assert "the step is finished and saved first. Once more stops at once" in caplog.text
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_a_request_to_terminate_is_noted_too_and_the_second_ends_the_process(caplog):
    with FinishOnInterrupt() as stop:
        signal.raise_signal(signal.SIGTERM)
        assert stop.signal == signal.SIGTERM
        assert "Asked to terminate: the step is finished and saved first" in caplog.text
        with pytest.raises(SystemExit) as exit:
            signal.raise_signal(signal.SIGTERM)
        assert exit.value.code == 143


def test_afterwards_interrupts_go_where_they_went_before():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match="inside"), FinishOnInterrupt():
        assert signal.getsignal(signal.SIGINT) != before
        raise ValueError("inside")
    assert signal.getsignal(signal.SIGINT) == before


def test_a_job_that_ignores_interrupts_goes_on_ignoring_them():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with FinishOnInterrupt() as stop:
            signal.raise_signal(signal.SIGINT)
            assert not stop.is_requested
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_may_train_too():
    seen = []

    def work():
        with FinishOnInterrupt() as stop:
            seen.append(stop.is_requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
