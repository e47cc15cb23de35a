"""One time of a request is read as a table's times are, and as quickly as it is asked for."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import SeriesError
from app.series.frequency import as_times
from app.series.moments import read_moment, write_moments


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.booleans())  # noqa: DTZ001 with and without a zone
def test_a_time_that_was_written_is_read_again(moment: datetime, is_zoned: bool) -> None:
    kind = "zoned" if is_zoned else "naive"
    stamp = np.datetime64(moment, "us")
    (text,) = write_moments(as_times([stamp]), kind)  # type: ignore[arg-type]
    assert read_moment(text, kind) == stamp  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["2024-02-29T06:07:08", "2024-02-29 06:07:08.5", "2024-02-29T06:07:08Z", "2024-02-29T07:07:08+01:00"])
def test_every_form_of_a_time_is_the_same_time_where_there_is_a_zone(text: str) -> None:
    whole = datetime(2024, 2, 29, 6, 7, 8, 500_000 if ".5" in text else 0, UTC)
    assert read_moment(text, "zoned") == np.datetime64(whole.replace(tzinfo=None), "us")


@pytest.mark.parametrize("text", ["2024-02-30T00:00:00", "2024-01-01T25:00:00", "2024-01-01T00:00:00Z", "today"])
def test_what_is_in_no_calendar_or_of_another_kind_is_refused(text: str) -> None:
    with pytest.raises(SeriesError):
        read_moment(text, "naive")
