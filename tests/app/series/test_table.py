"""From a file to regular series: what is changed on the way is counted, and what is stored is what was read."""

from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import orjson
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.errors import SeriesError
from app.series.panel import panel_of
from app.series.table import SeriesTable, TableLimits, TableOptions, open_arrow, read_table, write_arrow
from tests.strategies_tables import RegularTable, regular_tables

Read = Callable[..., SeriesTable]
Findings = dict[str, dict[str, dict[str, object]]]

MODULE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def audit(table: SeriesTable) -> Findings:
    return cast("Findings", table.audit)


def spooled(path: Path, content: bytes, options: TableOptions | None = None) -> SeriesTable:
    path.write_bytes(content)
    return read_table(path, "text/csv", options or TableOptions(), TableLimits())


@MODULE
@given(table=regular_tables())
def test_a_regular_panel_is_read_as_it_was_written(tmp_path: Path, table: RegularTable) -> None:
    result = spooled(tmp_path / "upload", table.csv(), TableOptions(freq=table.freq, id_column="unique_id"))
    assert result.frame.equals(table.frame)
    assert str(result.freq) == table.freq


@MODULE
@given(table=regular_tables(), data=st.data())
def test_the_order_of_rows_does_not_matter(tmp_path: Path, table: RegularTable, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(table.frame.height)))
    shuffled = RegularTable(table.frame[order], table.freq)
    assert spooled(tmp_path / "upload", shuffled.csv(), TableOptions(freq=table.freq)).frame.equals(table.frame)


@MODULE
@given(table=regular_tables(), data=st.data())
def test_a_row_that_is_missing_comes_back_without_a_value(tmp_path: Path, table: RegularTable, data: st.DataObject) -> None:
    inner = [row for row in range(1, table.frame.height - 1) if len(set(table.frame["unique_id"][row - 1 : row + 2])) == 1]
    lost = data.draw(st.sampled_from(inner))
    kept = table.frame.with_row_index().filter(pl.col("index") != lost).drop("index")
    if kept["y"].null_count() == kept.height:
        return
    result = spooled(tmp_path / "upload", RegularTable(kept, table.freq).csv(), TableOptions(freq=table.freq))
    assert result.frame.select("unique_id", "ds").equals(table.frame.select("unique_id", "ds"))
    assert result.frame["y"][lost] is None
    assert audit(result)["changed"]["gaps"]["count"] == 1


@MODULE
@given(table=regular_tables())
def test_what_is_stored_is_what_was_read(tmp_path: Path, table: RegularTable) -> None:
    result = spooled(tmp_path / "upload", table.csv(), TableOptions(freq=table.freq))
    write_arrow(result, tmp_path / "stored.arrow")
    stored = open_arrow(tmp_path / "stored.arrow")
    assert stored.equals(result.frame)
    assert open_arrow(tmp_path / "stored.arrow", ["ds", "y"]).equals(result.frame.select("ds", "y"))
    panel = panel_of(stored, result.freq, [])
    assert list(panel.ids) == table.frame["unique_id"].unique().sort().to_list()
    assert panel.lengths.sum() == stored.height
    for series, unique_id in enumerate(panel.ids):
        rows = stored.filter(pl.col("unique_id") == unique_id)
        assert panel.times(series).tolist() == rows["ds"].to_list()
        np.testing.assert_array_equal(panel.values(series), rows["y"].fill_null(float("nan")).to_numpy())


def test_zoned_times_are_stored_in_utc(read: Read, tmp_path: Path) -> None:
    table = read("ds,y\n2026-01-01T00:00:00+01:00,1\n2026-01-01T01:00:00+01:00,2\n2026-01-01T03:00:00+01:00,2\n")
    write_arrow(table, tmp_path / "stored.arrow")
    stored = open_arrow(tmp_path / "stored.arrow")
    assert stored["ds"].dtype == pl.Datetime("us", "UTC")
    assert panel_of(stored, table.freq, []).start(0) == np.datetime64("2025-12-31T23:00", "us")


