"""Being asked to end."""

import os
import signal
import time

import pytest

from app.embedded.signals import SECOND_THOUGHT_SECONDS, EndRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_of_the_asking_signals_asks(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with EndRequest() as request:
        assert not request.is_made
        signal.raise_signal(number)
        assert request.is_made
        assert not request.is_hurried
    assert signal.getsignal(number) is before


def test_the_same_ctrl_c_passed_on_twice_is_one() -> None:
    request = EndRequest()
    request.make()
    request.make()
    assert request.is_made
    assert not request.is_hurried


def test_a_second_ctrl_c_is_in_a_hurry() -> None:
    request = EndRequest()
    request.make()
    time.sleep(SECOND_THOUGHT_SECONDS + 0.1)
    request.make()
    assert request.is_hurried


def test_a_pipe_that_closes_asks() -> None:
    reading, writing = os.pipe()
    request = EndRequest(reading)
    assert not request.is_made
    os.write(writing, b"still here\n")
    assert not request.is_made
    os.close(writing)
    assert request.is_made
    assert request.is_made
    os.close(reading)
