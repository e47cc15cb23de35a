"""Files as users have them: what `expected.json` beside them says is what is read, or they are refused with a good reason."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from app.errors import SeriesError
from app.series.table import SeriesTable, TableLimits, TableOptions, read_table

MESSY = Path(__file__).parents[4] / "shared" / "data" / "messy"

pytestmark = [pytest.mark.bench, pytest.mark.skipif(not MESSY.is_dir(), reason=f"the messy files are not at {MESSY}")]

EXPECTED: dict[str, dict[str, Any]] = {}
if MESSY.is_dir():
    EXPECTED = {entry["file"]: entry for entry in json.loads((MESSY / "expected.json").read_text())}

READ_ALONE = ["uk_daily_flights.csv", "duq_hourly.csv.gz", "us_gasoline_descending.csv", "monthly_milk_incomplete.csv", "co2_weekly.csv"]
READ_WITH_NAMES = ["air_quality_uci.csv.gz", "metro_traffic_volume.csv.gz", "au_tourism_quarter_strings.csv.gz", "hh_budget_annual.csv"]


def read(name: str, tmp_path: Path, options: TableOptions) -> SeriesTable:
    content = (MESSY / name).read_bytes()
    path = tmp_path / "upload"
    path.write_bytes(gzip.decompress(content) if name.endswith(".gz") else content)
    return read_table(path, "text/csv", options, TableLimits())


def named(name: str) -> TableOptions:
    ids = EXPECTED[name].get("series_column")
    return TableOptions(target=EXPECTED[name]["target"], id_column=",".join(ids) if isinstance(ids, list) else ids)


@pytest.mark.parametrize(("name", "is_named"), [*((name, False) for name in READ_ALONE), *((name, True) for name in READ_WITH_NAMES)])
def test_messy_file_is_read_as_expected(name: str, is_named: bool, tmp_path: Path) -> None:
    expected = EXPECTED[name]
    table = read(name, tmp_path, named(name) if is_named else TableOptions())
    audit: dict[str, Any] = table.audit
    duplicates = audit["changed"]["duplicates"]
    freq = str(table.freq) + "".join(f"-{day}" for day in audit["inferred"]["freq"]["weekdays"])
    time = audit["inferred"]["time"]["columns"]
    assert table.target == expected["target"]
    assert (time if len(time) > 1 else time[0]) == expected["time_column"]
    assert audit["file"]["rows"] - audit["changed"]["empty_rows"]["count"] == expected["rows"]
    assert table.facts["series"] == expected["n_series"]
    assert table.facts["first"] == expected["first"].replace(" ", "T")
    assert table.facts["last"] == expected["last"].replace(" ", "T")
    assert freq == expected["freq"]
    assert audit["changed"]["gaps"]["count"] == expected["missing_timestamps"]
    assert duplicates["identical"]["count"] + duplicates["conflicting"]["count"] == expected["duplicate_series_timestamp_rows"]
    assert (audit["changed"]["unsorted"]["count"] == 0) == ("ascending" in expected["order_within_series"])
    assert (audit["file"]["byte_order_mark"], audit["file"]["newline"]) == (expected["bom"], expected["newline"])
    assert (audit["file"]["delimiter"], audit["file"]["decimal"]) == (expected["delimiter"], expected["decimal"])


def test_sentinels_and_empty_ends_of_the_air_quality_file_are_reported(tmp_path: Path) -> None:
    expected = EXPECTED["air_quality_uci.csv.gz"]
    audit: dict[str, Any] = read("air_quality_uci.csv.gz", tmp_path, named("air_quality_uci.csv.gz")).audit
    found = {entry["column"].replace("y", "CO(GT)"): entry["count"] for entry in audit["values"]["sentinels"]}
    assert found == expected["sentinel"]["count"]
    assert audit["changed"]["empty_rows"]["count"] == expected["trailing_empty_rows"]
    assert audit["values"]["left_out"]["unnamed_columns"] == expected["trailing_empty_columns"]


def test_blank_values_of_the_co2_file_stay_missing(tmp_path: Path) -> None:
    audit: dict[str, Any] = read("co2_weekly.csv", tmp_path, TableOptions()).audit
    assert audit["values"]["missing"]["y"] == EXPECTED["co2_weekly.csv"]["missing"]["co2"]


def test_parking_is_refused_as_irregular_and_read_with_a_frequency(tmp_path: Path) -> None:
    expected, options = EXPECTED["parking_birmingham.csv.gz"], named("parking_birmingham.csv.gz")
    with pytest.raises(SeriesError, match=r"the times are not regular: .* of 'BHMBCCMKT01' .*; give freq="):
        read("parking_birmingham.csv.gz", tmp_path, options)
    table = read("parking_birmingham.csv.gz", tmp_path, TableOptions(target=options.target, id_column=options.id_column, freq="30min"))
    audit: dict[str, Any] = table.audit
    duplicates = audit["changed"]["duplicates"]
    assert duplicates["identical"]["count"] + duplicates["conflicting"]["count"] == expected["duplicate_series_timestamp_rows"]
    assert (table.facts["series"], audit["file"]["rows"]) == (expected["n_series"], expected["rows"])


@pytest.mark.parametrize(
    ("name", "options", "reason"),
    [
        ("nyc_bikes_event_log.csv.gz", TableOptions(), "'start_time', 'stop_time' could each be the time; name one with time_column="),
        (
            "nyc_bikes_event_log.csv.gz",
            TableOptions(time_column="start_time", id_column="bike_id", target="birth_year"),
            "the times are not regular: .*aggregate the table to regular steps",
        ),
        ("shampoo_no_year.csv", TableOptions(), "Month: '1-01' in line 2 is no time; times are written"),
        ("parking_birmingham.csv.gz", TableOptions(), "'Capacity', 'Occupancy' could each be the target; name one with target="),
        ("au_tourism_quarter_strings.csv.gz", TableOptions(), "it could be 'Region', 'State', 'Purpose'; name one or more with id_column="),
        ("hh_budget_annual.csv", TableOptions(), "'Debt', 'DI', 'Expenditure', .* could each be the target"),
        ("metro_traffic_volume.csv.gz", TableOptions(), "'temp', .*'traffic_volume' could each be the target"),
    ],
)
def test_what_a_messy_file_does_not_say_is_asked(name: str, options: TableOptions, reason: str, tmp_path: Path) -> None:
    with pytest.raises(SeriesError, match=reason):
        read(name, tmp_path, options)
