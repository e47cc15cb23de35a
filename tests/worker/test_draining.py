"""A worker that is asked to end tells its children, waits for them, and kills those that do not listen."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from worker.draining import Drain, drain_requested, listen_for_drain

# A pool's child ends so too; the interpreter's own end would take the handler away before it is over.
LISTENS = """
import os
from worker.draining import listen_for_drain
drain = listen_for_drain()
print("here", flush=True)
drain.wait()
os._exit(0)
"""

IS_DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("here", flush=True)
time.sleep(600)
"""


class Children:
    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[bytes]] = []
        self.stops = 0

    def start(self, program: str) -> None:
        child = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        self.processes.append(child)

    def running(self) -> list[int]:
        return [child.pid for child in self.processes if child.poll() is None]

    def stop_taking(self) -> None:
        self.stops += 1

    def codes(self) -> list[int]:
        return [child.wait(20) for child in self.processes]


@pytest.fixture
def children() -> Iterator[Children]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    drain_requested.clear()
    children = Children()
    yield children
    for number, handler in before.items():
        signal.signal(number, handler)
    drain_requested.clear()
    for child in children.processes:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_children_that_listen_end_by_themselves(children: Children, number: signal.Signals) -> None:
    children.start(LISTENS)
    children.start(LISTENS)
    Drain(children.stop_taking, children.running, 60).install()
    signal.raise_signal(number)
    assert (children.codes(), children.stops) == ([0, 0], 1)


def test_child_that_does_not_listen_is_killed_when_its_time_is_over(children: Children) -> None:
    children.start(IS_DEAF)
    Drain(children.stop_taking, children.running, 0.5).install()
    began_at = time.monotonic()
    signal.raise_signal(signal.SIGTERM)
    assert children.codes() == [-signal.SIGKILL]
    assert time.monotonic() - began_at >= 0.5


def test_second_signal_does_not_wait(children: Children) -> None:
    children.start(IS_DEAF)
    Drain(children.stop_taking, children.running, 60).install()
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    assert (children.codes(), children.stops) == ([-signal.SIGKILL], 1)


def test_task_that_begins_while_its_worker_ends_hears_of_it(children: Children) -> None:
    assert not listen_for_drain().is_set()
    signal.raise_signal(signal.SIGTERM)
    assert listen_for_drain().is_set()
