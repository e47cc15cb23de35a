"""What never changes within a series, such as its region? Words, or numbers taken as words, and a whole number for each.

region   south south south north north      categories ("north", "south")      codes 2 2 2 1 1      0: none of them
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from app.errors import UnfitDataError
from app.spec.inputs import UNKNOWN

Categories = Mapping[str, Sequence[str]]

MOST_CATEGORIES = 10_000
"""Of one column."""


def find_categories(frame: pl.DataFrame, columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The words of each column, in the order of their characters.

    Args:
        frame: see `table.open_arrow`.
        columns: which.

    Raises:
        UnfitDataError: a column changes within a series, or has too many words or none.
    """
    return {name: _words(frame, name) for name in columns}


def _words(frame: pl.DataFrame, name: str) -> tuple[str, ...]:
    words = frame.select("unique_id", pl.col(name).cast(pl.String)).drop_nulls().unique()
    changing = words.group_by("unique_id").len().filter(pl.col("len") > 1).sort("unique_id")
    if changing.height:
        series = changing["unique_id"][0]
        seen = words.filter(pl.col("unique_id") == series)[name].sort().head(3).to_list()
        raise UnfitDataError(
            f"{name!r} is an input that is known 'static', and changes within {changing.height:,} series: {series!r} has "
            f"{', '.join(map(repr, seen))}; use a column that says the same at every step of a series, or 'known': 'past' for numbers",
            pointer="#/architecture/inputs",
        )
    found = words[name].unique().sort().to_list()
    if not 1 <= len(found) <= MOST_CATEGORIES:
        raise UnfitDataError(
            f"{name!r} has {len(found):,} words; an input that is known 'static' reads 1 to {MOST_CATEGORIES:,}",
            pointer="#/architecture/inputs",
        )
    return tuple(found)


def encode_categories(frame: pl.DataFrame, categories: Categories) -> pl.DataFrame:
    """The frame with codes in place of these columns' words."""
    return frame.with_columns(
        pl.col(name)
        .cast(pl.String)
        .replace_strict(list(words), range(1, len(words) + 1), default=UNKNOWN, return_dtype=pl.Float64)
        .fill_null(UNKNOWN)
        .alias(name)
        for name, words in categories.items()
    )


def code_of(word: object, words: Sequence[str]) -> int:
    """The code of one word; of a number that is written as the column has it too."""
    texts = [str(word), str(float(word))] if isinstance(word, int) and not isinstance(word, bool) else [str(word)]
    return next((words.index(text) + 1 for text in texts if text in words), UNKNOWN)
