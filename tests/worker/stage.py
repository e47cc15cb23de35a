"""What a job needs before a worker can have it: an owner, a dataset, a row. And what may happen to it: the database goes away."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sqlalchemy import event

from app.spec.blocks import Stack
from app.spec.cells import Lstm
from app.spec.forecaster import ForecasterSpec, PointHead
from app.spec.training import Training
from app.store.artifacts import LocalArtifacts
from app.store.database import Database
from app.store.datasets import NewDataset, insert_dataset
from app.store.jobs import NewJob, get_job, insert_job
from app.store.keys import ensure_owner
from app.store.tables import JobRow

CONTEXT, HORIZON = 12, 4


def small_spec(**training: Any) -> ForecasterSpec:
    """A network of a few hundred numbers."""
    return ForecasterSpec(
        context=CONTEXT,
        horizon=HORIZON,
        network=Stack(kind="stack", blocks=(Lstm(kind="lstm", units=8),)),
        head=PointHead(kind="point"),
        training=Training(**({"epochs": 3, "batch_size": 16, "patience": None} | training)),
    )


def waves(series: int = 2, length: int = 120) -> pl.DataFrame:
    """Noisy daily waves with a covariate, in the canonical form of a dataset."""
    start = datetime(2024, 1, 1, tzinfo=UTC)
    generator = np.random.default_rng(7)
    steps = np.arange(length)
    frames = [
        pl.DataFrame(
            {
                "unique_id": [f"s{number}"] * length,
                "ds": [start + timedelta(days=int(step)) for step in steps],
                "y": 10 + number + np.sin(2 * np.pi * steps / 7) + 0.1 * generator.standard_normal(length),
                "x": np.cos(2 * np.pi * steps / 7),
            }
        )
        for number in range(series)
    ]
    return pl.concat(frames).with_columns(pl.col("ds").cast(pl.Datetime("us", "UTC")))


@dataclass(frozen=True)
class Stage:
    """A database with an owner and a dataset, and the artifacts.

    Attributes:
        database: where the rows are.
        artifacts: where the dataset lies.
        owner: the owner's id.
        dataset: the dataset's id.
    """

    database: Database
    artifacts: LocalArtifacts
    owner: str
    dataset: str

    def add_job(self, spec: ForecasterSpec | None = None, **fields: Any) -> str:
        new: dict[str, Any] = {"kind": "train", "name": "waves", "request": {}, "dataset_id": self.dataset, "dataset_version": 1} | fields
        with self.database.begin() as db:
            return insert_job(db, self.owner, NewJob(spec=(spec or small_spec()).model_dump(mode="json"), **new)).id

    def job(self, job_id: str) -> JobRow:
        with self.database.read() as db:
            return get_job(db, self.owner, job_id)


def set_stage(database: Database, folder: Path, frame: pl.DataFrame | None = None) -> Stage:
    """Puts an owner and a dataset into an empty, migrated database; artifacts lie in `folder`."""
    frame = waves() if frame is None else frame
    artifacts = LocalArtifacts(folder / "artifacts")
    path = folder / "upload.arrow"
    frame.write_ipc(path, compression="uncompressed")
    new = NewDataset("waves", artifacts.put(path), path.stat().st_size, "D", 7, "y", ["x"], {}, {})
    with database.begin() as db:
        owner = ensure_owner(db, "somebody")
        return Stage(database, artifacts, owner, insert_dataset(db, owner, new).id)


@contextmanager
def away(database: Database) -> Iterator[None]:
    """While this lasts, nobody gets a connection."""

    def refuse(*_: Any) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    event.listen(database.engine, "do_connect", refuse)
    database.dispose()
    try:
        yield
    finally:
        event.remove(database.engine, "do_connect", refuse)


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
