"""Uploads for the tests of this folder."""

from collections.abc import Callable
from pathlib import Path

import pytest

from app.series.table import SeriesTable, TableLimits, TableOptions, read_table

Read = Callable[..., SeriesTable]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Spools some content and reads it."""

    def reading(content: str | bytes, media_type: str = "text/csv", limits: TableLimits | None = None, **options: str) -> SeriesTable:
        path = tmp_path / "upload"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_table(path, media_type, TableOptions(**options), limits or TableLimits())

    return reading
