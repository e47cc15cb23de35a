"""Which time series does an owner have?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.errors import ConflictError, NotFoundError
from app.store.ids import new_id
from app.store.pages import Page, page_of
from app.store.tables import LIVE_STATES, DatasetRow, DatasetVersionRow, JobRow


@dataclass(frozen=True)
class NewDataset:
    """Time series whose Arrow artifact is already stored; `facts` are counts and bounds, `audit` is what was found in the upload."""

    name: str
    digest: str
    size_bytes: int
    freq: str
    season: int
    target: str
    covariates: list[str]
    facts: dict[str, Any]
    audit: dict[str, Any]


def insert_dataset(db: Session, owner: str, new: NewDataset) -> DatasetRow:
    """A dataset with its first version."""
    row = DatasetRow(id=new_id("ds"), owner_id=owner, name=new.name, newest_version=1)
    db.add(row)
    db.flush()
    version = DatasetVersionRow(
        dataset_id=row.id,
        version=1,
        owner_id=owner,
        digest=new.digest,
        size_bytes=new.size_bytes,
        freq=new.freq,
        season=new.season,
        target=new.target,
        covariates=new.covariates,
        facts=new.facts,
        audit=new.audit,
    )  # fmt: skip
    db.add(version)
    db.flush()
    return row


def get_dataset(db: Session, owner: str, dataset_id: str) -> DatasetRow:
    """The owner's dataset.

    Raises:
        NotFoundError: the owner has no such dataset.
    """
    row = db.scalar(sa.select(DatasetRow).where(DatasetRow.id == dataset_id, DatasetRow.owner_id == owner))
    if row is None:
        raise NotFoundError(f"{dataset_id} is not a dataset of yours; GET /v1/datasets lists them")
    return row


def hold_dataset(db: Session, owner: str, dataset_id: str, *, exclusively: bool = False) -> DatasetRow:
    """The owner's dataset, which stays until the transaction ends; held exclusively, nobody else holds it meanwhile.

    Raises:
        NotFoundError: the owner has no such dataset.
    """
    get_dataset(db, owner, dataset_id)
    held = sa.select(DatasetRow).where(DatasetRow.id == dataset_id).with_for_update(read=not exclusively)
    row = db.scalar(held.execution_options(populate_existing=True))
    if row is None:
        raise NotFoundError(f"{dataset_id} was deleted just now")
    return row


def get_version(db: Session, owner: str, dataset_id: str, version: int | None = None) -> DatasetVersionRow:
    """A version of the owner's dataset, the newest by default.

    Raises:
        NotFoundError: the owner has no such dataset, or it has no such version.
    """
    number = get_dataset(db, owner, dataset_id).newest_version if version is None else version
    row = db.get(DatasetVersionRow, (dataset_id, number))
    if row is None or row.owner_id != owner:
        raise NotFoundError(f"{dataset_id} has no version {number}")
    return row


def newest_versions(db: Session, rows: Sequence[DatasetRow]) -> dict[str, DatasetVersionRow]:
    """The newest version of each dataset, in one query."""
    query = sa.select(DatasetVersionRow).join(DatasetRow, DatasetRow.id == DatasetVersionRow.dataset_id)
    query = query.where(DatasetRow.id.in_([row.id for row in rows]), DatasetVersionRow.version == DatasetRow.newest_version)
    return {version.dataset_id: version for version in db.scalars(query)}


def list_datasets(db: Session, owner: str, *, limit: int = 50, after: str | None = None) -> Page[DatasetRow]:
    """The owner's datasets, newest first."""
    return page_of(db, sa.select(DatasetRow).where(DatasetRow.owner_id == owner), DatasetRow.id, limit, after)


def rename_dataset(db: Session, owner: str, dataset_id: str, name: str) -> DatasetRow:
    """The dataset under its new name.

    Raises:
        NotFoundError: the owner has no such dataset.
    """
    row = get_dataset(db, owner, dataset_id)
    row.name = name
    db.flush()
    return row


def delete_dataset(db: Session, owner: str, dataset_id: str) -> list[str]:
    """Forget a dataset; the digests that no row points at any more, to be deleted after the commit.

    Raises:
        NotFoundError: the owner has no such dataset.
        ConflictError: a live job needs it.
    """
    row = hold_dataset(db, owner, dataset_id, exclusively=True)
    live = db.scalar(sa.select(JobRow.id).where(JobRow.dataset_id == dataset_id, JobRow.status.in_(LIVE_STATES)).limit(1))
    if live is not None:
        raise ConflictError(f"{live} still needs {dataset_id}; cancel it first, or wait until it has ended")
    digests = db.scalars(sa.select(DatasetVersionRow.digest).where(DatasetVersionRow.dataset_id == dataset_id)).all()
    db.delete(row)
    db.flush()
    return unused(db, digests)


def unused(db: Session, digests: Sequence[str]) -> list[str]:
    """Those of the digests that no dataset points at: equal uploads share their bytes."""
    used = set(db.scalars(sa.select(DatasetVersionRow.digest).where(DatasetVersionRow.digest.in_(digests))))
    return sorted(set(digests) - used)
