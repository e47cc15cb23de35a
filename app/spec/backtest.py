"""What does a request for a backtest decide beside the network? How many cutoffs, how far apart, whether anew before each, beside what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

DEFAULT_WINDOWS = 5

MOST_WINDOWS = 100
"""Of one backtest: each is forecast by every method, and may be a training."""

Baseline = Literal["theta", "ets"]

BASELINES: tuple[Baseline, ...] = ("theta", "ets")
"""What a model is held against beside seasonal naive, which is always there."""


@dataclass(frozen=True)
class BacktestPlan:
    """Rolling cutoffs.

    Attributes:
        windows: cutoffs, the last of them a horizon before the end of each series.
        step: steps from one cutoff to the next.
        refit: whether the network is trained anew before each.
        baselines: methods beside seasonal naive.
    """

    windows: int
    step: int
    refit: bool
    baselines: tuple[str, ...]

    @property
    def reach(self) -> int:
        """Steps from the first cutoff to the last."""
        return (self.windows - 1) * self.step


def backtest_plan(request: Mapping[str, Any], horizon: int) -> BacktestPlan:
    """The plan of a request, with what it leaves out.

    Args:
        request: the body.
        horizon: steps that are forecast from each cutoff.
    """
    baselines = request.get("baselines")
    return BacktestPlan(
        windows=int(request.get("windows") or DEFAULT_WINDOWS),
        step=int(request.get("step") or horizon),
        refit=bool(request.get("refit", False)),
        baselines=BASELINES if baselines is None else tuple(dict.fromkeys(baselines)),
    )
