"""What does a job's request ask of its worker, beside the network?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl
import torch

from app.errors import JobError
from app.series.categories import find_categories
from app.spec.blocks import replaced
from app.spec.compile import compile_spec
from app.spec.forecaster import ForecasterSpec
from app.spec.leaves import Smooth
from app.spec.limits import UNLIMITED

SHARED_FROM = 500_000_000
"""Multiply-adds of a batch from which on a second thread pays.

Measured on two Zen 4 cores, a step of two LSTM layers: of 1.3 G 105 ms on one thread and 59 ms on two, of 158 M 11.5 and 9.1 ms, below 10 M
the same. Beside a busy neighbour a second thread makes small steps 20 times slower.
"""


def device_of(request: Mapping[str, Any]) -> torch.device:
    """Where a job is to compute: what its `resources.device` asks for, a GPU where there is one by default.

    Raises:
        JobError: it asks for a GPU and there is none.
    """
    wanted = (request.get("resources") or {}).get("device") or "auto"
    if wanted == "gpu" and not torch.cuda.is_available():
        raise JobError("this worker has no GPU; use resources.device 'auto', or start a worker with one", code="no_gpu")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def season_of(request: Mapping[str, Any], default: int) -> int:
    """Steps of one season: the request's, the shortest of several, or the dataset's."""
    asked = request.get("season")
    if isinstance(asked, list):
        return int(min(asked)) if asked else default
    return default if asked is None else int(asked)


def with_categories(spec: ForecasterSpec, frame: pl.DataFrame) -> ForecasterSpec:
    """The description with the words of its static columns, which only the data says.

    Raises:
        UnfitDataError: a static column changes within a series, or has too many words.
    """
    inputs = {
        name: group.model_copy(update={"categories": find_categories(frame, group.columns)}) if group.known == "static" else group
        for name, group in spec.inputs.items()
    }
    return spec.model_copy(update={"inputs": inputs})


def with_series(spec: ForecasterSpec, series: int) -> ForecasterSpec:
    """The description with parameters for so many series, where a layer has any of each: fewer, where some had not begun."""
    network = replaced(spec.network, lambda block: block.model_copy(update={"series": series}) if isinstance(block, Smooth) else block)
    return spec.model_copy(update={"network": network})


def is_compared(request: Mapping[str, Any]) -> bool:
    """Whether the network is to be trained all together too, beside its phases."""
    return request.get("compare") == "joint"


def threads_of(spec: ForecasterSpec, most: int) -> int:
    """Threads that a training is worth.

    Args:
        spec: the description.
        most: that it may have.
    """
    compiled = compile_spec(spec, UNLIMITED)
    work = compiled.multiply_adds * compiled.batch
    return most if work >= SHARED_FROM else 1
