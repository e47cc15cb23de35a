"""How good would the forecasts have been? Scores overall, by window, by step and by series, of the model and of each baseline.

Scores of several windows are means over all their observed steps; RMSSE is the mean over windows and series of a root each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from app.series.moments import write_moments
from app.series.panel import Panel
from app.series.scores import coverage, mae, mase, msis, pinball, rmse, rmsse, smape
from app.series.time_values import TimeKind
from app.series.windows import Cutoffs
from worker.backtesting.intervals import interval_answers
from worker.backtesting.windows import MODEL, QUANTILES, Forecasts, Window, known

Values = npt.NDArray[np.float64]

MOST_SERIES = 100
"""Series that an answer lists, those that the model is worst at."""

MOST_STEPS = 500
"""Steps of the horizon that an answer lists, from the first on."""

SCORED_QUANTILES = (0.1, 0.5, 0.9)

PLACE = {level: 1 + place for place, level in enumerate(QUANTILES)}
"""Where each quantile stands in a forecast, behind the mean."""

Scores = dict[str, float | None]


def scores_of(actual: Values, forecast: Values, scales: Values, squares: Values) -> Scores:
    """All scores of one who forecasts; None where one is of nothing.

    Args:
        actual: [rows, steps].
        forecast: [rows, steps, mean and QUANTILES].
        scales: [rows], of MASE and MSIS.
        squares: [rows], of RMSSE.
    """
    mean, bound = forecast[..., 0], {level: forecast[..., place] for level, place in PLACE.items()}
    return {
        "smape": known(smape(actual, mean)),
        "mase": known(mase(actual, mean, scales)),
        "rmsse": known(rmsse(actual, mean, squares)),
        "mae": known(mae(actual, mean)),
        "rmse": known(rmse(actual, mean)),
        "pinball": known(float(np.mean([pinball(actual, bound[level], level) for level in SCORED_QUANTILES]))),
        "coverage_80": known(coverage(actual, bound[0.1], bound[0.9])),
        "coverage_95": known(coverage(actual, bound[0.025], bound[0.975])),
        "msis": known(msis(actual, bound[0.025], bound[0.975], scales, 0.95)),
    }


def answer_of(panel: Panel, windows: Sequence[Window], step: int, time_kind: TimeKind) -> dict[str, Any]:
    """The whole answer but what only the job knows.

    Args:
        panel: the series.
        windows: oldest first; all have the same who forecast, and at least one has series.
        step: steps from one cutoff to the next.
        time_kind: how times are written.
    """
    joined = _joined(windows)
    scores = _all_scores(joined)
    return {
        "scores": scores,
        "skill": _skill(scores),
        "windows": [_window(panel, window, time_kind) for window in windows],
        "steps": _steps(joined),
        "series": _series(panel, joined),
        "series_scored": len(np.unique(joined.cutoffs.series)),
        "series_left_out": len(panel.ids) - len(np.unique(joined.cutoffs.series)),
        "intervals": interval_answers(windows, step),
    }


def _joined(windows: Sequence[Window]) -> Window:
    """All windows as one."""
    by = {name: np.concatenate([one.forecasts.by[name] for one in windows]) for name in windows[0].forecasts.by}
    cutoffs = Cutoffs(np.concatenate([one.cutoffs.series for one in windows]), np.concatenate([one.cutoffs.position for one in windows]))
    return Window(
        cutoffs=cutoffs,
        actual=np.concatenate([one.actual for one in windows]),
        scales=np.concatenate([one.scales for one in windows]),
        squares=np.concatenate([one.squares for one in windows]),
        forecasts=Forecasts(by),
    )


def _all_scores(window: Window, rows: npt.NDArray[np.int64] | slice = slice(None), steps: slice = slice(None)) -> dict[str, Scores]:
    """Scores of everybody, of some rows and steps."""
    parts = (window.actual[rows, steps], window.scales[rows], window.squares[rows])
    return {name: scores_of(parts[0], values[rows, steps], *parts[1:]) for name, values in window.forecasts.by.items()}


def _skill(scores: Mapping[str, Scores]) -> dict[str, float | None]:
    """What share of each baseline's MASE the model does without; negative where it is worse."""
    mine = scores[MODEL]["mase"]
    theirs = {name: found["mase"] for name, found in scores.items() if name != MODEL}
    return {name: known(1.0 - mine / other) if mine is not None and other else None for name, other in theirs.items()}


def _window(panel: Panel, window: Window, time_kind: TimeKind) -> dict[str, Any]:
    series = window.cutoffs.series
    if not len(series):
        return {"first_cutoff": None, "last_cutoff": None, "series": 0, "scores": {}}
    cutoffs = panel.freq.shift(panel.starts[series], window.cutoffs.position - panel.offsets[series])
    first, last = write_moments(np.array([cutoffs.min(), cutoffs.max()]), time_kind)
    return {"first_cutoff": first, "last_cutoff": last, "series": len(series), "scores": _all_scores(window)}


def _steps(joined: Window) -> list[dict[str, Any]]:
    steps = min(joined.actual.shape[1], MOST_STEPS)
    return [{"step": step + 1, "scores": _all_scores(joined, steps=slice(step, step + 1))} for step in range(steps)]


def _series(panel: Panel, joined: Window) -> list[dict[str, Any]]:
    """The series that the model is worst at by MASE, or by MAE where there is no scale."""
    order = np.argsort(joined.cutoffs.series, kind="stable")
    series, firsts = np.unique(joined.cutoffs.series[order], return_index=True)
    rows = dict(zip(series.tolist(), np.split(order, firsts[1:]), strict=True))
    errors = {
        one: scores_of(joined.actual[at], joined.forecasts.by[MODEL][at], joined.scales[at], joined.squares[at]) for one, at in rows.items()
    }
    worst = sorted(errors, key=lambda one: (errors[one]["mase"] is None, -(errors[one]["mase"] or errors[one]["mae"] or 0.0)))
    return [
        {"unique_id": panel.ids[one], "windows": len(rows[one]), "scores": _all_scores(joined, rows[one])} for one in worst[:MOST_SERIES]
    ]
