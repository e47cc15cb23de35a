"""Small parts for a supervisor: programs that say one thing and do one thing."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from app.embedded.children import Command
from app.embedded.endings import is_running

STAYS = "import time; print('here', flush=True); time.sleep(600)"

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(600)"

WITH_A_CHILD_OF_ITS_OWN = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""

DIES = "print('no such table', flush=True); raise SystemExit(7)"

SAYS_WHEN_IT_ENDS = """
import os, signal, sys, time
def end(*_):
    os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT), sys.argv[2].encode() + b"\\n")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("here", flush=True)
time.sleep(600)
"""


def part(name: str, code: str, *arguments: str, grace_seconds: float = 10.0) -> Command:
    return Command(name, (sys.executable, "-c", code, *arguments), dict(os.environ), grace_seconds)


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.02)


def wait_until_gone(*pids: int) -> None:
    wait_for(lambda: not any(is_running(pid) for pid in pids))


def text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""
