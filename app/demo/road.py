"""Which requests lead from a file to a forecast? Upload, train, watch, forecast: the public API and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from app.demo.exhibits import Exhibit, Recording
from app.errors import BraidcastError

POLL_SECONDS = 0.25

TRAINING_SECONDS = 300.0
"""Something is wrong when a training of this size takes longer."""

LEVEL_PERCENT = 80
LOWER, UPPER = "0.1", "0.9"
"""The quantiles that bound the interval of `LEVEL_PERCENT`."""


@dataclass(frozen=True)
class Moment:
    """What is known of a training at one time.

    Attributes:
        status: of the job.
        epoch: epochs that are done.
        epochs: epochs at most.
        train_loss: newest, or None before the first epoch has ended.
        val_loss: newest, or None before the first epoch has ended.
        seconds_left: as the service estimates it.
    """

    status: str
    epoch: int
    epochs: int
    train_loss: float | None
    val_loss: float | None
    seconds_left: float | None


@dataclass(frozen=True)
class Forecast:
    """A forecast of one series: a value per horizon step."""

    timestamps: list[str]
    mean: list[float]
    lower: list[float]
    upper: list[float]


@dataclass(frozen=True)
class Score:
    """How the model did on the part that it never saw, and how seasonal naive did there."""

    measure: str
    model: float
    seasonal_naive: float


def ask(client: httpx.Client, method: str, path: str, **request: Any) -> Any:
    """Sends a request and reads its JSON.

    Raises:
        BraidcastError: the service answered with a problem, or not at all.
    """
    try:
        answer = client.request(method, path, **request)
    except httpx.TransportError as error:
        raise BraidcastError(f"{method} {path} got no answer: {error}") from error
    if answer.is_success:
        return answer.json()
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError):
        detail = answer.text[:500]
    raise BraidcastError(f"{method} {path} answered {answer.status_code}: {detail}")


def upload(client: httpx.Client, exhibit: Exhibit) -> str:
    """Uploads an exhibit's data and answers the data set's id."""
    parameters = {"name": exhibit.name, "time_column": exhibit.time_column, "target": exhibit.target}
    body = ask(client, "POST", "/v1/datasets", params=parameters, content=exhibit.content(), headers={"Content-Type": "text/csv"})
    return str(body["id"])


def submit(client: httpx.Client, exhibit: Exhibit, dataset: str) -> str:
    """Asks for a training and answers the job's id."""
    return str(ask(client, "POST", "/v1/jobs", json=exhibit.job(dataset))["id"])


def watch(client: httpx.Client, job: str) -> Iterator[Moment]:
    """Yields what is known of a training until it has ended.

    Raises:
        BraidcastError: it failed, or takes far too long.
    """
    cursor = 0
    newest: dict[str, float | None] = {"train_loss": None, "val_loss": None}
    deadline = time.monotonic() + TRAINING_SECONDS
    while True:
        state = ask(client, "GET", f"/v1/jobs/{job}")
        points = ask(client, "GET", f"/v1/jobs/{job}/metrics", params={"names": ",".join(newest), "after": cursor})
        cursor = points["last_seq"]
        newest |= {name: values[-1] for name, values in points["series"].items() if values}
        yield _moment(state, newest)
        if state["status"] == "succeeded":
            return
        if state["status"] in {"failed", "cancelled"}:
            raise BraidcastError(f"Job {job} has {state['status']}: {(state.get('error') or {}).get('message', 'no reason was given')}")
        if time.monotonic() > deadline:
            raise BraidcastError(f"Job {job} is {state['status']} after {TRAINING_SECONDS:g} s; it should have ended long ago.")
        time.sleep(POLL_SECONDS)


def _moment(state: dict[str, Any], newest: dict[str, float | None]) -> Moment:
    progress = state.get("progress") or {}
    return Moment(
        status=state["status"],
        epoch=progress.get("epoch") or 0,
        epochs=progress.get("epochs") or 0,
        train_loss=newest["train_loss"],
        val_loss=newest["val_loss"],
        seconds_left=progress.get("eta_seconds"),
    )


def model_of(client: httpx.Client, job: str) -> str:
    """The id of the model that a job has made."""
    return str(ask(client, "GET", f"/v1/jobs/{job}")["model"])


def score_of(client: httpx.Client, model: str) -> Score:
    """The model's score beside seasonal naive's."""
    scores = ask(client, "GET", f"/v1/models/{model}")["scores"]
    return Score("mase", scores["model"]["mase"], scores["seasonal_naive"]["mase"])


def forecast_ahead(client: httpx.Client, model: str, dataset: str) -> Forecast:
    """The forecast of what follows the data set."""
    unique_id = ask(client, "GET", f"/v1/datasets/{dataset}/series")["data"][0]["unique_id"]
    return _forecast(client, model, {"unique_ids": [unique_id]})


def forecast_held_back(client: httpx.Client, model: str, exhibit: Exhibit, recording: Recording) -> Forecast:
    """The forecast of the data's last steps, from what was known before them."""
    end = len(recording.times) - exhibit.horizon
    known = {name: values[end - exhibit.context : end] for name, values in recording.columns.items()}
    start = recording.times[end - exhibit.context].isoformat()
    series = {"unique_id": "held back", "start": start, "target": known.pop(exhibit.target), "past": known}
    return _forecast(client, model, {"series": [series]})


def _forecast(client: httpx.Client, model: str, request: dict[str, object]) -> Forecast:
    answer = ask(client, "POST", f"/v1/models/{model}/forecasts", json=request | {"levels": [LEVEL_PERCENT]})["forecasts"][0]
    quantiles = answer["quantiles"]
    return Forecast(answer["timestamps"], answer["mean"], quantiles[LOWER], quantiles[UPPER])
