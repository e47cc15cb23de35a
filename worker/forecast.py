"""How does a job of the kind `forecast` go, from its claim to its file?

load -> for some series after others: forecasts -> a part, which is a checkpoint too -> one file of all parts, succeeded
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import torch
from sqlalchemy.orm import Session

from app.errors import BraidcastError, ForecastError, UnfitDataError
from app.forecasting.forecaster import LARGEST_BATCH
from app.forecasting.histories import History
from app.forecasting.newest import newest_history
from app.forecasting.parts import Part, frame_of, load_part, write_file
from app.forecasting.windows import columns_of, statics_of
from app.series.categories import encode_categories
from app.series.chunks import chunks_of
from app.series.frequency import parse_frequency
from app.series.panel import TARGET, Panel, panel_of
from app.spec.panel_forecast import forecast_plan
from app.store.leases import Claim, finish
from app.store.progress import forget_checkpoints, record_event
from worker.asked import device_of, threads_of
from worker.attempt import Attempt, Workplace
from worker.heartbeat import Heartbeat
from worker.origins import read_origin

MOST_SERIES = 2048
"""Of a part: what a kill costs at most, some seconds."""

MOST_NUMBERS = 4_000_000
"""Of a part: 32 MB, where horizons are long."""

MOST_EXAMPLES = 100
"""Series that are named among those that could not be forecast."""

log = logging.getLogger(__name__)


class ForecastAttempt(Attempt):
    """An attempt at the forecasts of a whole dataset: series that are in a part are not forecast again.

    Args:
        claimed: the job.
        workplace: what to run it with.
        heartbeat: keeps its lease.
    """

    def __init__(self, claimed: Claim, workplace: Workplace, heartbeat: Heartbeat) -> None:
        super().__init__(claimed, workplace, heartbeat)
        self._digests: list[str] = []  # of the parts
        self._done = self._rows = 0  # of the dataset

    def _work(self) -> None:
        self._ledger.note({"phase": "prepare"})
        self._prepare()
        self._resume()
        most_series = max(1, min(MOST_SERIES, MOST_NUMBERS // (self._plan.horizon * (1 + len(self._plan.levels)))))
        with self._workplace.artifacts.open_local(self._claim.dataset_digest) as path:
            for chunk in chunks_of(path, ["ds", TARGET, *columns_of(self._forecaster.spec)], most_series, self._done):
                first, self._rows = self._done, chunk.rows
                part = self._part(chunk.frame, first)
                self._digests.append(self._ledger.keep(part.dump(), chunk.end))
                self._done = chunk.end
        self._ledger.note({"phase": "write", "fraction": 1.0})
        self._store()

    def _prepare(self) -> None:
        request = self._claim.request
        device = device_of(request)
        what = f"{self._claim.origin_id}, which the forecasts are of,"
        self._forecaster = read_origin(self._workplace.artifacts, str(self._claim.origin_digest), what, "#/model", device)
        self._plan = forecast_plan(request, self._forecaster.horizon)
        torch.set_num_threads(threads_of(self._forecaster.spec, self._workplace.threads))

    def _resume(self) -> None:
        """Go on behind the newest part that can be read, and all before it."""
        for checkpoint in reversed(self._claim.checkpoints):
            try:
                told = load_part(self._workplace.artifacts.read(checkpoint.digest)).told
            except BraidcastError as error:
                log.warning("Job %s: the part up to row %d cannot be read: %s", self._claim.lease.job_id, checkpoint.step, error)
                return
            self._digests.append(checkpoint.digest)
            self._done, self._seconds_before = checkpoint.step, told["seconds"]

    def _part(self, frame: pl.DataFrame, first: int) -> Part:
        """The forecasts of some series.

        Args:
            frame: their rows.
            first: which row of the dataset the first is.
        """
        spec, plan = self._forecaster.spec, self._plan
        panel = panel_of(encode_categories(frame, statics_of(spec)), parse_frequency(self._claim.freq), columns_of(spec))
        histories, left_out = self._histories(panel)
        found = [np.empty((0, plan.horizon, 1 + len(plan.levels)))]
        starts = [np.empty(0, dtype=np.int64)]
        for begin in range(0, len(histories), LARGEST_BATCH):
            self._heed()
            forecasts = self._forecaster.predict(histories[begin : begin + LARGEST_BATCH], plan.levels, plan.horizon)
            found.append(forecasts.values.swapaxes(1, 2))
            starts.append(forecasts.times[:, 0].astype(np.int64))
            self._ledger.note(self._progress(first + frame.height * (begin + len(forecasts)) / max(len(histories), 1)))
        told = {
            # Parts of one job are no other's, which may be about to drop its own.
            "job": self._claim.lease.job_id,
            "left_out": len(left_out),
            "examples": left_out[:MOST_EXAMPLES],
            "seconds": self._seconds(),
        }
        return Part(tuple(one.unique_id for one in histories), np.concatenate(starts), np.concatenate(found), told)

    def _histories(self, panel: Panel) -> tuple[list[History], list[dict[str, str]]]:
        """The series that can be forecast, and why the others cannot."""
        histories, left_out = [], []
        for series in range(len(panel.ids)):
            history = newest_history(self._forecaster.spec, panel, series)
            try:
                self._forecaster.check(history, self._plan.horizon, "#")
            except ForecastError as error:
                left_out.append({"unique_id": history.unique_id, "code": error.fault_code, "reason": error.detail})
            else:
                histories.append(history)
        return histories, left_out

    def _progress(self, row: float) -> dict[str, object]:
        """How far the job is, at a row of the dataset."""
        seconds, fraction = self._seconds(), min(row / max(self._rows, 1), 1.0)
        left_seconds = round(seconds / fraction * (1.0 - fraction), 1) if fraction > 0.0 else None
        return {"phase": "forecast", "fraction": round(fraction, 4), "eta_seconds": left_seconds}

    def _parts(self, series: list[int], left_out: list[int], examples: list[dict[str, str]]) -> Iterator[pl.DataFrame]:
        """All parts as tables, one after another; what is told of them is added to the lists."""
        for digest in self._digests:
            self._heed()
            part = load_part(self._workplace.artifacts.read(digest))
            series.append(len(part.ids))
            left_out.append(part.told["left_out"])
            examples += part.told["examples"][: MOST_EXAMPLES - len(examples)]
            yield frame_of(part, self._claim.freq, self._forecaster.time_kind, self._plan.levels)

    def _store(self) -> None:
        """The file, and the end of the job in one.

        Raises:
            UnfitDataError: no series could be forecast.
        """
        series, left_out, examples = list[int](), list[int](), list[dict[str, str]]()
        with tempfile.TemporaryDirectory(prefix="braidcast-") as folder:
            path = Path(folder) / f"forecasts.{self._plan.format}"
            write_file(self._parts(series, left_out, examples), path, self._plan.format)
            if not sum(series):
                raise UnfitDataError(_nothing(examples), code="data_invalid", pointer="#/dataset")
            size, digest = path.stat().st_size, self._ledger.store(path)
        told = {
            "model": self._claim.origin_id,
            "horizon": self._plan.horizon,
            "quantiles": list(self._plan.levels),
            "format": self._plan.format,
            "size_bytes": size,
            "series": sum(series),
            "series_left_out": sum(left_out),
            "left_out": examples,
        }

        def write(db: Session) -> list[str]:
            unneeded = forget_checkpoints(db, self._claim.lease)
            record_event(db, self._claim.lease, "forecast", told)
            finish(db, self._claim.lease, digest)
            return unneeded

        for unneeded in self._ledger.end(write):
            self._workplace.artifacts.delete(unneeded)


def _nothing(examples: Sequence[dict[str, str]]) -> str:
    return f"no series of the dataset can be forecast; the first of them: {examples[0]['reason']}" if examples else "the dataset is empty"
