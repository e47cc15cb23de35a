"""No bytes whatever raise anything but the errors that have a sentence."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import BraidcastError
from app.series.table import MEDIA_TYPES, TableLimits, TableOptions, read_table
from tests.strategies_tables import RegularTable, damaged, grids_of_fragments, nearly_tables, regular_tables

LIMITS = TableLimits(rows=1000, series=10, columns=8, field_bytes=64)
OPTIONS = st.builds(
    TableOptions,
    time_column=st.sampled_from([None, "ds", "ds,a"]),
    id_column=st.sampled_from([None, "", "a"]),
    target=st.sampled_from([None, "y", "1"]),
    freq=st.sampled_from([None, "D", "1", "MS"]),
)


def refusal(path: Path, content: bytes, media_type: str, options: TableOptions) -> BraidcastError | None:
    """What reading some bytes is refused with, if it is; anything but our own errors comes through."""
    path.write_bytes(content)
    try:
        table = read_table(path, media_type, options, LIMITS)
    except BraidcastError as error:
        return error
    assert 1 <= table.frame.height <= LIMITS.rows
    return None


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "upload"


@given(content=nearly_tables, media_type=st.sampled_from(MEDIA_TYPES), options=OPTIONS)
@settings(max_examples=300)
def test_nearly_tables_are_read_or_refused(path: Path, content: bytes, media_type: str, options: TableOptions) -> None:
    error = refusal(path, content, media_type, options)
    assert error is None or str(error)


@given(content=grids_of_fragments(), options=OPTIONS)
@settings(max_examples=400)
def test_grids_of_anything_are_read_or_refused(path: Path, content: bytes, options: TableOptions) -> None:
    error = refusal(path, content, "text/csv", options)
    assert error is None or str(error)


@given(table=regular_tables(), kind=st.sampled_from(["csv", "parquet", "ndjson", "json"]), options=OPTIONS, data=st.data())
@settings(max_examples=200)
def test_damaged_tables_are_read_or_refused(path: Path, table: RegularTable, kind: str, options: TableOptions, data: st.DataObject) -> None:
    frame = table.frame.with_columns(pl.col("ds").dt.to_string("iso"))
    match kind:
        case "csv":
            content = table.csv()
        case "parquet":
            table.frame.write_parquet(path)
            content = path.read_bytes()
        case "ndjson":
            content = frame.write_ndjson().encode()
        case _:
            content = frame.write_json().encode()
    media_type = dict(zip(["csv", "parquet", "ndjson", "json"], MEDIA_TYPES, strict=True))[kind]
    error = refusal(path, data.draw(damaged(content)), media_type, options)
    assert error is None or str(error)
