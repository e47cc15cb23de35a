"""Freed memory stays with the process while it trains, and it imports nothing that training has no use for."""

import subprocess
import sys

import pytest

# Large enough that glibc maps it anew each time, unless told otherwise.
PROGRAM = """
import ctypes, resource, sys
from worker.memory import give_back_freed_memory, keep_freed_memory
assert keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
def touch():
    block = libc.malloc(64 << 20)
    libc.memset(block, 1, 64 << 20)
    libc.free(block)
touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    touch()
    if sys.argv[1] == "given back":
        give_back_freed_memory()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""

TRAINING = """
import sys
from tests.worker.training.lessons import training_of
from worker.training.fit import fit
for _ in fit(training_of()):
    pass
print(sorted({"torch._dynamo", "torch._inductor", "sympy"} & sys.modules.keys()))
"""

PAGES = 3 * 64 * 256


def page_faults(mode: str) -> int:
    return int(subprocess.run([sys.executable, "-c", PROGRAM, mode], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_freed_memory_is_used_again_without_page_faults() -> None:
    assert page_faults("kept") < PAGES / 10


@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_freed_memory_can_be_given_back() -> None:
    assert page_faults("given back") > PAGES / 2


def test_a_training_does_without_the_compiler_of_torch() -> None:
    found = subprocess.run([sys.executable, "-c", TRAINING], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"
