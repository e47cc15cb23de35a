"""An owner with a dataset, and jobs on it."""

from collections.abc import Callable
from typing import Any

import pytest

from app.store.database import Database
from app.store.datasets import NewDataset, insert_dataset
from app.store.jobs import NewJob, insert_job
from app.store.keys import ensure_owner
from app.store.leases import Claim, claim


@pytest.fixture
def owner(database: Database) -> str:
    with database.begin() as db:
        return ensure_owner(db, "local")


def new_dataset(**changes: Any) -> NewDataset:
    plain: dict[str, Any] = {"name": "data", "digest": "a" * 64, "size_bytes": 1, "freq": "MS", "season": 12, "target": "y"}
    return NewDataset(**({**plain, "covariates": [], "facts": {}, "audit": {}} | changes))


@pytest.fixture
def dataset(database: Database, owner: str) -> str:
    with database.begin() as db:
        return insert_dataset(db, owner, new_dataset()).id


@pytest.fixture
def add_job(database: Database, owner: str, dataset: str) -> Callable[..., str]:
    """Insert a queued job; its id."""

    def add(**changes: Any) -> str:
        plain: dict[str, Any] = {"kind": "train", "name": "job", "request": {}, "spec": {}, "dataset_id": dataset, "dataset_version": 1}
        with database.begin() as db:
            return insert_job(db, owner, NewJob(**(plain | changes))).id

    return add


@pytest.fixture
def take(database: Database) -> Callable[..., Claim]:
    """Claim a job that can be claimed."""

    def claimed(job: str, lease_seconds: float = 60.0) -> Claim:
        with database.begin() as db:
            taken = claim(db, job, worker="w", lease_seconds=lease_seconds)
        assert taken is not None
        return taken

    return claimed