def test_a_panel_hands_out_the_end_of_a_series(read: Read) -> None:
    table = read("unique_id,ds,y,price\na,1,1,10\na,2,2,20\na,3,3,30\nb,5,,50\nb,6,7,60\n")
    panel = panel_of(table.frame, table.freq, table.covariates)
    part = panel.history("a", ["y", "price"], last=2)
    assert (part.start, part.columns["y"].tolist(), part.columns["price"].tolist()) == (2, [2.0, 3.0], [20.0, 30.0])
    assert panel.history("b").start == 5
    assert panel.history("b", last=9).columns["y"].tolist() == pytest.approx([float("nan"), 7.0], nan_ok=True)
    with pytest.raises(SeriesError, match="unique_id 'c' is not a series of this dataset, which has 2"):
        panel.history("c")
    assert panel_of(table.frame.clear(), table.freq, []).ids == ()


def test_copies_are_dropped_and_contradictions_keep_the_last_row(read: Read) -> None:
    table = read("ds,y,note\n1,1,a\n1,1,a\n2,2,a\n2,3,a\n2,2,b\n3,,\n3,,\n4,1,a\n", id_column="")
    assert table.frame["y"].to_list() == [1.0, 2.0, None, 1.0]
    assert table.frame["note"].to_list() == ["a", "b", None, "a"]
    duplicates = audit(table)["changed"]["duplicates"]
    assert duplicates["identical"] == {"count": 2, "lines": [2, 7]}
    assert duplicates["conflicting"] == {"count": 2, "lines": [4, 5]}


def test_unsorted_rows_are_sorted_and_counted(read: Read) -> None:
    table = read("unique_id,ds,y\nb,2,4\na,1,1\nb,1,3\na,2,2\n")
    assert table.frame.rows() == [("a", 1, 1.0), ("a", 2, 2.0), ("b", 1, 3.0), ("b", 2, 4.0)]
    assert audit(table)["changed"]["unsorted"] == {"count": 1, "lines": [4]}


def test_interleaved_series_are_not_unsorted(read: Read) -> None:
    table = read("ds,unique_id,y\n1,b,3\n1,a,1\n2,b,4\n2,a,2\n")
    assert table.frame["y"].to_list() == [1.0, 2.0, 3.0, 4.0]
    assert audit(table)["changed"]["unsorted"]["count"] == 0


def test_gaps_are_filled_with_missing_values_and_named(read: Read) -> None:
    table = read("unique_id,ds,y,word\na,2026-01-01,1,x\na,2026-01-02,2,x\na,2026-01-05,5,x\nb,2026-01-01,1,x\nb,2026-01-02,2,x\n")
    assert table.frame["y"].to_list() == [1.0, 2.0, None, None, 5.0, 1.0, 2.0]
    assert table.frame["word"].null_count() == 2
    gap = {"unique_id": "a", "after": "2026-01-02T00:00:00", "before": "2026-01-05T00:00:00", "missing": 2}
    assert audit(table)["changed"]["gaps"] == {"count": 2, "places": 1, "examples": [gap]}


def test_irregular_times_are_refused_with_the_rows_and_the_way_out(read: Read) -> None:
    rows = "".join(f"2026-01-01T{hour:02}:00:00,1\n" for hour in range(10))
    with pytest.raises(SeriesError) as caught:
        read(f"ds,y\n{rows}2026-01-01T10:07:00,1\n")
    assert str(caught.value) == (
        "the times are not regular: 1 of 10 distances are no multiple of the commonest one, first 2026-01-01T09:00:00 and "
        "2026-01-01T10:07:00 of "
        "'series' (lines 11 and 12); give freq= (such as freq=30min) to move each row to the nearest step, or aggregate the table to "
        "regular steps"
    )
    assert caught.value.pointer == "?freq"


def test_a_frequency_that_is_given_moves_rows_to_the_nearest_step(read: Read) -> None:
    table = read("ds,y\n2026-01-01T07:59:42,1\n2026-01-01T08:25:42,2\n2026-01-01T08:59:42,3\n2026-01-01T09:01:00,4\n", freq="30min")
    assert table.frame["ds"].dt.strftime("%H:%M").to_list() == ["08:00", "08:30", "09:00"]
    assert table.frame["y"].to_list() == [1.0, 2.0, 4.0]
    changed = audit(table)["changed"]
    assert (changed["moved"]["count"], changed["merged"]) == (4, {"count": 1, "lines": [4]})


