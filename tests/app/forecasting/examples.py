"""Forecasters and histories for the tests: drawn, not trained."""

from typing import Any

import numpy as np
import torch

from app.forecasting.forecaster import Forecaster
from app.forecasting.histories import History
from app.nets.build import build
from app.nets.heads import RESIDUAL_LEVELS
from app.series.scaling import CovariateScaling
from app.spec.forecaster import ForecasterSpec, QuantilesHead
from app.spec.parse import parse_spec

CONTEXT, HORIZON = 6, 3
START = np.datetime64("2024-01-01", "us")
DOCUMENT: dict[str, Any] = {
    "context": CONTEXT,
    "horizon": HORIZON,
    "inputs": {
        "target": {"columns": ["y"], "features": ["day_of_week"]},
        "weather": {"columns": ["x"], "known": "future"},
        "past": {"columns": ["z"]},
    },
    "network": {"kind": "lstm", "units": 8},
}


def forecaster_of(seed: int = 0, **changes: Any) -> Forecaster:
    """A forecaster with drawn weights."""
    spec = parse_spec({**DOCUMENT, **changes})
    torch.manual_seed(seed)
    network = build(spec)
    network.initialise()
    residuals = torch.linspace(-1, 1, len(RESIDUAL_LEVELS)).expand(HORIZON, -1).clone() if spec.head.kind == "point" else None
    scaling = CovariateScaling({"x": 1.0, "z": -2.0}, {"x": 2.0, "z": 0.5})
    network.eval().requires_grad_(requires_grad=False)
    return Forecaster(spec, network, "D", 7, "zoned", scaling, residuals, widths=widths_of(spec))


def widths_of(spec: ForecasterSpec) -> torch.Tensor | None:
    """Some that a quantiles head might have been measured to want."""
    return torch.tensor([1.0 + abs(level - 0.5) for level in spec.head.levels]) if isinstance(spec.head, QuantilesHead) else None


def history_of(unique_id: str = "a", length: int = 10, seed: int = 0) -> History:
    """A history of daily values, with its future."""
    generator = np.random.default_rng(seed)
    columns = {"y": 10 + generator.normal(size=length), "x": generator.normal(size=length), "z": generator.normal(size=length)}
    return History(unique_id, START, columns, {"x": generator.normal(size=HORIZON)})
