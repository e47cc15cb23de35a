"""How does a job of the kind `search` go, from its claim to its stored model?

load -> windows -> while there is a trial to take: for each window: train, score, [prune] -> choose -> train the winner -> model, succeeded
trials are rows, which jobs of the kind `trials` take too, in other workers
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from sqlalchemy.orm import Session

from app.errors import InputError, JobError, SpecError, TimedOutError
from app.forecasting.forecaster import Forecaster
from app.forecasting.windows import columns_of
from app.spec.forecaster import ForecasterSpec
from app.spec.limits import UNLIMITED
from app.spec.parse import parse_spec
from app.spec.search import SearchPlan, check_draw, search_plan
from app.store.jobs import end_helpers
from app.store.leases import finish
from app.store.tables import TrialRow
from app.store.trials import Outcome, Pull, end_trial, list_trials, record_window, take_trial
from worker.asked import device_of, season_of, threads_of
from worker.failures import failure_of
from worker.loading import Loaded, load_panel
from worker.searching.choice import Candidate, Choice, choose, mean_of
from worker.searching.sampling import Tried, is_hopeless, means_of, propose
from worker.searching.trying import Bench, seconds_of, try_window, window_scores
from worker.searching.windows import TrialWindows, naive_scores, trial_windows
from worker.train import TrainAttempt
from worker.training.fit import Training

PAUSE_SECONDS = 0.5
"""Between two looks at trials that others are at."""

log = logging.getLogger(__name__)


class TrialsAttempt(TrainAttempt):
    """An attempt that takes trials of a search, its own or another job's."""

    def _set_up(self) -> None:
        """The data, and the windows of the document as it is."""
        self._ledger.note({"phase": "prepare"})
        self._search_id = str(self._claim.request.get("search") or self._claim.lease.job_id)
        self._plan: SearchPlan = search_plan(self._claim.request["plan"])
        self._device = device_of(self._claim.request)
        self._season = season_of(self._claim.request, self._claim.season)
        spec = parse_spec(self._claim.spec)
        self._seed = spec.training.seed
        self._load(spec)
        # With its words, if it has any: so have all draws.
        self._document = self._loaded.spec.model_dump(mode="json", by_alias=True)
        held = [trial for trial in self._trials() if trial.holder_id == self._claim.lease.job_id]
        self._seconds_before = sum(seconds_of(trial.windows) for trial in held)

    def _load(self, spec: ForecasterSpec) -> None:
        self._loaded: Loaded = load_panel(self._workplace.artifacts, self._claim.dataset_digest, self._claim.freq, spec)
        horizon = spec.horizon or 1
        self._windows: TrialWindows = trial_windows(self._loaded.panel, horizon, self._plan.windows, self._plan.step, self._season)

    def _trials(self) -> Sequence[TrialRow]:
        return self._ledger.settle(lambda db: list_trials(db, self._claim.lease.owner, self._search_id))

    def _pull(self) -> None:
        """Take trials until there are none left."""
        while True:
            self._heed()
            taken = self._take()
            match taken:
                case TrialRow():
                    self._try(taken)
                case Pull.OVER:
                    return
                case Pull.WAIT | Pull.STOPPED if self._search_id != self._claim.lease.job_id:
                    return  # the search waits by itself
                case Pull.WAIT | Pull.STOPPED:
                    time.sleep(PAUSE_SECONDS)  # a lease ends, or an order comes
                case Pull.RETRY:
                    pass

    def _take(self) -> TrialRow | Pull:
        trials = self._trials()
        number, parameters = len(trials) + 1, None
        budget = self._plan.budget_seconds
        is_spent = budget is not None and sum(seconds_of(trial.windows) for trial in trials) >= budget
        drawn = None
        if number <= self._plan.trials and not is_spent:
            drawn = propose(self._plan.space, [_tried(trial) for trial in trials], self._seed)
            try:
                parameters = check_draw(self._plan, self._document, drawn, UNLIMITED)[1]
            except SpecError as error:
                log.info("Job %s: trial %d is no network: %s", self._claim.lease.job_id, number, error.detail)
        return self._ledger.settle(
            lambda db: take_trial(db, self._claim.lease, self._search_id, drawn=drawn, number=number, parameters=parameters)
        )

    def _try(self, trial: TrialRow) -> None:
        """Train a draw before each window that is not done, and say what came of it.

        Raises:
            TimedOutError: the job ran longer than it may.
        """
        try:
            spec, _ = check_draw(self._plan, self._document, trial.drawn, UNLIMITED)
        except SpecError as error:
            self._end(trial, "refused", error.detail)
            return
        torch.set_num_threads(threads_of(spec, self._workplace.threads))
        try:
            self._try_windows(trial, spec)
        except TimedOutError:
            raise
        except (JobError, InputError, MemoryError, torch.OutOfMemoryError) as error:
            self._end(trial, "failed", failure_of(error, self._claim.lease.job_id).detail)

    def _try_windows(self, trial: TrialRow, spec: ForecasterSpec) -> None:
        if not set(columns_of(spec)) <= set(self._loaded.panel.columns):
            self._load(spec)
        bench = Bench(self._workplace.artifacts, self._device, self._claim.freq, self._season, self._loaded.time_kind)
        windows = self._windows.windows
        while len(trial.windows) < len(windows):
            if trial.windows and is_hopeless([_tried(other) for other in self._trials()], means_of(trial.windows)):
                reason = f"worse than half of the others after {len(trial.windows)} of {len(windows)} windows"
                self._end(trial, "pruned", reason)
                return
            heed = partial(self._heed_in, trial)
            heed(0.0)
            done = try_window(spec, windows[len(trial.windows)], bench, heed)
            written = self._ledger.settle(partial(self._record, trial.number, done))
            if written is None:
                return  # somebody else goes on with it, or nobody any more
            trial = written
        self._end(trial, "complete", None)

    def _record(self, number: int, done: Mapping[str, Any], db: Session) -> TrialRow | None:
        return record_window(db, self._claim.lease, self._search_id, number, done)

    def _heed_in(self, trial: TrialRow, share: float) -> None:
        """Say how far a trial is in its present window, and heed the orders."""
        self._ledger.note(self._progress(trial.number, len(trial.windows), share))
        self._heed()

    def _end(self, trial: TrialRow, state: str, reason: str | None) -> None:
        score, error = mean_of(window_scores(trial.windows)) if trial.windows else (None, None)
        outcome = Outcome(state, score, error, reason)
        self._ledger.settle(lambda db: end_trial(db, self._claim.lease, self._search_id, trial.number, outcome))

    def _progress(self, number: int, place: int, share: float) -> dict[str, object]:
        """How far the search is: the winner's training counts as one more trial."""
        windows = len(self._windows.windows)
        fraction = (number - 1 + (place + share) / windows) / (self._plan.trials + 1)
        seconds = self._seconds()
        return {
            "phase": f"trial {number} of {self._plan.trials}, window {place + 1} of {windows}",
            "fraction": round(fraction, 4),
            "eta_seconds": round(seconds / fraction * (1.0 - fraction), 1) if fraction > 0.0 else None,
        }


