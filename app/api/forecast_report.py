"""What came of the forecasts of a whole dataset? How many there are, and which series could not be forecast."""

from __future__ import annotations

from pydantic import BaseModel


class LeftOutReport(BaseModel):
    """A series that could not be forecast, and why."""

    unique_id: str
    code: str
    reason: str


class ForecastReport(BaseModel):
    """What the file of the result has: `series` times `horizon` rows. `left_out` names at most 100 of `series_left_out`."""

    model: str
    horizon: int
    quantiles: list[float]
    format: str
    size_bytes: int
    series: int
    series_left_out: int
    left_out: list[LeftOutReport]
