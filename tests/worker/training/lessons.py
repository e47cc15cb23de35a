"""Something to learn for the tests of training: waves, and networks of some hundred numbers."""

from typing import Any

import numpy as np
import torch

from app.nets.build import build
from app.series.frequency import parse_frequency
from app.series.panel import Panel
from app.spec.forecaster import ForecasterSpec
from app.spec.parse import parse_spec
from worker.training.events import Event
from worker.training.fit import Training
from worker.training.material import prepare

CPU = torch.device("cpu")
SEASON = 7


def waves(series: int = 3, length: int = 120, noise: float = 0.1, missing: float = 0.0, seed: int = 0) -> Panel:
    """Daily waves of a week, each series at its own level, with a covariate."""
    generator = np.random.default_rng(seed)
    steps = np.tile(np.arange(length), series)
    level = np.repeat(10.0 + np.arange(series), length)
    y = level + np.sin(2 * np.pi * steps / SEASON) + noise * generator.normal(size=len(steps))
    y[generator.random(len(y)) < missing] = np.nan
    starts = np.full(series, np.datetime64("2024-01-01", "us"))
    offsets = np.arange(series + 1) * length
    ids = tuple(f"s{number}" for number in range(series))
    return Panel(ids, parse_frequency("D"), starts, offsets, {"y": y, "x": np.cos(2 * np.pi * steps / SEASON)})


def spec_of(**changes: Any) -> ForecasterSpec:
    document: dict[str, Any] = {
        "context": 14,
        "horizon": 4,
        "network": {
            "kind": "stack",
            "blocks": [{"kind": "lstm", "units": 8, "dropout": 0.2}, {"kind": "gru", "units": 6, "reset": "before"}],
        },
        "training": {"epochs": 3, "batch_size": 32, "patience": None},
    }
    return parse_spec(document | changes)


def training_of(spec: ForecasterSpec | None = None, panel: Panel | None = None) -> Training:
    spec, panel = spec or spec_of(), panel or waves()
    return Training(spec, build(spec), prepare(spec, panel, CPU), CPU)


def said(event: Event) -> tuple[object, ...]:
    """All that an event says but how long it took."""
    values = {name: value for name, value in vars(event).items() if name not in {"seconds", "cpu_seconds"}}
    return type(event).__name__, *values.items()
