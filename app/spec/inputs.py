"""What does a forecaster read? Groups of columns, by the names that blocks read them by."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.spec.cells import Lagged

CalendarFeature = Literal[
    "minute_of_hour", "hour_of_day", "day_of_week", "day_of_month", "day_of_year", "week_of_year", "month_of_year", "quarter_of_year"
]

UNKNOWN = 0
"""The code of a word that was not learnt, and of none; the words of a static column follow from 1 on."""

ColumnName = Annotated[str, Field(min_length=1, max_length=128)]


class Input(Lagged):
    """A group of columns that blocks read by name.

    Attributes:
        columns: columns of the dataset; `y` is the target.
        features: calendar features, each a sine and a cosine of its period: two columns wide.
        lags: columns of the target so many steps before, from before the context too. A horizon step has the newest value that is known
            and whole lags before it. What was not observed is the last value before it; where there is none, the value of the shorter lag
            before it in the list, and of the first the window's mean.
        scale: a column more, the same at every step: the logarithm of what the window's target is divided by, which says how large a series
            is (Salinas et al. 2017).
        age: a column more: the logarithm of one and the steps since the series' first observed value, of the history that is sent where one
            is (Salinas et al. 2017).
        known: `past` up to the cutoff, `future` over the horizon too, or `static`: the same at every step of a series. The target is always
            past; calendar features and age are always known.
        embed: of static columns, whose values are words: how many numbers stand for each, which are learnt.
        categories: the words of each static column, which the job fills in; others are taken as unknown.
    """

    columns: Annotated[tuple[ColumnName, ...], Field(strict=False)] = ()
    features: Annotated[tuple[CalendarFeature, ...], Field(strict=False)] = ()
    scale: bool = False
    age: bool = False
    known: Literal["past", "future", "static"] = "past"
    embed: Annotated[int, Field(ge=1, le=1024)] | None = None
    categories: dict[ColumnName, Annotated[tuple[str, ...], Field(strict=False)]] | None = None
