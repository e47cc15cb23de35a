"""Parts of many forecasts become one file, whose bytes depend on nothing but the forecasts."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.forecasting.parts import FileFormat, Part, frame_of, load_part, write_file

LEVELS = (0.1, 0.9)
MARCH = int(np.datetime64("2026-03-30", "us").astype(np.int64))


def part_of(*ids: str, start: int = MARCH, steps: int = 3) -> Part:
    numbers = np.arange(len(ids) * steps * 3, dtype=np.float64).reshape(len(ids), steps, 3)
    return Part(ids, np.full(len(ids), start, dtype=np.int64), numbers, {"job": "job_1"})


@pytest.fixture(params=["parquet", "csv"])
def form(request: pytest.FixtureRequest) -> FileFormat:
    found: FileFormat = request.param
    return found


def test_a_part_comes_back_from_its_bytes() -> None:
    part = part_of("a", "b")
    found = load_part(part.dump())
    assert (found.ids, found.told) == (part.ids, part.told)
    np.testing.assert_array_equal(found.starts, part.starts)
    np.testing.assert_array_equal(found.values, part.values)


def test_a_row_is_a_step_of_a_series() -> None:
    frame = frame_of(part_of("a", "b", steps=2), "MS", "zoned", LEVELS)
    assert frame.columns == ["unique_id", "ds", "mean", "q0.1", "q0.9"]
    assert frame["unique_id"].to_list() == ["a", "a", "b", "b"]
    assert [str(time) for time in frame["ds"][:2]] == ["2026-03-01 00:00:00+00:00", "2026-04-01 00:00:00+00:00"]
    assert frame.row(2)[2:] == (6.0, 7.0, 8.0)


def test_what_is_no_number_is_null() -> None:
    part = part_of("a")
    part.values[0, 0] = [np.nan, np.inf, -np.inf]
    assert frame_of(part, "D", "naive", LEVELS).row(0)[2:] == (None, None, None)


def test_times_in_csv_are_those_of_other_answers(tmp_path: Path) -> None:
    path = tmp_path / "forecasts.csv"
    for freq, kind, start, told in (
        ("D", "zoned", MARCH, "2026-03-30T00:00:00Z"),
        ("D", "naive", MARCH, "2026-03-30T00:00:00"),
        ("500ms", "naive", MARCH + 500_000, "2026-03-30T00:00:00.500"),
        ("1", "integer", 17, "17"),
    ):
        write_file([frame_of(part_of("a", start=start), freq, kind, LEVELS)], path, "csv")  # type: ignore[arg-type]
        assert path.read_text().splitlines()[1].split(",")[1].rstrip("0") == told.rstrip("0")


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_no_name_in_csv_is_a_formula_to_a_spreadsheet(name: str, tmp_path: Path) -> None:
    frame = frame_of(part_of(name, "plain"), "D", "naive", LEVELS)
    write_file([frame], tmp_path / "f.csv", "csv")
    assert pl.read_csv(tmp_path / "f.csv")["unique_id"].unique(maintain_order=True).to_list() == [f"'{name}", "plain"]
    assert pl.read_csv(tmp_path / "f.csv")["mean"].to_list() == frame["mean"].to_list()
    write_file([frame], tmp_path / "f.parquet", "parquet")
    assert pl.read_parquet(tmp_path / "f.parquet")["unique_id"][0] == name


def test_the_same_parts_give_the_same_bytes(form: FileFormat, tmp_path: Path) -> None:
    frames = [frame_of(part_of(*(f"s{chunk}-{number}" for number in range(2000)), steps=24), "h", "zoned", LEVELS) for chunk in range(20)]
    path, contents = tmp_path / f"forecasts.{form}", set()
    for _ in range(3):
        write_file(frames, path, form)
        contents.add(path.read_bytes())
    assert len(contents) == 1
    read = pl.read_parquet(path) if form == "parquet" else pl.read_csv(path, try_parse_dates=True)
    assert read["unique_id"].to_list() == pl.concat(frames)["unique_id"].to_list()
    assert read["mean"].to_list() == pl.concat(frames)["mean"].to_list()


def test_parts_without_series_leave_no_trace(form: FileFormat, tmp_path: Path) -> None:
    frames = [frame_of(part_of(*ids), "D", "naive", LEVELS) for ids in ((), ("a",), ())]
    write_file(frames, tmp_path / "file", form)
    read = pl.read_parquet(tmp_path / "file") if form == "parquet" else pl.read_csv(tmp_path / "file")
    assert read["unique_id"].to_list() == ["a"] * 3
