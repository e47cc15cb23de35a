"""What does a Python program ask of the service? Uploads, trainings, forecasts and sessions, with data frames on either side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx

from app.client.calls import Calls, asked_of
from app.client.frames import frame_of, is_pandas, series_of, upload_of
from app.client.jobs import Job
from app.client.sessions import Session

FILES = {".csv": "text/csv", ".parquet": "application/vnd.apache.parquet", ".ndjson": "application/x-ndjson", ".json": "application/json"}
MOST_SERIES = 1000
"""Of one request; more are asked for one after another."""


class Client:
    """A service of Braidcast.

    Args:
        base_url: such as `http://127.0.0.1:8000`.
        key: `bc_...`; that of `braidcast up` lies in its home.
        timeout_seconds: of one answer.
        http: a client of httpx of the caller's own, with its base URL.
    """

    def __init__(self, base_url: str, key: str | None = None, *, timeout_seconds: float = 60.0, http: httpx.Client | None = None) -> None:
        self._calls = Calls(base_url, key, timeout_seconds, http)

    def upload(self, data: Any, name: str = "dataset", **said: str) -> str:
        """The id of a new dataset.

        Args:
            data: a data frame of polars or pandas, or the path of a CSV, Parquet, NDJSON or JSON file.
            name: what it is called.
            **said: `freq`, `time_column`, `id_column`, `target`; what is left out is inferred, and the audit says how.

        Raises:
            RefusedError: the data cannot be read; the faults say where.
            TypeError: it is neither a data frame nor a path.
        """
        if isinstance(data, (str, Path)):
            path = Path(data)
            if path.suffix not in FILES:
                raise TypeError(f"{path.name} ends with {path.suffix!r}; files that are read end with {', '.join(FILES)}")
            content, headers = path.read_bytes(), {"Content-Type": FILES[path.suffix]}
        else:
            content, headers = upload_of(data)
        told = self._calls.json("POST", "/v1/datasets", again=False, params={"name": name, **said}, content=content, headers=headers)
        return str(told["id"])

    def train(self, dataset: str, horizon: int, **options: Any) -> Job:
        """A new training; whatever the network does, it is asked for once.

        Args:
            dataset: `ds_...`.
            horizon: steps to forecast.
            **options: as in `POST /v1/jobs`: `architecture`, `name`, `context`, `training`, `seed` and others. What is left out
                suits the data.

        Raises:
            RefusedError: the document or the data cannot be trained; the faults say where.
        """
        return self.submit({"kind": "train", "dataset": dataset, "horizon": horizon, **options})

    def submit(self, request: Mapping[str, Any]) -> Job:
        """A new job of any kind, as in `POST /v1/jobs`."""
        told = self._calls.json("POST", "/v1/jobs", json=dict(request), headers={"Idempotency-Key": uuid4().hex})
        return Job(self._calls, str(told["id"]))

    def job(self, job: str) -> Job:
        """A job by its id."""
        return Job(self._calls, job)

    def validate(self, architecture: Mapping[str, Any]) -> dict[str, Any]:
        """What a document would build: blocks with shapes and counts, memory, warnings, a diagram."""
        return self._calls.json("POST", "/v1/architectures/validate", json=dict(architecture))

    def forecast(
        self,
        model: str,
        history: Any = None,
        *,
        unique_ids: Sequence[str] = (),
        future: Any = None,
        static: Sequence[str] = (),
        horizon: int | None = None,
        levels: Sequence[float] = (80,),
        quantiles: Sequence[float] = (),
        id_column: str = "unique_id",
        time_column: str = "ds",
        target: str = "y",
    ) -> Any:
        """Forecasts as a data frame: whose, when, `mean` and a column a quantile (`q0.1`); of pandas where `history` is, else of polars.

        Args:
            model: its id or name.
            history: a data frame, a row a step; columns beside time, id and target are covariates.
            unique_ids: instead of it, series of the dataset that the model was trained on.
            future: with `history`: a data frame of the columns that are known ahead.
            static: columns of `history` that never change within a series.
            horizon: steps; the trained ones by default.
            levels: of intervals in percent.
            quantiles: further quantiles.
            id_column: whose a row is.
            time_column: its time.
            target: what is forecast.

        Raises:
            RefusedError: a series cannot be forecast; the faults say which and why.
        """
        names = {"id_column": id_column, "time_column": time_column}
        asked: list[Any] = list(unique_ids) if history is None else series_of(history, future, static, target=target, **names)
        source = "unique_ids" if history is None else "series"
        more = asked_of(horizon, levels, quantiles)
        forecasts: list[dict[str, Any]] = []
        for first in range(0, max(len(asked), 1), MOST_SERIES):
            body = {source: asked[first : first + MOST_SERIES], **more}
            forecasts += self._calls.json("POST", f"/v1/models/{model}/forecasts", json=body)["forecasts"]
        return frame_of(forecasts, like_pandas=is_pandas(history), **names)

    def forecast_all(self, model: str, dataset: str | None = None, **options: Any) -> Job:
        """A job that forecasts every series of a dataset; its `download` gives the file.

        Args:
            model: its id or name.
            dataset: `ds_...`; the model's own by default.
            **options: as in `POST /v1/jobs`: `horizon`, `levels`, `quantiles`, `format` and others.

        Raises:
            RefusedError: the model cannot forecast the dataset; the faults say why.
        """
        return self.submit({"kind": "forecast", "model": model, **({"dataset": dataset} if dataset else {}), **options})

    def session(
        self, model: str, history: Any, future: Any = None, *, static: Sequence[str] = (), time_column: str = "ds", target: str = "y"
    ) -> Session:
        """A session that has read this history, of one series (docs/sessions.md).

        Raises:
            RefusedError: the model cannot carry a state, or the history does not suit it.
            ValueError: the history is of several series, or of none.
        """
        found = series_of(history, future, static, id_column="unique_id", time_column=time_column, target=target)
        if len(found) != 1:
            raise ValueError(f"a session is of one series, and the history has {len(found)}; filter it by unique_id")
        told = self._calls.json("POST", f"/v1/models/{model}/sessions", again=False, json={"series": found[0]})
        return Session(self._calls, str(told["id"]), int(told["sequence"]))

    def close(self) -> None:
        """Gives connections back."""
        self._calls.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
