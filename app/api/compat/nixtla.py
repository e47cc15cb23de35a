"""/compat/nixtla: what does the unmodified SDK of Nixtla ask, and what is it told? The protocol of its client, version 0.9.

    NixtlaClient(api_key="bc_...", base_url="http://127.0.0.1:8000/compat/nixtla").forecast(frame, h=24, model="passengers")

Series come laid end to end: `y` and `sizes`, and beside them covariates without names, in the order of the model's own. What is answered
lies end to end as well. An `h` above the trained horizon goes on from the model's own forecasts. Bodies above a mebibyte come as zstd.
The client asks again after 409, so none is ever answered here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import orjson
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from app.api.access import Asker
from app.api.compat.nixtla_bodies import (
    AnomaliesAsked,
    Asked,
    Body,
    ForecastAsked,
    WindowsAsked,
    check_asked,
    check_freq,
    histories_of,
    read_body,
)
from app.api.patience import answer_of
from app.api.services import Served, Services
from app.errors import ForecastError, NotFoundError, UnavailableError
from app.forecasting.anomalies import judge
from app.forecasting.extension import extended
from app.forecasting.forecaster import Forecaster
from app.forecasting.forecasts import Forecasts
from app.forecasting.histories import History
from app.forecasting.windows import future_columns_of
from app.spec.panel_forecast import quantiles_of
from app.store.jobs import list_jobs
from app.store.models import get_model, list_models
from app.store.tables import LIVE_STATES

PREFIX = "/compat/nixtla"

MOST_WINDOWS = 20_000
"""Forecasts of one answer."""

LISTED = 1000
TRAINED_SECONDS = 5
"""After which it is worth asking again for a model that is being trained."""

router = APIRouter(prefix=PREFIX, include_in_schema=False)


@router.get("/validate_api_key")
def validate_key(asker: Asker) -> dict[str, str]:
    """Whether the key is known: else 401."""
    return {"detail": "Braidcast knows this key"}


@router.get("/v2/models")
def get_models(services: Served, asker: Asker) -> dict[str, list[dict[str, str]]]:
    """The names of the asker's models."""
    with services.database.read() as db:
        page = list_models(db, asker.owner, limit=LISTED)
    return {"models": [{"name": name} for name in dict.fromkeys(row.name for row in page.rows)]}


@router.get("/model_params")
def get_params(model: str, services: Served, asker: Asker) -> dict[str, dict[str, int]]:
    """How far a model looks back and ahead."""
    forecaster = _forecaster(services, asker.owner, model)
    return {"detail": {"input_size": forecaster.reach, "horizon": forecaster.horizon}}


@router.post("/v2/forecast")
async def forecast(body: Body, request: Request, services: Served, asker: Asker) -> Response:
    """What comes next of each series."""
    asked = read_body(ForecastAsked, body)

    def run(forecaster: Forecaster, histories: Sequence[History]) -> dict[str, object]:
        found = extended(forecaster, histories, quantiles_of(asked.level or (), ()), asked.h)
        return _told(found, asked.level) | {"weights_x": None}

    return await _answer(asked, asked.h, run, request, services, asker.owner)


@router.post("/v2/cross_validation")
async def cross_validation(body: Body, request: Request, services: Served, asker: Asker) -> Response:
    """What would have been forecast at earlier cutoffs."""
    asked = read_body(WindowsAsked, body)

    def run(forecaster: Forecaster, histories: Sequence[History]) -> dict[str, object]:
        step, windows = asked.step_size or asked.h, asked.n_windows
        if len(histories) * windows > MOST_WINDOWS:
            sentence = f"that takes {len(histories) * windows:,} forecasts; at most {MOST_WINDOWS:,}: ask for fewer windows or series"
            raise ForecastError(sentence, code="too_large", pointer="#/n_windows")
        begins = np.cumsum([0, *asked.series.sizes])
        back = asked.h + step * np.arange(windows - 1, -1, -1)
        ahead = future_columns_of(forecaster.spec)
        sized = list(zip(histories, asked.series.sizes, strict=True))
        cut = [history.at(max(size - int(steps), 0), ahead, asked.h) for history, size in sized for steps in back]
        idxs = (begins[1:, None, None] - back[:, None] + np.arange(asked.h)).ravel()
        found = extended(forecaster, cut, quantiles_of(asked.level or (), ()), asked.h)
        return _told(found, asked.level) | {"idxs": idxs.tolist(), "sizes": [windows * asked.h] * len(histories), "weights_x": None}

    return await _answer(asked, 0, run, request, services, asker.owner)


@router.post("/v2/anomaly_detection")
async def anomaly_detection(body: Body, request: Request, services: Served, asker: Asker) -> Response:
    """Which values were not to be expected from what came before each."""
    asked = read_body(AnomaliesAsked, body)

    def run(forecaster: Forecaster, histories: Sequence[History]) -> dict[str, object]:
        judged = judge(forecaster, histories, asked.level / 100, 1, None)
        flat = {name: np.concatenate([getattr(one, name) for one in judged]).tolist() for name in ("mean", "low", "high", "outside")}
        intervals = {f"lo-{asked.level:g}": flat["low"], f"hi-{asked.level:g}": flat["high"]}
        sizes = [len(one.mean) for one in judged]
        return {"mean": flat["mean"], "sizes": sizes, "intervals": intervals, "anomaly": flat["outside"], "weights_x": None}

    return await _answer(asked, 0, run, request, services, asker.owner)


Run = Callable[[Forecaster, Sequence[History]], dict[str, object]]


async def _answer(asked: Asked, horizon: int, run: Run, request: Request, services: Services, owner: str) -> Response:
    """An answer that the computing thread makes.

    Args:
        asked: the request.
        horizon: steps that are known ahead of the series' last; 0 where none has to be.
        run: makes it of a model and histories.
        request: whose sender may go.
        services: the service's.
        owner: who asks.
    """
    check_asked(asked)
    forecaster = await run_in_threadpool(_forecaster, services, owner, asked.finetuned_model_id or asked.model)
    check_freq(asked.freq, forecaster)
    histories = await run_in_threadpool(histories_of, asked.series, forecaster, horizon)

    def work(requests: Sequence[list[History]]) -> list[bytes]:
        return [orjson.dumps(run(forecaster, one)) for one in requests]

    told = await answer_of(request.receive, services.batcher.ask(("nixtla", object()), histories, work))
    return Response(told, media_type="application/json")


def _forecaster(services: Services, owner: str, model: str) -> Forecaster:
    """A model in memory.

    Raises:
        NotFoundError: the owner has no such model.
        UnavailableError: it is being trained.
    """
    try:
        with services.database.read() as db:
            digest = get_model(db, owner, model).digest
    except NotFoundError:
        with services.database.read() as db:
            is_made = any(row.name == model and row.status in LIVE_STATES for row in list_jobs(db, owner, kind="train", limit=LISTED).rows)
        if not is_made:
            raise
        raise UnavailableError(f"{model} is being trained; ask again", retry_after_seconds=TRAINED_SECONDS) from None
    found: Forecaster = services.forecasters.get(digest)
    return found


def _told(forecasts: Forecasts, levels: Sequence[float] | None) -> dict[str, object]:
    """Means and intervals, one series behind the other."""
    intervals: dict[str, list[float]] = {}
    for level in levels or ():
        low, high = quantiles_of([level], ())
        intervals[f"lo-{level:g}"] = forecasts.quantile(low).ravel().tolist()
        intervals[f"hi-{level:g}"] = forecasts.quantile(high).ravel().tolist()
    return {"mean": forecasts.mean.ravel().tolist(), "intervals": intervals or None}