def test_a_phase_of_its_own_is_no_irregularity(read: Read) -> None:
    table = read("ds,y\n2026-01-01T07:10:00,1\n2026-01-01T08:10:00,2\n2026-01-01T09:10:00,3\n", freq="h")
    assert audit(table)["changed"]["moved"]["count"] == 0


def test_a_frequency_that_would_swallow_most_rows_is_refused(read: Read) -> None:
    rows = "".join(f"2026-01-{day:02},1\n" for day in range(1, 29))
    with pytest.raises(SeriesError, match=r"freq is MS and 27 of 28 rows would fall on the step of another \(first lines 2 and 3\)"):
        read(f"ds,y\n{rows}", freq="MS")


def test_months_on_any_day_are_read_as_their_month_and_counted(read: Read) -> None:
    table = read("ds,y\n2026-01-15,1\n2026-02-15,2\n2026-03-15,3\n")
    assert table.frame["ds"].dt.day().to_list() == [1, 1, 1]
    assert audit(table)["changed"]["moved"] == {"count": 3, "lines": [2, 3, 4]}


@pytest.mark.parametrize(
    ("freq", "sentence"),
    [("W-MON", "freq is W-MON and there are weeks of FRI; give freq=W"), ("2", "not every row is a whole number of steps of 2")],
)
def test_a_grid_that_the_rows_are_not_on_is_refused(read: Read, freq: str, sentence: str) -> None:
    content = "ds,y\n1,1\n2,2\n4,3\n" if freq == "2" else "ds,y\n2026-01-02,1\n2026-01-09,2\n2026-01-16,3\n"
    with pytest.raises(SeriesError, match=sentence):
        read(content, freq=freq)


def test_weeks_with_their_weekday_are_moved_to_it(read: Read) -> None:
    table = read("ds,y\n2026-01-02,1\n2026-01-10,2\n2026-01-16,3\n", freq="W-FRI")
    assert table.frame["ds"].dt.day().to_list() == [2, 9, 16]
    assert audit(table)["inferred"]["freq"]["weekdays"] == ["FRI"]


def test_steps_that_are_unevenly_far_apart_are_refused(read: Read) -> None:
    with pytest.raises(SeriesError, match=r"first 3 and 4 of 'series' .*; number the steps 1, 2, 3 ..., or aggregate"):
        read("ds,y\n1,1\n3,2\n4,3\n7,3\n9,3\n11,4\n13,4\n", freq="2")


def test_times_finer_than_a_millisecond_are_refused(read: Read) -> None:
    with pytest.raises(SeriesError, match="the times are not regular: the times are not whole milliseconds apart"):
        read("ds,y\n2026-01-01T00:00:00.000001,1\n2026-01-01T00:00:00.000002,2\n")


def test_an_event_log_is_refused_although_seconds_divide_everything(read: Read) -> None:
    moments = np.cumsum(np.random.default_rng(7).integers(1, 5000, 300))
    rows = "".join(f"{np.datetime64('2026-01-01T00:00:00') + int(moment)},1\n" for moment in moments)
    with pytest.raises(SeriesError, match="the times are not regular"):
        read(f"ds,y\n{rows}")


def test_values_that_are_missing_stay_missing_and_are_counted(read: Read) -> None:
    table = read("ds,y,a,b\n1,1,NA,inf\n2,,3, 4\n3,NaN,-,5\n4,-Infinity,?,6 \n5,2,1,\n")
    assert table.frame["y"].to_list() == [1.0, None, None, None, 2.0]
    assert table.frame["a"].to_list() == [None, 3.0, None, None, 1.0]
    assert table.frame["b"].to_list() == [None, 4.0, 5.0, 6.0, None]
    values = audit(table)["values"]
    assert values["missing"] == {"y": 3, "a": 3, "b": 2}
    assert values["missing_words"] == {"a": 3}
    assert values["non_finite"] == {"y": 2, "b": 1}


def test_words_in_a_covariate_make_it_text(read: Read) -> None:
    rows = "".join(f"{step},{step},{step}\n" for step in range(1500))
    table = read(f"ds,y,a\n{rows}1500,1500,many\n")
    assert table.text_columns == ("a",)
    assert table.frame["a"][0] == "0"


