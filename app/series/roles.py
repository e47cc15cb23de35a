"""Which column names the series, and which is forecast?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from app.errors import SeriesError, TooLargeError
from app.series.frequency import Times
from app.series.numbers import not_a_number
from app.series.options import TableLimits
from app.series.source import Source, listed, places
from app.series.time_values import RowNumbers

UNNAMED_SERIES = "series"
"""The `unique_id` of a table that holds one series and no name for it."""

ID_NAMES = ("unique_id", "series_id", "item_id", "series", "id")
ID_AT_MOST = 256
"""Characters of an id."""

REPEATED_SHARE = 1 / 3
"""From this share of rows at a time that was there before, a table holds several series; below it, duplicates."""

RESERVED = ("unique_id", "ds", "y")


@dataclass(frozen=True)
class Choice:
    """A column, or several, and why.

    Attributes:
        names: the columns; none for one unnamed series.
        why: how they were found.
    """

    names: tuple[str, ...]
    why: str


@dataclass(frozen=True, eq=False)
class Ids:
    """Whose each row is.

    Attributes:
        names: of the series, in the order of their characters.
        codes: int64 [rows], index into them.
    """

    names: pl.Series
    codes: RowNumbers


def named_ids(names: Sequence[str], given: str | None) -> tuple[str, ...]:
    """Columns that may name the series by what they are called, so that they are read as text.

    Raises:
        SeriesError: when a given one is not there.
    """
    if given is None:
        return tuple(name for name in names if name.lower() in ID_NAMES)
    chosen = (given,) if given in names else tuple(part.strip() for part in given.split(",")) if given else ()
    for name in chosen:
        if name not in names:
            raise SeriesError(
                f"id_column is {name[:128]!r}; the other columns are {listed(names)}", code="unknown_column", pointer="?id_column"
            )
    return chosen


def choose_ids(frame: pl.DataFrame, names: Sequence[str], times: Times, given: str | None) -> Choice:
    """The columns that name the series.

    Raises:
        SeriesError: when times come back again and again, and it is not plain which column tells their rows apart.
    """
    if given is not None:
        return Choice(named_ids(names, given), "given as id_column")
    if "unique_id" in names:
        return Choice(("unique_id",), "it is called unique_id")
    if len(np.unique(times)) > len(times) * (1 - REPEATED_SHARE) or len(times) < 2:
        return Choice((), "hardly a time stands twice, so all rows are one series")
    candidates = [name for name in names if _may_name_series(frame[name], name)]
    if len(candidates) == 1:
        return Choice((candidates[0],), "times come back, and it is the only column that can tell their rows apart")
    if not candidates and frame.with_columns(pl.Series("\x01", times)).unique().height < len(times) * (1 - REPEATED_SHARE):
        return Choice((), "the rows at the same time are copies of each other")
    others = listed(candidates or [name for name in names if name != "y"])
    rule = f"it could be {others}" if candidates else f"no column of text names every row's ({others or 'there is no other column'})"
    raise SeriesError(
        f"{len(times) - len(np.unique(times)):,} rows have a time that another row has, so there are several series, and {rule}; name "
        f"one or more "
        "with id_column=, or send id_column= empty to keep the last row of each time",
        code="ambiguous",
        pointer="?id_column",
    )


def _may_name_series(column: pl.Series, name: str) -> bool:
    is_word = column.dtype == pl.String or name.lower() in ID_NAMES
    return is_word and 1 < column.n_unique() < len(column) and column.null_count() == 0


def encode(source: Source, frame: pl.DataFrame, choice: Choice, rows: RowNumbers, limits: TableLimits) -> Ids:
    """Numbers for the ids, in the order of their names; several columns are joined with a slash.

    Raises:
        SeriesError: when an id is missing or too long.
        TooLargeError: when there are too many.
    """
    if not choice.names:
        return Ids(pl.Series([UNNAMED_SERIES]), np.zeros(frame.height, dtype=np.int64))
    joined = frame.select(
        pl.concat_str([pl.col(name).cast(pl.String).str.strip_chars() for name in choice.names], separator="/")
    ).to_series()
    bad = (joined.is_null() | (joined == "")).fill_null(value=True).arg_true().to_numpy()
    if len(bad):
        place = places(source, rows[bad[:3]].tolist(), len(bad))
        raise SeriesError(f"{listed(choice.names)}: there is no id in {place}; each row needs the id of its series", code="no_id")
    names = joined.unique().sort()
    if len(names) > limits.series:
        raise TooLargeError(
            f"{listed(choice.names)}: there are {len(names):,} different ids, at most {limits.series:,} are read; is it the column that "
            f"names the "
            "series?",
            code="series",
        )
    long = names.filter((names.str.len_chars() > ID_AT_MOST) | names.str.contains(r"[\x00-\x1f\x7f]"))
    if len(long):
        raise SeriesError(
            f"{listed(choice.names)}: the id {long[0][:40]!r} is longer than {ID_AT_MOST} characters or has control characters; shorten it",
            code="id",
        )
    codes = joined.cast(pl.Enum(names)).to_physical().to_numpy().astype(np.int64)
    return Ids(names, codes)


def choose_target(source: Source, frame: pl.DataFrame, names: Sequence[str], rows: RowNumbers, given: str | None) -> Choice:
    """The column that is forecast.

    Raises:
        SeriesError: when there is none, several could be meant, or it is text.
    """
    numeric = [name for name in names if frame[name].dtype.is_numeric()]
    if given is not None and given not in names:
        raise SeriesError(
            f"target is {given[:128]!r}; the columns beside time and id are {listed(names)}", code="unknown_column", pointer="?target"
        )
    if given is not None or "y" in names:
        choice = Choice((given or "y",), "given as target" if given else "it is called y")
    elif len(numeric) == 1:
        choice = Choice((numeric[0],), "the only other column of numbers")
    elif len(numeric) > 1:
        raise SeriesError(f"{listed(numeric)} could each be the target; name one with target=", code="ambiguous", pointer="?target")
    elif len(names) == 1:
        choice = Choice((names[0],), "the only other column")
    else:
        raise SeriesError(
            f"no column of numbers is left for the target; the columns beside time and id are {listed(names)}",
            code="no_target",
            pointer="?target",
        )
    _check_target(source, frame[choice.names[0]], rows)
    _check_reserved([name for name in names if name != choice.names[0]], choice.names[0])
    return choice


def _check_target(source: Source, column: pl.Series, rows: RowNumbers) -> None:
    bad = np.empty(0, dtype=np.int64)
    if column.dtype == pl.String:
        bad = column.to_frame().select(not_a_number(column.name, decimal_comma=source.decimal_comma)).to_series().arg_true().to_numpy()
    if len(bad) == 0 and (column.dtype == pl.String or not column.is_finite().any()):
        raise SeriesError(f"the target {column.name!r} has no value at all; it needs numbers", code="no_target", pointer="?target")
    if len(bad) == 0:
        return
    raise SeriesError(
        f"the target {column.name!r} has to be numbers; {places(source, rows[bad[:3]].tolist(), len(bad))} "
        f"{'have' if len(bad) > 1 else 'has'} text "
        f"({column[int(bad[0])][:40]!r}): correct it, or name another column with target=",
        code="text_target",
        pointer="?target",
    )


def _check_reserved(names: Sequence[str], target: str) -> None:
    taken = [name for name in names if name in RESERVED]
    if taken:
        raise SeriesError(
            f"a column is called {taken[0]!r}, and the target is {target!r}: unique_id, ds and y always mean id, time and target; rename "
            f"it",
            code="reserved_column",
        )
