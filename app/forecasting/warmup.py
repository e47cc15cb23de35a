"""What is slow the first time? Kernels, which are set up when they are first asked: done before a process says that it is ready."""

from __future__ import annotations

import numpy as np
import torch

from app.forecasting.batcher import MOST_AT_ONCE
from app.forecasting.carried import Carrier
from app.forecasting.forecaster import Forecaster
from app.forecasting.histories import History
from app.forecasting.observations import Observation
from app.nets.build import build
from app.nets.packed_cell import pack_cells
from app.series.scaling import CovariateScaling
from app.spec.parse import parse_spec

CELLS = ("lstm", "gru", "elman")
CONTEXT, HORIZON, UNITS = 8, 2, 8


def warm_up() -> None:
    """Forecast with small networks that nobody trained: one series, a full batch, and a session."""
    history = History("a", 0, {"y": np.arange(CONTEXT, dtype=np.float64)}, {})
    for cell in CELLS:
        forecaster = _small(cell)
        for count in (1, MOST_AT_ONCE):
            forecaster.predict([history] * count, (0.1, 0.9))
        carrier = Carrier(forecaster)
        carrier.forecast(carrier.observe(carrier.open([history]), [Observation(np.ones(1))]), ["a"], (0.1, 0.9))


def _small(cell: str) -> Forecaster:
    layers = {"kind": "stack", "blocks": [{"kind": "dense", "units": UNITS}, {"kind": cell, "units": UNITS}]}
    spec = parse_spec({"context": CONTEXT, "horizon": HORIZON, "network": layers, "head": {"kind": "normal"}})
    network = build(spec)
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    network.eval().requires_grad_(requires_grad=False)
    pack_cells(network)
    return Forecaster(spec, network, "1", 1, "integer", CovariateScaling({}, {}))
