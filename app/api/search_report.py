"""What does a search answer? Its leaderboard, with the baseline in it, and why the winner won."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, JsonValue

from app.store.tables import EventRow, JobRow, TrialRow

SEARCH_KINDS = ("baseline", "chosen")
"""Kinds of events that a search's report is made of beside its trials."""

ORDER = ("complete", "baseline", "running", "pruned", "failed", "refused")


class TrialWindowReport(BaseModel):
    """One window of a trial, oldest first: the mean error over its series, and what the training before it took."""

    score: float
    standard_error: float | None
    series: int
    epochs: int | None = None
    seconds: float | None = None


class TrialReport(BaseModel):
    """A row of the leaderboard: a draw, or the baseline.

    `drawn` has the values by parameter, none of the document as it is; `score` is the mean over `windows`, which are fewer where a trial
    was stopped: `reason` says why.
    """

    trial: int | None
    name: str
    state: Literal["running", "complete", "pruned", "refused", "failed", "baseline"]
    score: float | None
    standard_error: float | None
    parameters: int | None
    drawn: dict[str, JsonValue]
    seconds: float
    windows: list[TrialWindowReport]
    reason: str | None = None
    is_winner: bool = False


class SearchReport(BaseModel):
    """A search: `metric` is what scores are, less is better; `leaderboard` has the best first, and trials that were stopped last."""

    metric: str | None
    trials: int
    ended: int
    winner: int | None
    best: int | None
    sentence: str | None
    leaderboard: list[TrialReport]


def search_report(job: JobRow, trials: Sequence[TrialRow], events: Sequence[EventRow]) -> SearchReport:
    """What is known of a search so far.

    Args:
        job: the search.
        trials: of it.
        events: of SEARCH_KINDS, at least.
    """
    # What an attempt that was lost has said the next one says again.
    told = {event.kind: event.data for event in events}
    baseline, chosen = told.get("baseline", {}), told.get("chosen", {})
    rows = [_trial(trial, chosen.get("winner")) for trial in trials]
    if baseline:
        rows.append(_baseline(baseline))
    return SearchReport(
        metric=baseline.get("metric"),
        trials=job.request["plan"]["trials"],
        ended=sum(trial.state != "running" for trial in trials),
        winner=chosen.get("winner"),
        best=chosen.get("best"),
        sentence=chosen.get("sentence"),
        leaderboard=sorted(rows, key=_rank),
    )


def _rank(row: TrialReport) -> tuple[int, int, float, int]:
    place = ORDER.index("complete" if row.state == "baseline" else row.state)
    return place, -len(row.windows) if row.state == "pruned" else 0, float("inf") if row.score is None else row.score, row.trial or 0


def _trial(trial: TrialRow, winner: int | None) -> TrialReport:
    windows = [TrialWindowReport.model_validate(window) for window in trial.windows]
    return TrialReport(
        trial=trial.number,
        name=f"trial {trial.number}" if trial.drawn else f"trial {trial.number}, the document as it is",
        state=trial.state,
        score=trial.score,
        standard_error=trial.standard_error,
        parameters=trial.parameters,
        drawn=trial.drawn,
        seconds=round(sum(window.seconds or 0.0 for window in windows), 2),
        windows=windows,
        reason=trial.reason,
        is_winner=trial.number == winner,
    )


def _baseline(told: dict[str, Any]) -> TrialReport:
    return TrialReport(
        trial=None,
        name=told["name"],
        state="baseline",
        score=told["score"],
        standard_error=told["standard_error"],
        parameters=0,
        drawn={},
        seconds=0.0,
        windows=told["windows"],
    )
