"""Which artifacts does no row point at? A process that dies between storing bytes and writing their digest down leaves some."""

from __future__ import annotations

import sqlalchemy as sa

from app.errors import UnavailableError
from app.store.artifacts import STORAGE_REFUSES, ArtifactStore
from app.store.database import Database
from app.store.tables import Base


def remove_orphans(database: Database, artifacts: ArtifactStore, *, older_than_seconds: float) -> list[str]:
    """Removes artifacts that no row has the digest of; their digests.

    Args:
        database: whose rows count: every column that is called a digest.
        artifacts: where the bytes are.
        older_than_seconds: what was stored less long ago is left: its row may be on its way.

    Raises:
        UnavailableError: the storage cannot be listed, or refuses to remove.
    """
    try:
        return _removed(database, artifacts, older_than_seconds)
    except STORAGE_REFUSES as error:
        raise UnavailableError(f"The artifacts cannot be listed or removed: {error}") from error


def _removed(database: Database, artifacts: ArtifactStore, older_than_seconds: float) -> list[str]:
    candidates = artifacts.digests(older_than_seconds)
    if not candidates:
        return []
    with database.read() as db:
        known = {digest for column in _digest_columns() for digest in db.scalars(sa.select(column).where(column.is_not(None)))}
    # Stored again since, as something that is wanted: its row may be on its way too.
    orphans = sorted((candidates - known) & artifacts.digests(older_than_seconds)) if candidates - known else []
    for digest in orphans:
        artifacts.delete(digest)
    return orphans


def _digest_columns() -> list[sa.Column[str]]:
    return [column for table in Base.metadata.sorted_tables for column in table.columns if column.name.endswith("digest")]
