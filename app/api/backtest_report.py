"""What does a backtest answer? Scores of the model and of its baselines, and how far its intervals are to be trusted."""

from __future__ import annotations

from pydantic import BaseModel

Scores = dict[str, float | None]
"""By name: `smape`, `mase`, `rmsse`, `mae`, `rmse`, `pinball` (of 0.1, 0.5 and 0.9), `coverage_80`, `coverage_95`, `msis` (of 95 %)."""


class WindowReport(BaseModel):
    """One cutoff of each series; they are as far from the ends of their series, so that their times may differ.

    `seen` is the share of its series of which a stored model was trained or chosen with steps that it forecasts here; null where nobody
    knows.
    """

    first_cutoff: str | int | None
    last_cutoff: str | int | None
    series: int
    seen: float | None
    scores: dict[str, Scores]


class StepReport(BaseModel):
    """One step of the horizon, over all windows and series."""

    step: int
    scores: dict[str, Scores]


class SeriesReport(BaseModel):
    """One series, over all its windows."""

    unique_id: str
    windows: int
    scores: dict[str, Scores]


class MeasuredReport(BaseModel):
    """Share of the observed values that lie in their interval, and its mean scaled interval score."""

    coverage: float | None
    msis: float | None


class CorrectedReport(MeasuredReport):
    """The same of corrected intervals, in as many windows as could be corrected by those before them."""

    windows: int


class IntervalReport(MeasuredReport):
    """The model's intervals of a level, as they are and after a split conformal correction.

    `corrected` learns from earlier windows alone; `uncorrected_same_windows` is to be compared with it. `margins` has for each step what is
    to be added at each side of an interval to come, by all windows, in units of the series' seasonal error (what MASE divides by).
    """

    level: int
    corrected: CorrectedReport | None
    uncorrected_same_windows: MeasuredReport | None
    margins: list[float | None] | None


class BacktestReport(BaseModel):
    """What a backtest came to; `scores`, and those of its parts, are by who forecasts: `model`, `seasonal_naive`, `theta`, `ets`.

    `trained` is `before` for a stored model as it is, `once` before the first cutoff, or `each`. `skill` is 1 - MASE of the model over that
    of the baseline. `series` has those that the model is worst at, at most 100; `steps` has at most 500.
    """

    model: str | None
    trained: str
    horizon: int
    season: int
    step: int
    scores: dict[str, Scores]
    skill: Scores
    intervals: list[IntervalReport]
    windows: list[WindowReport]
    steps: list[StepReport]
    series: list[SeriesReport]
    series_scored: int
    series_left_out: int
    notes: list[str]
