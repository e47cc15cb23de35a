"""One `up` at a time on a home."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from app.embedded.lock import HomeLock
from app.errors import ConflictError

HOLD = """
import sys, time
from pathlib import Path
from app.embedded.lock import HomeLock
with HomeLock(Path(sys.argv[1]), "http://127.0.0.1:8123"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_lock_says_who_holds_the_first(tmp_path: Path) -> None:
    with HomeLock(tmp_path, "http://127.0.0.1:8123"), pytest.raises(ConflictError) as caught:
        HomeLock(tmp_path, "http://127.0.0.1:9000")
    assert caught.value.detail == (
        f"{tmp_path}: another Braidcast runs on this home at http://127.0.0.1:8123 (process {os.getpid()}); "
        "stop it first, or choose another folder with --home."
    )


def test_the_lock_leaves_no_file_behind(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    with HomeLock(home, ""):
        assert (home / "up.lock").exists()
    assert list(home.iterdir()) == []


def test_a_home_can_be_locked_again_after_its_holder_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert (tmp_path / "up.lock").exists()
    with HomeLock(tmp_path, ""):
        pass
    assert not (tmp_path / "up.lock").exists()


def test_a_lock_that_outlives_its_holder_says_so(tmp_path: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    with HomeLock(tmp_path, "") as lock:
        lock.path.write_text(f'{{"pid": {int(gone.stdout)}, "url": ""}}')
        with pytest.raises(ConflictError, match="was killed and its parts are still ending; try again in a moment"):
            HomeLock(tmp_path, "")


def test_a_lock_whose_holder_has_not_written_yet_says_that_one_is_starting(tmp_path: Path) -> None:
    with HomeLock(tmp_path, "") as lock:
        lock.path.write_text("")
        with pytest.raises(ConflictError, match="another Braidcast is starting on this home"):
            HomeLock(tmp_path, "")


def test_a_lock_on_a_file_that_was_removed_meanwhile_is_taken_anew(tmp_path: Path) -> None:
    first = HomeLock(tmp_path, "")
    first.path.unlink()
    with HomeLock(tmp_path, "second") as second:
        assert second.descriptor != first.descriptor
    os.close(first.descriptor)
