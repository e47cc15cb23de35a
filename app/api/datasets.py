"""Which time series does an owner have, and what is in them?"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, JsonValue

from app.api.access import Asker
from app.api.bodies import Id, Name, StrictBody
from app.api.pages import DEFAULT_LIMIT, After, Limit, PageOf, page_body
from app.api.services import Served
from app.errors import NotFoundError
from app.series.frequency import Times
from app.series.moments import write_moments
from app.series.panel import TARGET
from app.series.table import scan_arrow
from app.series.thinning import FEWEST_POINTS, thinned
from app.store.datasets import delete_dataset, get_dataset, get_version, list_datasets, newest_versions, rename_dataset
from app.store.tables import DatasetRow, DatasetVersionRow

MOST_POINTS = 10_000
"""More than any screen has columns."""

router = APIRouter(tags=["datasets"])


class DatasetUrls(BaseModel):
    """Where more is told."""

    self: str
    audit: str
    series: str


class DatasetBody(BaseModel):
    """Time series, as their newest version is."""

    id: str
    name: str
    created_at: datetime
    version: int
    freq: str
    season: int
    target: str
    covariates: list[str]
    rows: int
    series: int
    shortest: int
    longest: int
    first: str | int
    last: str | int
    size_bytes: int
    urls: DatasetUrls


class AuditBody(BaseModel):
    """What was found in an upload, inferred about it, and changed in it."""

    dataset: str
    version: int
    file: dict[str, JsonValue]
    inferred: dict[str, JsonValue]
    changed: dict[str, JsonValue]
    values: dict[str, JsonValue]
    series: dict[str, JsonValue]


class SeriesItem(BaseModel):
    """One series: `length` steps from `start` to `end`, `missing` of them without a target."""

    unique_id: str
    start: str | int
    end: str | int
    length: int
    missing: int


class PointsBody(BaseModel):
    """A series for a plot; thinned where `length`, that of the whole series, is above what was asked for. `y` is the target."""

    unique_id: str
    length: int
    timestamps: list[str | int]
    values: dict[str, list[float | None]]


class RenameBody(StrictBody):
    """What can be changed of a dataset."""

    name: Name


def dataset_body(row: DatasetRow, version: DatasetVersionRow) -> DatasetBody:
    """A dataset as it is answered."""
    self = f"/v1/datasets/{row.id}"
    facts = version.facts
    return DatasetBody(
        id=row.id,
        name=row.name,
        created_at=row.created_at,
        version=version.version,
        freq=version.freq,
        season=version.season,
        target=version.target,
        covariates=version.covariates,
        rows=facts["rows"],
        series=facts["series"],
        shortest=facts["shortest"],
        longest=facts["longest"],
        first=facts["first"],
        last=facts["last"],
        size_bytes=version.size_bytes,
        urls=DatasetUrls(self=self, audit=f"{self}/audit", series=f"{self}/series"),
    )


@router.get("/v1/datasets")
def list_all(services: Served, asker: Asker, limit: Limit = DEFAULT_LIMIT, after: After = None) -> PageOf[DatasetBody]:
    """Your datasets, newest first."""
    with services.database.read() as db:
        page = list_datasets(db, asker.owner, limit=limit, after=after)
        versions = newest_versions(db, page.rows)
    return page_body(page, lambda row: dataset_body(row, versions[row.id]))


@router.get("/v1/datasets/{dataset_id}")
def get_one(dataset_id: Id, services: Served, asker: Asker) -> DatasetBody:
    """A dataset."""
    with services.database.read() as db:
        return dataset_body(get_dataset(db, asker.owner, dataset_id), get_version(db, asker.owner, dataset_id))


@router.patch("/v1/datasets/{dataset_id}")
def rename(dataset_id: Id, body: RenameBody, services: Served, asker: Asker) -> DatasetBody:
    """Give a dataset another name."""
    with services.database.begin() as db:
        row = rename_dataset(db, asker.owner, dataset_id, body.name)
        return dataset_body(row, get_version(db, asker.owner, dataset_id))


@router.delete("/v1/datasets/{dataset_id}", status_code=204, response_class=Response)
def delete(dataset_id: Id, services: Served, asker: Asker) -> None:
    """Forget a dataset. 409 while a job that has not ended needs it."""
    with services.database.begin() as db:
        digests = delete_dataset(db, asker.owner, dataset_id)
    for digest in digests:
        services.artifacts.delete(digest)


@router.get("/v1/datasets/{dataset_id}/audit")
def get_audit(dataset_id: Id, services: Served, asker: Asker) -> AuditBody:
    """What was found in the upload, what was inferred and why, and what was changed."""
    with services.database.read() as db:
        version = get_version(db, asker.owner, dataset_id)
    return AuditBody(dataset=dataset_id, version=version.version, **version.audit)


@router.get("/v1/datasets/{dataset_id}/series")
def list_series(dataset_id: Id, services: Served, asker: Asker, limit: Limit = DEFAULT_LIMIT, after: After = None) -> PageOf[SeriesItem]:
    """The series of a dataset, by their ids; `after` is a unique_id."""
    with services.database.read() as db:
        version = get_version(db, asker.owner, dataset_id)
    with services.artifacts.open_local(version.digest) as path:
        found = _summaries(path, after, limit + 1)
    kept, kind = found.head(limit), version.facts["time_kind"]
    starts, ends = write_moments(_times(kept["start"]), kind), write_moments(_times(kept["end"]), kind)
    columns = zip(kept["unique_id"], starts, ends, kept["length"], kept["missing"], strict=True)
    series = [
        SeriesItem(unique_id=unique_id, start=start, end=end, length=length, missing=missing)
        for unique_id, start, end, length, missing in columns
    ]
    has_more = found.height > limit
    return PageOf(data=series, has_more=has_more, next_after=series[-1].unique_id if has_more else None)


@router.get("/v1/datasets/{dataset_id}/series/{unique_id:path}/points")
def get_points(
    dataset_id: Id,
    unique_id: str,
    services: Served,
    asker: Asker,
    max_points: Annotated[int, Query(ge=FEWEST_POINTS, le=MOST_POINTS, description="Times at most; peaks stay.")] = 1000,
    last: Annotated[int | None, Query(ge=1, description="Steps at the end of the series; all by default.")] = None,
) -> PointsBody:
    """The numbers of a series, for a plot: of each stretch of time, the lowest and the highest value of each column, and a gap, stay.

    Raises:
        NotFoundError: the dataset has no such series.
    """
    with services.database.read() as db:
        version = get_version(db, asker.owner, dataset_id)
    names = [TARGET, *version.covariates]
    with services.artifacts.open_local(version.digest) as path:
        frame = scan_arrow(path).filter(pl.col("unique_id") == unique_id).select("ds", *names).collect()
    if frame.is_empty():
        raise NotFoundError(f"{unique_id[:128]!r} is not a series of {dataset_id}; GET /v1/datasets/{dataset_id}/series lists them")
    length, frame = frame.height, frame if last is None else frame.tail(last)
    target, *covariates = (frame[name].fill_null(float("nan")).to_numpy() for name in names)
    kept = frame[thinned([target, np.isnan(target).astype(np.float64), *covariates], max_points)]
    return PointsBody(
        unique_id=unique_id,
        length=length,
        timestamps=write_moments(_times(kept["ds"]), version.facts["time_kind"]),
        values={name: kept[name].to_list() for name in names},
    )


def _summaries(path: Path, after: str | None, most: int) -> pl.DataFrame:
    rows = scan_arrow(path) if after is None else scan_arrow(path).filter(pl.col("unique_id") > after)
    series = rows.group_by("unique_id", maintain_order=True).agg(
        pl.col("ds").first().alias("start"),
        pl.col("ds").last().alias("end"),
        pl.len().alias("length"),
        pl.col(TARGET).null_count().alias("missing"),
    )
    return series.head(most).collect()


def _times(column: pl.Series) -> Times:
    numbers = column.to_physical().to_numpy()
    return numbers if column.dtype.is_integer() else numbers.astype("datetime64[us]")
