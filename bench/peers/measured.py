"""What does a forecast cost? Wall and CPU seconds and peak memory of a command, or of what the service did meanwhile.

Linux alone tells the latter.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from app.errors import BraidcastError

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC"), "1") | {
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
}
TICKS = os.sysconf("SC_CLK_TCK")
MEBIBYTE = 1024


def run(command: Sequence[str], folder: Path, log: Path, more: dict[str, str]) -> dict[str, float]:
    """What a command cost from its start to its end, with one thread.

    Raises:
        BraidcastError: it failed; with the end of what it wrote.
    """
    began_at = time.monotonic()
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=folder, env=os.environ | ONE_THREAD | more, stdout=out, stderr=out)
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BraidcastError(f"{' '.join(command)} ended with {process.returncode}: {log.read_text(errors='replace')[-2000:]}")
    return cost(time.monotonic() - began_at, used.ru_utime + used.ru_stime, used.ru_maxrss)


def of_children(work: Callable[[], dict[str, float]]) -> dict[str, float]:
    """What some work returns, with what the processes below this one used for it: the memory is that of the largest."""
    for pid in below(os.getpid()):
        with contextlib.suppress(OSError):
            Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak begins anew
    began_at, cpu = time.monotonic(), cpu_seconds()
    found = work()
    wall = time.monotonic() - began_at
    peak = max(peak_kibibytes(pid) for pid in below(os.getpid()))
    return found | cost(wall, cpu_seconds() - cpu, peak)


def cost(wall: float, cpu: float, kibibytes: float) -> dict[str, float]:
    """As the table has it."""
    return {"wall s": wall, "CPU s": cpu, "peak MiB": kibibytes / MEBIBYTE}


def stat(pid: int) -> list[str]:
    """Fields of /proc/PID/stat from the third on; none, where the process has gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def below(pid: int) -> list[int]:
    """Processes that come from one."""
    parents = {int(path.name): stat(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdigit()}
    found, level = [], {pid}
    while level:
        level = {child for child, fields in parents.items() if fields and int(fields[1]) in level}
        found += sorted(level)
    return found


def cpu_seconds() -> float:
    """User and system seconds of all processes below this one, with those of theirs that have ended."""
    return sum(sum(int(ticks) for ticks in fields[11:15]) for fields in map(stat, below(os.getpid())) if fields) / TICKS


def peak_kibibytes(pid: int) -> int:
    """The most memory that a process had."""
    with contextlib.suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        return int(found[1]) if found else 0
    return 0
