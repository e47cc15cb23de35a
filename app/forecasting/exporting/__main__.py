"""`python -m app.forecasting.exporting WEIGHTS TARGET LEVEL...`: a stored model as a file of ONNX, in a process of its own.

A trace holds the interpreter for seconds, sets what is global in torch, and leaves 200 MB behind: nothing for a process that forecasts.
"""

from __future__ import annotations

import sys
from pathlib import Path

from app.forecasting.checkpoint import load
from app.forecasting.exporting.graph import export


def main() -> None:
    """Reads the weights and writes the graph."""
    weights, target, *levels = sys.argv[1:]
    Path(target).write_bytes(export(load(Path(weights).read_bytes()), [float(level) for level in levels]))


if __name__ == "__main__":
    main()
