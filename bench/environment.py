"""Where do other people's programs live that a benchmark sets beside ours? In an environment of their own, installed on first use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def interpreter(name: str, wanted: Path) -> Path:
    """The Python of an environment.

    Args:
        name: of its folder, in the project's own.
        wanted: its requirements; where they have changed, they are installed anew.

    Raises:
        CalledProcessError: they cannot be installed.
    """
    environment = ROOT / name
    python, stamp = environment / "bin" / "python", environment / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted.read_text():
        print(f"Installing {wanted} into {environment}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--requirement", wanted], check=True)
        stamp.write_text(wanted.read_text())
    return python
