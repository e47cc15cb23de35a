"""How does a job of the kind `backtest` go, from its claim to its scores?

load -> for each cutoff: [train on what came before it] -> forecasts of model and baselines -> [checkpoint] -> scores, succeeded
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sqlalchemy.orm import Session
from torch import Tensor

from app.errors import BraidcastError, UnfitDataError
from app.forecasting.checkpoint import dump, load, pack, unpack
from app.forecasting.forecaster import Forecaster
from app.forecasting.rolling import forecasts_at
from app.nets.build import build
from app.series.rolling import cut_panel, cutoffs_at, rolling_positions
from app.series.scores import mase
from app.series.statistical import is_installed
from app.spec.backtest import backtest_plan
from app.spec.blocks import Model, every
from app.spec.parse import parse_spec
from app.store.leases import Claim, finish
from app.store.models import get_model
from app.store.progress import Point, forget_checkpoints, record_event
from worker.asked import device_of, season_of, threads_of, with_series
from worker.attempt import Attempt, Workplace
from worker.backtesting.answer import answer_of
from worker.backtesting.notes import MODELS_WITHIN, notes_of, seen_by, verdict_of
from worker.backtesting.windows import (
    MODEL,
    QUANTILES,
    Forecasts,
    Window,
    baseline_forecasts,
    known,
    packed,
    unpacked,
    window_of,
)
from worker.heartbeat import Heartbeat
from worker.loading import load_panel
from worker.origins import inlaid_weights, read_origin
from worker.training.comparison import members_of
from worker.training.events import Part, Trial
from worker.training.fit import Training, fit
from worker.training.material import prepare
from worker.training.state import part
from worker.training.verdict import forecaster_of, learnt_on

ONCE, TRAINING = "forecaster", "training."
"""Names in a checkpoint: a forecaster that serves all windows, and a training that goes on."""

log = logging.getLogger(__name__)


class BacktestAttempt(Attempt):
    """An attempt at a backtest: windows that a checkpoint has are not forecast again, and a training in one goes on.

    Args:
        claimed: the job.
        workplace: what to run it with.
        heartbeat: keeps its lease.
    """

    def __init__(self, claimed: Claim, workplace: Workplace, heartbeat: Heartbeat) -> None:
        super().__init__(claimed, workplace, heartbeat)
        self._done: list[Forecasts] = []
        self._steps = 0  # batches of the trainings that are over
        # Who forecasts every window from the first on; with `refit`, the present one.
        self._forecaster: Forecaster | None = None
        self._training: Training | None = None
        # A training that a checkpoint was in the middle of.
        self._left: tuple[Mapping[str, Tensor], Mapping[str, Any]] | None = None

    def _work(self) -> None:
        self._ledger.note({"phase": "prepare"})
        self._prepare()
        self._resume()
        while len(self._done) < self._plan.windows:
            self._done.append(self._forecasts(len(self._done)))
            self._forecaster = None if self._plan.refit else self._forecaster
            self._tell_window(len(self._done) - 1)
            self._heed(self._checkpoint)
            if self._ledger.is_checkpoint_due:
                self._checkpoint()
        self._ledger.note({**self._progress(0.0), "phase": "score"})
        self._ledger.flush()
        self._store()

    def _prepare(self) -> None:
        """The data, the windows, and who is to forecast.

        Raises:
            UnfitDataError: no window has a series.
        """
        request, artifacts = self._claim.request, self._workplace.artifacts
        self._device = device_of(request)
        stored = None if self._claim.origin_digest is None else self._read_model(self._claim.origin_digest)
        asked = parse_spec(self._claim.spec)
        self._plan = backtest_plan(request, asked.horizon or 1)
        is_trained = stored is not None and not self._plan.refit
        spec = stored.spec if stored is not None and is_trained else asked
        self._loaded = load_panel(artifacts, self._claim.dataset_digest, self._claim.freq, spec, is_trained=is_trained)
        self._spec = self._loaded.spec
        torch.set_num_threads(threads_of(self._spec, self._workplace.threads))
        self._season = season_of(request, self._claim.season) if stored is None else stored.season
        self._forecaster = stored if is_trained else None
        self._is_stored = is_trained
        self._methods = self._plan.baselines if is_installed() else ()
        panel, context, self._horizon = self._loaded.panel, self._spec.context or 1, self._spec.horizon or 1
        self._positions = rolling_positions(panel, self._horizon, self._plan.windows, self._plan.step)
        least = self._spec.least_context
        self._cutoffs = [cutoffs_at(panel, positions, context, self._horizon, least) for positions in self._positions]
        if not any(map(len, self._cutoffs)):
            raise UnfitDataError(
                f"none of the {len(panel.ids)} series has {least + self._horizon} steps with something observed in the first {least} and "
                f"the last {self._horizon} of them, before its last value; use a model with a shorter context or horizon, or longer series",
                code="data_invalid",
            )

    def _read_model(self, digest: str) -> Forecaster:
        what = f"{self._claim.origin_id}, which the backtest is of,"
        return read_origin(self._workplace.artifacts, digest, what, "#/model", self._device)

    def _forecasts(self, number: int) -> Forecasts:
        """Of one window, with who forecasts it trained before, where that is asked for."""
        cutoffs, panel = self._cutoffs[number], self._loaded.panel
        found = [np.empty((0, self._horizon, 1 + len(QUANTILES)))]
        if len(cutoffs):
            self._forecaster = self._forecaster or self._train(number)
            for rows in forecasts_at(self._forecaster, panel, cutoffs, QUANTILES):
                found.append(rows)
                self._ledger.note(self._progress(0.8))
                self._heed(self._checkpoint)
        baselines = baseline_forecasts(panel, cutoffs, self._season, self._horizon, self._methods, lambda: self._heed(self._checkpoint))
        return Forecasts({MODEL: np.concatenate(found), **baselines.by}, baselines.replaced)

    def _train(self, number: int) -> Forecaster:
        """A forecaster of what came before a window's cutoffs.

        Raises:
            UnfitDataError: that is too little.
        """
        panel = cut_panel(self._loaded.panel, self._positions[number])
        spec = with_series(self._spec, len(panel.ids))
        try:
            material = prepare(spec, panel, self._device)
        except UnfitDataError as error:
            sentence = f"before the cutoffs of window {number + 1} of {self._plan.windows}: {error.detail}; or ask for fewer windows"
            raise UnfitDataError(sentence, code=error.fault_code, pointer=error.pointer or "#/windows") from error
        training = self._training = Training(spec, build(spec), material, self._device)
        if self._left is not None:
            training.restore(*self._left)
            self._left = None
        else:
            weights = inlaid_weights(training.network, self._workplace.artifacts)
            training.begin_with(weights)
        for event in fit(training):
            share = training.progress.step / max(training.batches * max(training.epochs, 1), training.progress.step, 1)
            self._ledger.note({**self._progress(0.8 * share), "epoch": training.progress.epochs_before + training.progress.epoch})
            self._heed(self._checkpoint)
            if self._ledger.is_checkpoint_due and not isinstance(event, Part | Trial):
                self._checkpoint()
        training.finish()
        self._steps += training.progress.step
        self._training = None
        judged, final = members_of(spec, training)
        kind = self._loaded.time_kind
        judge = forecaster_of(spec, judged, material, freq=self._claim.freq, season=self._season, time_kind=kind)
        return learnt_on(judge, final, material.split)

    def _progress(self, share: float) -> dict[str, object]:
        """How far the backtest is, `share` of the present window."""
        done, windows = len(self._done), self._plan.windows
        fraction = min((done + share) / windows, 1.0)
        seconds = self._seconds()
        return {
            "phase": f"window {min(done + 1, windows)} of {windows}",
            "fraction": round(fraction, 4),
            "eta_seconds": round(seconds / fraction * (1.0 - fraction), 1) if fraction > 0.0 else None,
        }

    def _window(self, number: int) -> Window:
        return window_of(self._loaded.panel, self._cutoffs[number], self._done[number], self._season, self._horizon)

    def _tell_window(self, number: int) -> None:
        """A point of each window: the errors of all who forecast."""
        window = self._window(number)
        errors = {f"mase/{name}": known(mase(window.actual, found[..., 0], window.scales)) for name, found in window.forecasts.by.items()}
        self._ledger.note(self._progress(0.0), Point(self._step(), {"window": float(number + 1), **errors}))

    def _step(self) -> int:
        """Rises with each batch and each window."""
        return self._steps + len(self._done) + (self._training.progress.step if self._training is not None else 0)

    def _checkpoint(self) -> None:
        def content() -> bytes:
            tensors, replaced = packed(self._done)
            document: dict[str, Any] = {"replaced": replaced, "steps": self._steps, "seconds": self._seconds(), "training": None}
            if self._forecaster is not None and not self._is_stored:
                tensors[ONCE] = torch.frombuffer(bytearray(dump(self._forecaster)), dtype=torch.uint8)
            if self._training is not None:
                weights, document["training"] = self._training.capture()
                tensors |= {f"{TRAINING}{name}": tensor for name, tensor in weights.items()}
            return pack(tensors, document)

        self._ledger.checkpoint(content, self._step(), is_best=False)

    def _resume(self) -> None:
        """Go on from the newest checkpoint that can be read."""
        for checkpoint in self._claim.checkpoints:
            try:
                tensors, document = unpack(self._workplace.artifacts.read(checkpoint.digest))
            except BraidcastError as error:
                log.warning("Job %s: checkpoint at step %d cannot be read: %s", self._claim.lease.job_id, checkpoint.step, error)
                continue
            self._done = unpacked(tensors, document["replaced"])
            self._steps, self._seconds_before = document["steps"], document["seconds"]
            if ONCE in tensors:
                self._forecaster = load(tensors[ONCE].numpy().tobytes(), self._device)
            if document["training"] is not None:
                self._left = (part(tensors, TRAINING), document["training"])
            return

    def _store(self) -> None:
        """Scores, and the end of the job in one."""
        panel = self._loaded.panel
        windows = [self._window(number) for number in range(len(self._done))]
        answer = answer_of(panel, windows, self._plan.step, self._loaded.time_kind)
        notes = notes_of(
            self._done,
            self._plan.baselines,
            is_library_there=is_installed(),
            left_out=answer["series_left_out"],
            needed=self._spec.least_context + self._horizon,
        )
        shares, warning = self._seen()
        told = {
            "model": self._claim.origin_id,
            "trained": "before" if self._is_stored else "each" if self._plan.refit else "once",
            "horizon": self._horizon,
            "season": self._season,
            "step": self._plan.step,
            **answer,
            "windows": [{**window, "seen": share} for window, share in zip(answer["windows"], shares, strict=True)],
            "notes": [*(note for note in (verdict_of(answer["skill"]), warning) if note is not None), *notes],
        }
        self._heed(self._checkpoint)

        def write(db: Session) -> list[str]:
            unneeded = forget_checkpoints(db, self._claim.lease)
            record_event(db, self._claim.lease, "backtest", told)
            finish(db, self._claim.lease)
            return unneeded

        for digest in self._ledger.end(write):
            self._workplace.artifacts.delete(digest)

    def _seen(self) -> tuple[list[float | None], str | None]:
        """What share of each window the model had seen, where it is known."""
        if any(isinstance(block, Model) for block in every(self._spec.network)):
            return [None] * self._plan.windows, MODELS_WITHIN
        if not self._is_stored:
            return [0.0] * self._plan.windows, None
        with self._workplace.database.read() as db:
            row = get_model(db, self._claim.lease.owner, str(self._claim.origin_id))
        shares, sentence = seen_by(
            row.lineage, self._claim.dataset_id, self._loaded.panel, self._cutoffs, self._horizon, self._workplace.artifacts
        )
        return [None] * self._plan.windows if shares is None else list(shares), sentence
