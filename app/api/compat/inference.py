"""/v2: the Open Inference Protocol, version 2, over HTTP: what does a model server's client ask, and what is it told?

    inputs     TARGET [batch, time], FP64 or FP32, NaN where missing      START [batch], BYTES (RFC 3339) or INT64
    outputs    MEAN [batch, horizon], and QUANTILES [batch, horizon, level] where `levels` are among the parameters

Numbers are JSON, or raw bytes behind it (the binary extension of Triton, which its client uses).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool

from app.api.access import Asker
from app.api.bodies import Id
from app.api.histories import SeriesBody, sent_histories
from app.api.patience import answer_of
from app.api.services import Served, Services
from app.errors import ForecastError, MalformedError, pointer_to
from app.forecasting.forecaster import Forecaster
from app.forecasting.histories import History
from app.forecasting.windows import columns_of
from app.spec.panel_forecast import quantiles_of
from app.store.models import get_model

router = APIRouter(prefix="/v2", include_in_schema=False)

JSON_LENGTH = "inference-header-content-length"
"""How many bytes of a body are JSON, where raw numbers follow."""

TYPES = {"FP64": np.float64, "FP32": np.float32, "INT64": np.int64}


class _Input(BaseModel):
    name: str
    shape: list[int]
    datatype: Literal["FP64", "FP32", "INT64", "BYTES"]
    parameters: dict[str, Any] = {}
    data: list[Any] | None = None


class _Inference(BaseModel):
    id: str | None = None
    inputs: list[_Input]
    parameters: dict[str, Any] = {}


@router.get("/health/live")
@router.get("/health/ready")
def get_health() -> dict[str, bool]:
    """Whether the service answers."""
    return {"ready": True}


@router.get("/models/{model_id}/ready")
def get_ready(model_id: Id, services: Served, asker: Asker) -> dict[str, object]:
    """Whether a model is there; it is loaded, so that the first forecast finds it in memory."""
    _forecaster(services, asker.owner, model_id)
    return {"name": model_id, "ready": True}


@router.get("/models/{model_id}")
def get_metadata(model_id: Id, services: Served, asker: Asker) -> dict[str, object]:
    """What a model takes and gives."""
    with services.database.read() as db:
        horizon = get_model(db, asker.owner, model_id).spec["horizon"]
    return {
        "name": model_id,
        "versions": ["1"],
        "platform": "braidcast",
        "inputs": [
            {"name": "TARGET", "datatype": "FP64", "shape": [-1, -1]},
            {"name": "START", "datatype": "BYTES", "shape": [-1]},
        ],
        "outputs": [
            {"name": "MEAN", "datatype": "FP64", "shape": [-1, horizon]},
            {"name": "QUANTILES", "datatype": "FP64", "shape": [-1, horizon, -1]},
        ],
    }


@router.post("/models/{model_id}/infer")
async def infer(model_id: Id, request: Request, services: Served, asker: Asker) -> Response:
    """Forecasts of the series that are sent; models that read covariates are forecast by `/v1/models/{id}/forecasts`."""
    forecaster = await run_in_threadpool(_forecaster, services, asker.owner, model_id)
    asked, values = _read(await request.body(), request.headers.get(JSON_LENGTH))
    histories = _histories(values, forecaster)
    levels = quantiles_of(asked.parameters.get("levels", ()), ())

    def run(requests: Sequence[list[History]]) -> list[bytes]:
        return [_told(model_id, asked.id, forecaster, one, levels) for one in requests]

    told = await answer_of(request.receive, services.batcher.ask(("inference", object()), histories, run))
    return Response(told, media_type="application/json")


def _forecaster(services: Services, owner: str, model: str) -> Forecaster:
    with services.database.read() as db:
        digest = get_model(db, owner, model).digest
    found: Forecaster = services.forecasters.get(digest)
    return found


def _read(body: bytes, json_length: str | None) -> tuple[_Inference, dict[str, npt.NDArray[Any]]]:
    """A request, and its inputs by their names.

    Raises:
        MalformedError: it is none.
    """
    length = int(json_length) if json_length is not None and json_length.isdecimal() else len(body)
    try:
        asked = _Inference.model_validate_json(body[:length])
    except ValidationError as error:
        first = error.errors()[0]
        place = pointer_to("#", first["loc"])
        raise MalformedError(f"{place}: {first['msg']}; the protocol is the Open Inference Protocol, version 2", pointer=place) from error
    values, rest = {}, body[length:]
    for number, one in enumerate(asked.inputs):
        size = int(one.parameters.get("binary_data_size", 0))
        try:
            values[one.name] = _array(one, rest[:size])
        except (ValueError, TypeError, UnicodeDecodeError) as error:
            place = f"#/inputs/{number}"
            raise MalformedError(f"{place}: {one.name!r} is not of shape {one.shape} and {one.datatype}: {error}", pointer=place) from error
        rest = rest[size:]
    return asked, values


def _array(given: _Input, raw: bytes) -> npt.NDArray[Any]:
    if given.datatype == "BYTES":
        return np.array(given.data if given.data is not None else _texts(raw), dtype=object).reshape(given.shape)
    kind = TYPES[given.datatype]
    flat = np.frombuffer(raw, dtype=kind) if given.data is None else np.array(given.data, dtype=kind)
    return flat.reshape(given.shape)


def _texts(raw: bytes) -> list[str]:
    """Texts, each behind its length in four bytes."""
    found = []
    while raw:
        length = int.from_bytes(raw[:4], "little")
        found.append(raw[4 : 4 + length].decode())
        raw = raw[4 + length :]
    return found


def _histories(values: dict[str, npt.NDArray[Any]], forecaster: Forecaster) -> list[History]:
    """The series that a request brings.

    Raises:
        ForecastError: an input is missing or of another length, or the model reads more than a target.
    """
    if columns_of(forecaster.spec):
        sentence = f"the model reads {', '.join(columns_of(forecaster.spec))} too; forecast it with POST /v1/models/{{id}}/forecasts"
        raise ForecastError(sentence, code="columns", pointer="#/inputs")
    target, starts = values.get("TARGET"), values.get("START")
    if target is None or starts is None or target.ndim != 2 or starts.shape != (len(target),):
        sentence = "inputs are TARGET [batch, time] and START [batch]: when each series begins, as RFC 3339 or a whole number"
        raise ForecastError(sentence, code="missing", pointer="#/inputs")
    rows = np.where(np.isfinite(target), target, np.nan).tolist()
    return sent_histories(
        forecaster,
        [
            SeriesBody(unique_id=str(number), start=start, target=[None if value != value else value for value in row])
            for number, (start, row) in enumerate(zip(starts.tolist(), rows, strict=True))
        ],
    )


def _told(model: str, request_id: str | None, forecaster: Forecaster, histories: list[History], levels: tuple[float, ...]) -> bytes:
    found = forecaster.predict(histories, levels)
    outputs = {"MEAN": found.mean}
    if levels:
        outputs["QUANTILES"] = found.values[:, 1:].swapaxes(1, 2)
    told = [
        {"name": name, "datatype": "FP64", "shape": list(values.shape), "data": values.ravel().tolist()} for name, values in outputs.items()
    ]
    known = {} if request_id is None else {"id": request_id}
    return orjson.dumps({"model_name": model, "model_version": "1", **known, "outputs": told, "parameters": {"quantiles": list(levels)}})
