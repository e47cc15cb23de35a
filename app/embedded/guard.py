"""Who ends the children when their parent was killed and cannot?

The guard is a process of its own that does nothing but read a pipe from the parent. Each line says what there is to end, in order. When the
pipe closes, the parent is gone, however it went, and the guard ends what the last line named. It inherits the lock on the home, so that
nobody starts there before it is done. This works on every POSIX system and needs nothing of the children; Linux's death signal would reach
neither their own children nor other systems.

    up ──pipe──> guard          killed -9: the pipe closes
     ├── redis   <───┘ ends     worker, then Redis, ...
     └── worker  <───┘
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from app.embedded.endings import end, is_running


@dataclass(frozen=True)
class Mortal:
    """A process that must not outlive its parent, and how long it may take to end."""

    pid: int
    grace_seconds: float


@dataclass(frozen=True)
class Estate:
    """What is left when the parent is gone.

    Attributes:
        mortals: the processes, in the order in which they end.
        paths: files and folders that go last.
    """

    mortals: tuple[Mortal, ...] = ()
    paths: tuple[str, ...] = ()

    def to_line(self) -> bytes:
        """One line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Estate:
        """Reads what `to_line` wrote."""
        known = json.loads(line)
        return cls(tuple(Mortal(**one) for one in known["mortals"]), tuple(known["paths"]))

    def wind_up(self) -> None:
        """Ends the processes one after another and removes the paths."""
        for mortal in self.mortals:
            end(mortal.pid, mortal.grace_seconds, is_alive=partial(is_running, mortal.pid))
        for path in self.paths:
            remove(Path(path))


def remove(path: Path) -> None:
    """Removes a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


class Guard:
    """The parent's end of the pipe.

    Args:
        lock_descriptor: of the lock on the home, which the guard holds on to.
    """

    def __init__(self, lock_descriptor: int) -> None:
        self._lock_descriptor = lock_descriptor
        self._estate = Estate()
        self._process = self._start()

    @property
    def pid(self) -> int:
        """The guard's process."""
        return self._process.pid

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "app.embedded.guard"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            pass_fds=(self._lock_descriptor,),
            start_new_session=True,
        )

    def keep(self, mortals: Sequence[Mortal], paths: Sequence[Path]) -> None:
        """Tells the guard what there is to end, and starts another guard where somebody ended this one."""
        estate = Estate(tuple(mortals), tuple(map(str, paths)))
        is_gone = self._process.poll() is not None
        if is_gone:
            self.dismiss()
            self._process = self._start()
        if estate != self._estate or is_gone:
            self._estate = estate
            self._tell()

    def _tell(self) -> None:
        stdin = self._process.stdin
        if stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # ended just now: the next `keep` starts another
                stdin.write(self._estate.to_line())

    def dismiss(self) -> None:
        """Ends the guard; what it still keeps ends with it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()


def main() -> None:
    """Reads until the parent is gone, then ends what it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    estate = Estate()
    for line in sys.stdin.buffer:
        estate = Estate.from_line(line)
    estate.wind_up()


if __name__ == "__main__":
    main()
