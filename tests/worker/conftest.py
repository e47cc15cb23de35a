"""A stage for the tests of the worker."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.store.database import Database
from tests.worker.stage import Stage, set_stage


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Stage:
    """An owner with a dataset, on either database."""
    return set_stage(database, tmp_path)


@pytest.fixture
def local_stage(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Stage]:
    """The same on SQLite alone."""
    shutil.copy(migrated_sqlite, tmp_path / "local.db")
    database = Database(f"sqlite:///{tmp_path / 'local.db'}")
    yield set_stage(database, tmp_path)
    database.dispose()