def test_decimal_commas_are_read_where_the_delimiter_is_not_one(read: Read) -> None:
    table = read("ds;y;a\r\n01.02.2026;2,5;1\r\n02.02.2026;-3;1,5\r\n03.02.2026;NA;,5\r\n")
    assert table.frame["y"].to_list() == [2.5, -3.0, None]
    assert table.frame["a"].to_list() == [1.0, 1.5, 0.5]
    assert cast("dict[str, object]", table.audit["file"]).items() >= {"decimal": ",", "newline": "CRLF"}.items()


def test_tabs_and_byte_order_marks_are_understood(read: Read) -> None:
    table = read("\ufeffds\ty\n1\t1.5\n2\t2.5\n")
    assert table.frame["y"].to_list() == [1.5, 2.5]
    assert table.audit["file"] == {
        "format": "csv", "delimiter": "\t", "decimal": ".", "newline": "LF", "byte_order_mark": True, "rows": 2, "columns": 2,
    }  # fmt: skip


def test_lines_are_those_of_the_file_though_fields_have_several(read: Read) -> None:
    rows = "".join(f'{step},{step},"two\nlines, ""quoted"""\n' for step in range(40_000))
    table = read(f"ds,y,note\n{rows}\n40000,1,\n39999,39999,last\n")
    assert table.frame["note"][5] == 'two\nlines, "quoted"'
    assert audit(table)["changed"]["unsorted"] == {"count": 1, "lines": [80_004]}
    assert audit(table)["changed"]["empty_rows"] == {"count": 1, "lines": [80_002]}


def test_what_holds_nothing_is_left_out_and_named(read: Read) -> None:
    table = read("ds,y,empty,,\n1,1,,,\n2,2,,,\n,,,,\n")
    assert table.frame.columns == ["unique_id", "ds", "y"]
    assert audit(table)["values"]["left_out"] == {"empty_columns": ["empty"], "unnamed_columns": 2}
    assert audit(table)["changed"]["empty_rows"] == {"count": 1, "lines": [4]}


def test_peculiar_series_are_named(read: Read) -> None:
    series: dict[str, list[object]] = {
        "flat": [5, 5, 5],
        "late": [0, 0, 3],
        "empty": ["", "", ""],
        "gone": ["", 0, 2],
        "fine": [1, 0, 2],
        "short": [1],
        "nil": [0, 0, 0],
        "new": ["", 1, 2],
    }
    rows = "".join(f"{name},{step},{value}\n" for name, values in series.items() for step, value in enumerate(values))
    findings = audit(read(f"unique_id,ds,y\n{rows}"))["series"]
    assert findings["constant_series"] == {"count": 2, "series": ["flat", "nil"]}
    assert findings["leading_zeros"] == {"count": 2, "series": ["gone", "late"]}
    assert findings["unobserved_series"] == {"count": 1, "series": ["empty"]}
    assert findings["single_observations"] == {"count": 1, "series": ["short"]}


def test_numbers_that_may_mean_missing_are_reported_and_left_alone(read: Read) -> None:
    table = read("ds,y\n" + "".join(f"{step},{-200 if step % 3 == 0 else step}\n" for step in range(12)))
    assert cast("dict[str, object]", table.audit["values"])["sentinels"] == [{"column": "y", "value": -200.0, "count": 4}]
    assert table.frame["y"][0] == -200.0


def test_an_audit_is_json_and_its_examples_are_few(read: Read) -> None:
    table = read("unique_id,ds,y\n" + "".join(f"s{name},{2 * step},1\n" for name in range(50) for step in range(3)) + "s0,4,2\n" * 60)
    assert orjson.loads(orjson.dumps(table.audit)) == table.audit
    assert orjson.loads(orjson.dumps(table.facts)) == table.facts
    duplicates = cast("dict[str, dict[str, list[int]]]", audit(table)["changed"]["duplicates"])
    assert len(duplicates["conflicting"]["lines"]) <= 20
    assert audit(table)["inferred"]["freq"]["freq"] == "2"
    assert audit(table)["series"]["constant_series"]["count"] == 49
