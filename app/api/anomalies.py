"""POST /v1/models/{model_id}/anomalies: which values were not to be expected?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np
import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from app.api.access import Asker
from app.api.bodies import Id
from app.api.forecasts import LevelPercent, SourcesBody, find, placed
from app.api.patience import answer_of
from app.api.services import Served
from app.forecasting.anomalies import Judged, judge
from app.forecasting.forecaster import Forecaster
from app.forecasting.histories import History
from app.series.moments import write_moments

router = APIRouter(tags=["forecasts"])


class AnomaliesRequest(SourcesBody):
    """Whose values are to be judged: of `series` that are sent, or of `unique_ids` of the dataset that the model was trained on.

    Attributes:
        level: of the interval in percent that a value is expected in.
        step: values from one forecast to the next: 1 judges each by all that came before it.
        last: values of each series that are judged, at most; all that can be by default.
    """

    level: LevelPercent = 99.0
    step: Annotated[int, Field(ge=1)] = 1
    last: Annotated[int, Field(ge=1)] | None = None


class JudgedBody(BaseModel):
    """A series' values beside their forecasts; `is_anomaly` is null where no value was observed."""

    unique_id: str
    timestamps: list[str | int]
    target: list[float | None]
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]
    is_anomaly: list[bool | None]
    anomalies: int


class AnomaliesBody(BaseModel):
    """Judgements in the order of the request."""

    model: str
    freq: str
    level: float
    series: list[JudgedBody]


@router.post("/v1/models/{model_id}/anomalies", response_model=AnomaliesBody, summary="Find anomalies")
async def find_anomalies(model_id: Id, body: AnomaliesRequest, request: Request, services: Served, asker: Asker) -> Response:
    """Values outside the interval that the model gives from what came before them. `model_id` is an id or a name."""
    model, forecaster, histories = await run_in_threadpool(find, model_id, body, services, asker)

    def run(asked: Sequence[list[History]]) -> list[bytes]:
        with placed(body.unique_ids):
            return [_encoded(judge(forecaster, one, body.level / 100, body.step, body.last), forecaster) for one in asked]

    judged = await answer_of(request.receive, services.batcher.ask(("anomalies", model.digest, object()), histories, run))
    told = orjson.dumps({"model": model.id, "freq": forecaster.freq, "level": body.level})[:-1]
    return Response(b'%s,"series":%s}' % (told, judged), media_type="application/json")


def _encoded(judged: Sequence[Judged], forecaster: Forecaster) -> bytes:
    return orjson.dumps([_body(one, forecaster) for one in judged], option=orjson.OPT_SERIALIZE_NUMPY)


def _body(judged: Judged, forecaster: Forecaster) -> dict[str, object]:
    told = zip(judged.outside.tolist(), np.isfinite(judged.target).tolist(), strict=True)
    return {
        "unique_id": judged.unique_id,
        "timestamps": write_moments(judged.times, forecaster.time_kind),
        "target": judged.target,
        "mean": judged.mean,
        "low": judged.low,
        "high": judged.high,
        "is_anomaly": [is_outside if is_seen else None for is_outside, is_seen in told],
        "anomalies": int(judged.outside.sum()),
    }