class HelperAttempt(TrialsAttempt):
    """An attempt at helping a search: it takes trials as long as there are any."""

    def _work(self) -> None:
        self._set_up()
        self._pull()
        self._ledger.end(lambda db: finish(db, self._claim.lease))


class SearchAttempt(TrialsAttempt):
    """An attempt at a search: trials that are done are not repeated, and the winner's training goes on from its newest checkpoint."""

    def _work(self) -> None:
        self._set_up()
        self._tell_baseline()
        self._pull()
        self._winner = self._choose()
        self._ledger.settle(lambda db: end_helpers(db, self._search_id))
        self._train(check_draw(self._plan, self._document, self._winner.drawn, UNLIMITED)[0])

    def _tell_baseline(self) -> None:
        scores = naive_scores(self._windows.windows)
        score, error = mean_of(scores)
        told = {"name": "seasonal_naive", "metric": self._windows.metric, "score": score, "standard_error": error}
        self._ledger.tell("baseline", {**told, "windows": [asdict(one) for one in scores]})
        self._baseline = score

    def _choose(self) -> TrialRow:
        """The winner.

        Raises:
            JobError: no trial is complete.
        """
        trials = self._trials()
        candidates = [
            Candidate(trial.number, trial.score, trial.standard_error, trial.parameters)
            for trial in trials
            if trial.state == "complete" and trial.score is not None and trial.parameters is not None
        ]
        if not candidates:
            last = next((trial.reason for trial in reversed(trials) if trial.reason), "there was none")
            sentence = f"none of {len(trials)} trials could be trained on all windows; the last one: {last}; search another space"
            raise JobError(sentence, code="no_trial", pointer="#/space")
        choice: Choice = choose(candidates, self._windows.metric, self._baseline)
        self._ledger.tell("chosen", asdict(choice))
        return next(trial for trial in trials if trial.number == choice.winner)

    def _told(self, progress: dict[str, object]) -> dict[str, object]:
        share = progress["fraction"]
        assert isinstance(share, float | int)  # noqa: S101 for the type checker
        trials = self._plan.trials
        return {**progress, "phase": f"winner: {progress['phase']}", "fraction": round((trials + share) / (trials + 1), 4)}

    def _lineage(self, forecaster: Forecaster, training: Training) -> dict[str, Any]:
        won = self._winner
        found = {"trial": won.number, "drawn": won.drawn, "metric": self._windows.metric, "score": won.score}
        return super()._lineage(forecaster, training) | {"search": found}


def _tried(trial: TrialRow) -> Tried:
    return Tried(trial.drawn, means_of(trial.windows), trial.state == "complete")
