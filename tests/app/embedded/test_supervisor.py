"""The parts together."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.embedded.endings import is_running
from app.embedded.lock import HomeLock
from app.embedded.signals import EndRequest
from app.embedded.supervisor import Supervisor
from app.errors import BraidcastError, ConflictError
from tests.app.embedded.parts import DIES, SAYS_WHEN_IT_ENDS, STAYS, STUBBORN, part, text_of, wait_for, wait_until_gone


@dataclass
class Heard:
    """What was shown."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, name: str, line: str) -> None:
        self.lines.append((name, line))


@dataclass
class Stage:
    """A supervisor in a home of its own."""

    home: Path
    lock: HomeLock
    request: EndRequest = field(default_factory=EndRequest)
    heard: Heard = field(default_factory=Heard)
    borrowed: list[Path] = field(default_factory=list)

    def supervisor(self) -> Supervisor:
        return Supervisor(self.home / "logs", self.lock.descriptor, self.borrowed, self.request, self.heard)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with HomeLock(tmp_path / "home", "") as lock:
        yield Stage(tmp_path / "home", lock)


def pids(supervisor: Supervisor) -> list[int]:
    return [child.pid for child in supervisor.children if child.pid is not None]


def test_lines_of_the_parts_are_shown_with_their_names(stage: Stage) -> None:
    with stage.supervisor() as supervisor:
        supervisor.start(part("redis", STAYS))
        supervisor.start(part("api", STAYS))
        assert supervisor.run_until(lambda: len(stage.heard.lines) == 2)
    assert sorted(stage.heard.lines) == [("api", "here"), ("redis", "here")]
    assert text_of(stage.home / "logs" / "api.log") == "here\n"


def test_parts_end_in_the_reverse_of_their_start(stage: Stage) -> None:
    order = stage.home / "order"
    with stage.supervisor() as supervisor:
        for name in ("redis", "worker", "api"):
            supervisor.start(part(name, SAYS_WHEN_IT_ENDS, str(order), name))
        assert supervisor.run_until(lambda: len(stage.heard.lines) == 3)
        mortals = pids(supervisor)
    assert order.read_text().split() == ["api", "worker", "redis"]
    assert not any(map(is_running, mortals))


def test_a_part_that_was_killed_is_started_again(stage: Stage) -> None:
    with stage.supervisor() as supervisor:
        supervisor.start(part("worker", STAYS))
        assert supervisor.run_until(lambda: len(stage.heard.lines) == 1)
        (first,) = pids(supervisor)
        os.kill(first, signal.SIGKILL)
        assert supervisor.run_until(lambda: len(stage.heard.lines) == 3)
        assert pids(supervisor) != [first]
    assert stage.heard.lines[1] == ("up", "worker was ended by SIGKILL; it starts again in 0.5 s.")


def test_a_part_that_never_starts_is_given_up_with_its_last_lines(stage: Stage) -> None:
    with stage.supervisor() as supervisor:
        supervisor.start(part("redis", STAYS))
        supervisor.start(part("api", DIES))
        mortals = pids(supervisor)[:1]
        with pytest.raises(BraidcastError, match=r"api does not start; the last lines of .*api\.log are:\nno such table"):
            supervisor.run_until(lambda: False)
    wait_until_gone(*mortals)


def test_a_part_that_dies_after_the_service_was_ready_is_never_given_up(stage: Stage) -> None:
    with stage.supervisor() as supervisor:
        supervisor.has_been_ready = True
        supervisor.start(part("worker", DIES))
        assert supervisor.run_until(lambda: supervisor.children[0].deaths == 3)


def test_waiting_ends_when_somebody_asks(stage: Stage) -> None:
    threading.Timer(0.3, stage.request.make).start()
    with stage.supervisor() as supervisor:
        supervisor.start(part("redis", STAYS))
        assert not supervisor.run_until(lambda: False)


def test_a_part_that_will_not_end_is_killed_and_that_is_said(stage: Stage) -> None:
    with stage.supervisor() as supervisor:
        supervisor.start(part("worker", STUBBORN, grace_seconds=0.3))
        assert supervisor.run_until(lambda: len(stage.heard.lines) == 1)
        mortals = pids(supervisor)
    assert stage.heard.lines[-1] == ("up", "worker did not end within 0.3 s and was killed.")
    wait_until_gone(*mortals)


def test_folders_outside_the_home_go_with_the_last_part(stage: Stage, tmp_path: Path) -> None:
    borrowed = tmp_path / "borrowed"
    borrowed.mkdir()
    (borrowed / "redis.sock").touch()
    stage.borrowed.append(borrowed)
    with stage.supervisor() as supervisor:
        supervisor.start(part("redis", STAYS))
    assert not borrowed.exists()


def test_a_guard_that_was_killed_is_replaced(stage: Stage) -> None:
    with stage.supervisor() as supervisor:
        supervisor.start(part("redis", STAYS))
        first = supervisor.guard.pid
        os.kill(first, signal.SIGKILL)
        assert supervisor.run_until(lambda: supervisor.guard.pid != first)
        second = supervisor.guard.pid
        assert is_running(second)
    wait_until_gone(second)


PARENT = """
import sys
from pathlib import Path
from app.embedded.lock import HomeLock
from app.embedded.signals import EndRequest
from app.embedded.supervisor import Supervisor
from tests.app.embedded.parts import SAYS_WHEN_IT_ENDS, WITH_A_CHILD_OF_ITS_OWN, part
home = Path(sys.argv[1])
with HomeLock(home, "") as lock, Supervisor(home / "logs", lock.descriptor, [home / "borrowed"], EndRequest(), print) as supervisor:
    supervisor.start(part("redis", SAYS_WHEN_IT_ENDS, str(home / "order"), "redis"))
    supervisor.start(part("worker", WITH_A_CHILD_OF_ITS_OWN, grace_seconds=2))
    supervisor.start(part("api", SAYS_WHEN_IT_ENDS, str(home / "order"), "api"))
    supervisor.run_until(lambda: all(list(child.log.last_lines(1)) for child in supervisor.children))
    print(*[child.pid for child in supervisor.children], supervisor.children[1].log.last_lines(1)[0], flush=True)
    supervisor.run_until(lambda: False)
"""


def test_nothing_stays_when_the_parent_is_killed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "borrowed").mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", PARENT, str(home)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        mortals = next([int(pid) for pid in line.split()] for line in parent.stdout if line.split()[0].isdigit() and len(line.split()) == 4)
        assert all(map(is_running, mortals))
        with pytest.raises(ConflictError):
            HomeLock(home, "")
        parent.kill()
    wait_until_gone(*mortals)
    wait_for(lambda: not (home / "borrowed").exists())
    assert (home / "order").read_text().split() == ["api", "redis"]

    def can_be_locked() -> bool:
        try:
            with HomeLock(home, ""):
                return True
        except ConflictError:
            return False

    wait_for(can_be_locked)
