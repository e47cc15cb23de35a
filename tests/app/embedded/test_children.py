"""One part of the service."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from app.embedded.children import FIRST_PAUSE_SECONDS, Child
from app.embedded.endings import end, is_running
from app.embedded.logs import Log
from tests.app.embedded.parts import DIES, STAYS, STUBBORN, WITH_A_CHILD_OF_ITS_OWN, part, text_of, wait_for, wait_until_gone


def started(tmp_path: Path, code: str, grace_seconds: float = 10.0) -> Child:
    child = Child(part("worker", code, grace_seconds=grace_seconds), Log(tmp_path / "worker.log"))
    child.start()
    return child


def pid_of(child: Child) -> int:
    assert child.pid is not None
    return child.pid


def test_a_part_that_runs_is_not_buried(tmp_path: Path) -> None:
    child = started(tmp_path, STAYS)
    wait_for(lambda: text_of(tmp_path / "worker.log") == "here\n")
    assert child.is_alive
    assert child.bury() is None
    assert child.end()
    assert not child.is_alive


def test_a_part_that_ended_says_how_and_starts_again_after_a_growing_pause(tmp_path: Path) -> None:
    child = started(tmp_path, DIES)
    wait_for(lambda: not child.is_alive)
    assert child.bury() == f"worker ended with exit code 7; it starts again in {FIRST_PAUSE_SECONDS:g} s."
    assert child.bury() is None
    assert child.pid is None
    assert not child.is_due
    wait_for(lambda: child.is_due)
    child.start()
    wait_for(lambda: not child.is_alive)
    assert child.bury() == f"worker ended with exit code 7; it starts again in {2 * FIRST_PAUSE_SECONDS:g} s."
    assert child.deaths == 2


def test_a_part_that_was_killed_says_by_what(tmp_path: Path) -> None:
    child = started(tmp_path, STAYS)
    os.kill(pid_of(child), signal.SIGKILL)
    wait_for(lambda: not child.is_alive)
    assert str(child.bury()).startswith("worker was ended by SIGKILL")


def test_a_signal_without_a_name_is_told_by_its_number(tmp_path: Path) -> None:
    child = started(tmp_path, STAYS)
    os.kill(pid_of(child), 40)
    wait_for(lambda: not child.is_alive)
    assert str(child.bury()).startswith("worker was ended by signal 40")


def test_what_a_killed_part_had_started_ends_with_it(tmp_path: Path) -> None:
    child = started(tmp_path, WITH_A_CHILD_OF_ITS_OWN)
    wait_for(lambda: text_of(tmp_path / "worker.log").endswith("\n"))
    grandchild = int(text_of(tmp_path / "worker.log"))
    assert is_running(grandchild)
    os.kill(pid_of(child), signal.SIGKILL)
    wait_for(lambda: not child.is_alive)
    child.bury()
    wait_until_gone(grandchild)


def test_a_part_that_does_not_end_in_time_is_killed(tmp_path: Path) -> None:
    child = started(tmp_path, STUBBORN, grace_seconds=0.2)
    wait_for(lambda: text_of(tmp_path / "worker.log") == "here\n")
    assert not child.end()
    assert not child.is_alive


def test_a_part_is_killed_at_once_when_there_is_a_hurry(tmp_path: Path) -> None:
    child = started(tmp_path, STUBBORN)
    wait_for(lambda: text_of(tmp_path / "worker.log") == "here\n")
    assert not child.end(is_hurried=lambda: True)
    assert not child.is_alive


def test_a_part_that_does_not_run_has_ended(tmp_path: Path) -> None:
    assert Child(part("worker", STAYS), Log(tmp_path / "worker.log")).end()


def test_ending_what_is_gone_already_is_no_mistake() -> None:
    with subprocess.Popen([sys.executable, "-c", ""], start_new_session=True) as gone:
        gone.wait()
    assert end(gone.pid, 1, is_alive=lambda: False)


def test_a_process_that_nobody_waited_for_is_not_running() -> None:
    with subprocess.Popen([sys.executable, "-c", "print()"], stdout=subprocess.PIPE) as zombie:
        assert zombie.stdout is not None
        zombie.stdout.read()
        wait_for(lambda: not is_running(zombie.pid))
        assert zombie.returncode is None


def test_a_process_of_somebody_else_is_running() -> None:
    assert is_running(1)
