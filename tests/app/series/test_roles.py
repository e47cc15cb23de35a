"""Which columns are taken for time, id and target, and when that has to be asked."""

from collections.abc import Callable

import pytest

from app.errors import SeriesError
from app.series.table import SeriesTable

Read = Callable[..., SeriesTable]

SHOPS = "".join(f"2026-01-0{day},{shop},{day},{day * 10}\n" for shop in ("north", "south") for day in range(1, 5))


def refused(read: Read, content: str, **options: str) -> tuple[str, str]:
    with pytest.raises(SeriesError) as caught:
        read(content, **options)
    return str(caught.value), caught.value.pointer


def test_conventional_names_need_no_guess(read: Read) -> None:
    table = read("y,ds,unique_id,price\n1,2026-01-01,a,3\n2,2026-01-02,a,4\n")
    assert table.frame.columns == ["unique_id", "ds", "y", "price"]
    why = table.audit["inferred"]
    assert isinstance(why, dict)
    assert [why[role]["why"] for role in ("time", "id", "target")] == ["it is called ds", "it is called unique_id", "it is called y"]


def test_one_unnamed_series_is_called_series(read: Read) -> None:
    assert read("ds,y\n1,2\n2,3\n").frame["unique_id"].to_list() == ["series", "series"]


def test_obvious_columns_are_inferred_and_the_audit_says_why(read: Read) -> None:
    rows = "".join(f"2026-01-0{day},{shop},{day}\n" for shop in ("north", "south") for day in range(1, 5))
    table = read(f"day,shop,sales\n{rows}")
    assert (table.target, table.facts["series"]) == ("sales", 2)
    why = str(table.audit["inferred"])
    assert "the only column that looks like times" in why
    assert "times come back, and it is the only column that can tell their rows apart" in why
    assert "the only other column of numbers" in why


def test_columns_can_be_named(read: Read) -> None:
    table = read(f"day,shop,sales,cents\n{SHOPS}", time_column="day", id_column="shop", target="cents")
    assert (table.target, table.covariates, table.frame["y"][0]) == ("cents", ("sales",), 10.0)


def test_several_columns_can_name_a_series(read: Read) -> None:
    rows = "".join(f"{day},{a},{b},1\n" for a in "pq" for b in "xy" for day in (1, 2, 3))
    table = read(f"ds,first,second,y\n{rows}", id_column="first, second")
    assert table.frame["unique_id"].unique().sort().to_list() == ["p/x", "p/y", "q/x", "q/y"]
    sentence, pointer = refused(read, f"ds,first,second,y\n{rows}")
    assert "so there are several series, and it could be 'first', 'second'; name one or more with id_column=" in sentence
    assert pointer == "?id_column"


def test_numbers_can_name_series_and_keep_their_zeros(read: Read) -> None:
    table = read("id,ds,y\n007,1,1\n007,2,1\n008,1,1\n008,2,1\n")
    assert table.frame["unique_id"].to_list() == ["007", "007", "008", "008"]


def test_a_column_that_is_only_called_like_an_id_stays_a_number(read: Read) -> None:
    table = read("date,series\n2026-01-01,5\n2026-01-02,6\n")
    assert (table.target, table.frame["y"].to_list()) == ("series", [5.0, 6.0])


def test_no_id_can_be_asked_for(read: Read) -> None:
    table = read(f"day,shop,sales,cents\n{SHOPS}", id_column="", target="sales")
    assert table.facts["series"] == 1
    assert table.audit["changed"]["duplicates"]["conflicting"]["count"] == 4  # type: ignore[index]


def test_a_table_written_twice_is_no_panel(read: Read) -> None:
    rows = "2026-01-01,1\n2026-01-02,2\n2026-01-03,3\n"
    table = read(f"ds,y\n{rows}{rows}")
    assert table.frame["y"].to_list() == [1.0, 2.0, 3.0]
    assert "the rows at the same time are copies of each other" in str(table.audit["inferred"])


def test_few_repeated_times_do_not_make_words_a_name(read: Read) -> None:
    rows = "".join(f"2026-01-{day:02},{'rain' if day % 2 else 'sun'},{day}\n" for day in range(1, 20))
    table = read(f"ds,weather,y\n{rows}2026-01-19,sun,20\n")
    assert (table.facts["series"], table.text_columns) == (1, ("weather",))


@pytest.mark.parametrize(
    ("content", "options", "sentence", "pointer"),
    [
        (
            "from,to,y\n2026-01-01,2026-01-02,1\n2026-01-02,2026-01-03,1\n",
            {},
            "'from', 'to' could each be the time; name one with time_column=",
            "?time_column",
        ),
        ("year,month,y\n2026,1,1\n2026,2,1\n", {}, "'year', 'month' could each be the time", "?time_column"),
        ("ds,a,b\n1,1,1\n2,2,2\n", {}, "'a', 'b' could each be the target; name one with target=", "?target"),
        ("ds,y\n1,1\n2,2\n", {"time_column": "when"}, "time_column is 'when'; the columns are 'ds', 'y'", "?time_column"),
        ("ds,y\n1,1\n2,2\n", {"id_column": "shop"}, "id_column is 'shop'; the other columns are 'y'", "?id_column"),
        ("ds,y\n1,1\n2,2\n", {"target": "sales"}, "target is 'sales'; the columns beside time and id are 'y'", "?target"),
        ("ds,y\n1,1\n2,2\n", {"target": "ds"}, "target is 'ds'; the columns beside time and id are 'y'", "?target"),
        ("ds,y\n1,high\n2,low\n", {}, "the target 'y' has to be numbers; lines 2 and 3 have text ('high'): correct it", "?target"),
        ("ds,word,other\n1,high,a\n2,low,b\n", {}, "no column of numbers is left for the target", "?target"),
        (
            "ds,y,sales\n1,1,1\n2,2,2\n",
            {"target": "sales"},
            "a column is called 'y', and the target is 'sales': unique_id, ds and y always mean",
            "",
        ),
        (
            "ds,store,y\n1,1,5\n1,2,6\n2,1,7\n2,2,8\n",
            {},
            "no column of text names every row's ('store'); name one or more with id_column=",
            "?id_column",
        ),
        ("ds,y\n1,1\n2,2\n", {"freq": "h"}, "freq is h and the times are whole numbers; give freq=1, or leave freq out", "?freq"),
        (
            "ds,y\n2026-01-01,1\n2026-01-02,2\n",
            {"freq": "1"},
            "freq is 1 and the times are timestamps; give a length such as freq=h",
            "?freq",
        ),
        ("ds,y\n2026-01-01,1\n2026-01-02,2\n", {"freq": "often"}, "freq is 'often'; a frequency is one of", "?freq"),
    ],
)
def test_what_is_not_plain_is_asked(read: Read, content: str, options: dict[str, str], sentence: str, pointer: str) -> None:
    found = refused(read, content, **options)
    assert sentence in found[0]
    assert found[1] == pointer


def test_many_candidates_are_cut_short(read: Read) -> None:
    names = [f"column{number}" for number in range(30)]
    sentence, _ = refused(read, f"ds,{','.join(names)}\n" + "".join(f"{row},{','.join('1' * 30)}\n" for row in range(3)))
    assert "'column19' and 10 more could each be the target" in sentence
