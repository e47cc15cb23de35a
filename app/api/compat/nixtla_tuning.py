"""/compat/nixtla/v2/finetune: how does the SDK of Nixtla train a model further? By a job that starts from it, on other series."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

import numpy as np
import polars as pl
from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.access import Asker
from app.api.bodies import Name
from app.api.compat.nixtla import LISTED, PREFIX
from app.api.compat.nixtla_bodies import Asked, Body, check_freq, histories_of, read_body
from app.api.job_request import JobRequest
from app.api.jobs import queue_job
from app.api.services import Served, Services
from app.api.uploads import UploadQuery, store_upload
from app.errors import ConflictError, ForecastError
from app.forecasting.forecaster import Forecaster
from app.forecasting.histories import History
from app.forecasting.windows import columns_of
from app.series.frequency import parse_frequency
from app.series.panel import TARGET
from app.store.ids import new_id
from app.store.models import delete_model, get_model, list_models
from app.store.tables import ModelRow

PARQUET = "application/vnd.apache.parquet"

router = APIRouter(prefix=PREFIX, include_in_schema=False)


class _TuningAsked(Asked):
    """Steps are epochs at most; the whole network learns, whatever depth is asked for."""

    finetune_steps: Annotated[int, Field(ge=1, le=10_000)] = 10
    finetune_depth: Annotated[int, Field(ge=1, le=5)] = 1
    finetune_loss: Literal["default"] = "default"
    output_model_id: Name | None = None


class _TunedModel(BaseModel):
    """A model that was trained from another, as the client has it."""

    id: str
    created_at: datetime
    created_by: str
    base_model_id: str
    steps: int
    depth: int = 5
    loss: str = "default"
    model: str
    freq: str


@router.post("/v2/finetune")
def finetune(body: Body, services: Served, asker: Asker) -> dict[str, str]:
    """Train a model further, under a new name; until it is done, a forecast with it is answered 503, and the client asks again.

    Raises:
        ForecastError: the model reads covariates, which the client does not send.
    """
    asked = read_body(_TuningAsked, body)
    with services.database.read() as db:
        row = get_model(db, asker.owner, asked.finetuned_model_id or asked.model)
        model, digest = row.id, row.digest
    forecaster = services.forecasters.get(digest)
    if columns_of(forecaster.spec):
        sentence = "the model reads covariates, which the client does not send here; train it further with POST /v1/jobs and init_from"
        raise ForecastError(sentence, code="columns", pointer="#/model")
    check_freq(asked.freq, forecaster)
    name = asked.output_model_id or f"tuned-{new_id('mdl')[-8:]}"
    dataset = _stored(services, asker.owner, name, forecaster, histories_of(asked.series, forecaster, 0))
    request = {"kind": "train", "dataset": dataset, "init_from": model, "name": name, "training": {"epochs": asked.finetune_steps}}
    queue_job(services, asker.owner, JobRequest.model_validate(request))
    return {"finetuned_model_id": name}


@router.get("/v2/finetuned_models")
def get_tuned(services: Served, asker: Asker) -> dict[str, list[_TunedModel]]:
    """The asker's models that were trained from another."""
    with services.database.read() as db:
        rows = list_models(db, asker.owner, limit=LISTED).rows
        return {"finetuned_models": [_tuned(row) for row in rows if row.lineage.get("init_from")]}


@router.get("/v2/finetuned_models/{model_id}")
def get_one(model_id: str, services: Served, asker: Asker) -> _TunedModel:
    """One of them."""
    with services.database.read() as db:
        return _tuned(get_model(db, asker.owner, model_id))


@router.delete("/v2/finetuned_models/{model_id}", status_code=204)
def delete_one(model_id: str, services: Served, asker: Asker) -> None:
    """Forget one of them.

    Raises:
        ForecastError: a live job starts from it; the client would ask again after 409.
    """
    try:
        with services.database.begin() as db:
            digests = delete_model(db, asker.owner, model_id)
    except ConflictError as error:
        raise ForecastError(error.detail, code="in_use") from error
    for digest in digests:
        services.artifacts.delete(digest)


def _tuned(row: ModelRow) -> _TunedModel:
    origin = (row.lineage.get("init_from") or {}).get("model", "")
    return _TunedModel(
        id=row.name,
        created_at=row.created_at,
        created_by=row.owner_id,
        base_model_id=origin,
        steps=int(row.lineage.get("epochs") or 0),
        model=origin,
        freq=row.freq,
    )


def _stored(services: Services, owner: str, name: str, forecaster: Forecaster, histories: list[History]) -> str:
    """The series as a dataset; its id."""
    freq = parse_frequency(forecaster.freq)
    frames = []
    for history in histories:
        target = history.columns[TARGET]
        starts = np.array([history.start] * len(target))
        frames.append(
            pl.DataFrame({"unique_id": [history.unique_id] * len(target), "ds": freq.shift(starts, np.arange(len(target))), "y": target})
        )
    frame = pl.concat(frames)
    frame = frame.with_columns(pl.col("ds").dt.replace_time_zone("UTC")) if forecaster.time_kind == "zoned" else frame
    with TemporaryDirectory(prefix="braidcast-") as folder:
        path = Path(folder) / "upload"
        frame.with_columns(pl.col("y").fill_nan(None)).write_parquet(path)
        said = UploadQuery(name=name, freq=forecaster.freq, id_column="unique_id", time_column="ds", target="y")
        return store_upload(services, owner, path, PARQUET, said).id
