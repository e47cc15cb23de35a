"""A dataset is read by whole series, whatever lies where a reading ends."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.series.chunks import Chunk, chunks_of

LENGTHS = [3, 1, 9, 2, 2, 5]


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    ids = [f"s{number}" for number, length in enumerate(LENGTHS) for _ in range(length)]
    path = tmp_path / "stored.arrow"
    pl.DataFrame({"unique_id": ids, "y": np.arange(len(ids), dtype=np.float64)}).write_ipc(path, compression="uncompressed")
    return path


def ids_of(chunks: list[Chunk]) -> list[list[str]]:
    return [chunk.frame["unique_id"].unique(maintain_order=True).to_list() for chunk in chunks]


@pytest.mark.parametrize(("rows", "most_series"), [(1, 100), (4, 100), (5, 2), (100, 4), (100, 6), (100, 100)])
def test_every_series_is_whole_and_in_one_chunk(stored: Path, rows: int, most_series: int) -> None:
    chunks = list(chunks_of(stored, ["y"], most_series, rows_at_once=rows))
    assert [name for names in ids_of(chunks) for name in names] == [f"s{number}" for number in range(len(LENGTHS))]
    assert pl.concat([chunk.frame for chunk in chunks])["y"].to_list() == list(range(sum(LENGTHS)))
    assert max(map(len, ids_of(chunks))) <= most_series
    assert [chunk.end for chunk in chunks] == np.cumsum([chunk.frame.height for chunk in chunks]).tolist()
    assert {chunk.rows for chunk in chunks} == {sum(LENGTHS)}


def test_a_reading_that_goes_on_has_the_chunks_of_one_that_did_not_stop(stored: Path) -> None:
    whole = list(chunks_of(stored, ["y"], 2, rows_at_once=4))
    for number, chunk in enumerate(whole):
        rest = list(chunks_of(stored, ["y"], 2, chunk.end, rows_at_once=4))
        assert ids_of(rest) == ids_of(whole[number + 1 :])


def test_many_series_are_read_some_at_a_time(stored: Path) -> None:
    assert ids_of(list(chunks_of(stored, ["y"], 4, rows_at_once=100))) == [["s0", "s1", "s2", "s3"], ["s4", "s5"]]
