"""What are windows measured by, where all that their series has before their end counts? Shift and scale up to each step, computed once."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from app.series.panel import TARGET, Panel
from app.series.scaling import WindowScaling
from app.spec.forecaster import ForecasterSpec


def units_over_series(
    spec: ForecasterSpec, panel: Panel, device: torch.device
) -> tuple[Float[Tensor, " total"], Float[Tensor, " total"]] | None:
    """Shift and scale of the target at each position, of all that its series has up to there; None where windows are measured alone.

    Args:
        spec: says which.
        panel: the series.
        device: where they lie.
    """
    if spec.scaling.over == "window":
        return None
    running = WindowScaling.running(panel.columns[TARGET], panel.offsets, spec.scaling.target)
    return torch.from_numpy(running.shift).to(device), torch.from_numpy(running.scale).to(device)
