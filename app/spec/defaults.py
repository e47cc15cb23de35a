"""What does a job train that brings no document? One that suits the panel; decisions 21, 24, 39, 42, 43 and 45 have the evidence.

    season                          the target is counted from     lags                                    context
    none                            the newest value               the newest value                        two horizons
    shorter, or a year of months    its window's mean              of the decoder: three seasons, five of   two seasons; five
                                                                   months, as far as half of the data goes  of ten years of
                                    with the mean of the five newest epochs at a constant rate: of batches  months
                                    of 64; of fewer and smaller ones at a higher rate with few years of months
    a year of weeks (52)            the newest value               of the input: the season                one season
    longer: a day of hours          the last season                of the input: the day and the week      a week
                                    with dropout, and learnt at the end of each window alone, from more of them

Everything else is the same: one LSTM layer, learnt at many steps of each window, a hidden layer that horizon steps share, quantiles, and
then on from the newest windows. A season is enough of a series that has no whole context.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from app.spec.cells import Lstm
from app.spec.decoders import DirectDecoder, ForkingDecoder
from app.spec.facts import PanelFacts
from app.spec.forecaster import ForecasterSpec, Scaling
from app.spec.inputs import CalendarFeature, Input
from app.spec.training import Training

YEAR_OF_MONTHS, YEAR_OF_WEEKS = 12, 52

MANY_YEARS = 10
"""From which on half of them are looked back at: some years tell a trend from noise (decision 43)."""

LARGE_PANEL = 500_000
"""Steps from which on wider layers pay."""

_CALENDAR: Mapping[str, tuple[CalendarFeature, ...]] = {
    "min": ("hour_of_day", "day_of_week"),
    "h": ("hour_of_day", "day_of_week"),
    "D": ("day_of_week", "day_of_year"),
    "W": ("week_of_year",),
    "M": ("month_of_year",),
    "Q": ("quarter_of_year",),
}

_YEARS: Mapping[CalendarFeature, int] = {"day_of_year": 2 * 365, "week_of_year": 2 * 52}
"""Steps of two years, from which on the place in a year is read: in less of it each place is a time of its own (decision 42)."""

TRAINING = Training(epochs=20, steps_per_epoch=100, batch_size=32, lr=0.004, patience=5, refit=True)

OF_LONG_SEASONS: Mapping[str, Any] = {"epochs": 24}
"""Of long contexts a window is cheaper by half where it teaches at its end alone, and more windows teach more than that (decision 45)."""

OF_SHORT_SEASONS: Mapping[str, Any] = {"batch_size": 64, "schedule": "constant", "average": 5}
"""Series with few seasons are mostly noise: larger batches, and the mean of many weights (decision 24)."""

OF_FEW_YEARS: Mapping[str, Any] = {**OF_SHORT_SEASONS, "epochs": 16, "steps_per_epoch": 50, "batch_size": 32, "lr": 0.006, "patience": 8}
"""Of few years of months a fifth of the windows says as much, where the mean evens out a higher rate (decision 43)."""


def default_spec(facts: PanelFacts) -> ForecasterSpec:
    """The document of a job that brings none."""
    known = next((found for unit, found in _CALENDAR.items() if facts.freq.lstrip("0123456789").startswith(unit)), ())
    features = tuple(feature for feature in known if facts.longest >= _YEARS.get(feature, 0))
    is_short, is_long = 1 < facts.season <= YEAR_OF_MONTHS, facts.season > YEAR_OF_MONTHS and facts.season != YEAR_OF_WEEKS
    target = Input(columns=("y",)) if is_short else Input(columns=("y",), lags="season")
    baseline: Literal["none", "last", "season"] = "none" if is_short else "season" if is_long else "last"
    few = facts.season == YEAR_OF_MONTHS and not _has_many_years(facts)
    forking = ForkingDecoder(kind="forking", lags="season" if is_short else (), units=64)
    learnt = OF_FEW_YEARS if few else OF_SHORT_SEASONS if is_short else OF_LONG_SEASONS if is_long else {}
    return ForecasterSpec(
        min_context=max(facts.season, 2),
        inputs={"target": target, **({"calendar": Input(features=features)} if features else {})},
        scaling=Scaling(target="standard", baseline=baseline),
        network=Lstm(kind="lstm", units=128 if facts.rows >= LARGE_PANEL else 64, dropout=0.2 if is_long else 0.0),
        decoder=DirectDecoder(kind="direct", units=64) if is_long else forking,
        training=TRAINING.model_copy(update=learnt),
    )


def _has_many_years(facts: PanelFacts) -> bool:
    """Whether some series are of so many years of months that half of them are looked back at."""
    return facts.season == YEAR_OF_MONTHS and facts.longest >= MANY_YEARS * YEAR_OF_MONTHS


def default_context(facts: PanelFacts, horizon: int, room: int) -> int:
    """Steps that a document looks back which does not say so: at most those that there is room for."""
    if facts.season > YEAR_OF_MONTHS:
        wanted = max(facts.season, min(facts.longer_seasons, default=0), horizon)
    else:
        seasons = MANY_YEARS // 2 if _has_many_years(facts) else 2
        wanted = max(seasons * facts.season, 2 * horizon)
    return max(1, min(wanted, room))
