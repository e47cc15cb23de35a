"""Runs the demo on the home that is named: `python -m app.demo HOME`."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

from app.demo.story import run_demo
from app.errors import BraidcastError


def main() -> None:
    """Runs the demo; what goes wrong is one sentence and exit code 1."""
    console = Console(highlight=False)
    try:
        run_demo(Path(sys.argv[1]), console)
    except BraidcastError as error:
        _leave(error.detail)
    except KeyboardInterrupt:
        _leave("The demo was interrupted; its service has ended.")


def _leave(sentence: str) -> None:
    Console(stderr=True, highlight=False).print(Text(sentence), soft_wrap=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
