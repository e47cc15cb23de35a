"""What does the demo show? Two real data sets and the two networks of the gallery; where they come from is in SOURCES.md."""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Exhibit:
    """One data set, the network that learns it, and how it is drawn.

    Attributes:
        name: what data set and model are called.
        title: headline of the table and the plot.
        file: the data, a CSV beside this module.
        time_column: its timestamps.
        target: what is forecast.
        unit: of the target, for the axis.
        architecture: the network.
        columns: which columns its inputs read; empty leaves the gallery's.
        context: steps the network looks back.
        horizon: steps it looks ahead.
        training: how it learns.
        seed: of everything random.
        shown: steps of history in the plot.
    """

    name: str
    title: str
    file: str
    time_column: str
    target: str
    unit: str
    architecture: str
    context: int
    horizon: int
    training: dict[str, object]
    seed: int
    shown: int
    columns: dict[str, list[str]] = field(default_factory=dict)

    def job(self, dataset: str) -> dict[str, object]:
        """The body of the request that trains it."""
        job: dict[str, object] = {
            "kind": "train",
            "name": self.name,
            "dataset": dataset,
            "architecture": self.architecture,
            "context": self.context,
            "horizon": self.horizon,
            "training": self.training,
            "seed": self.seed,
        }
        return job | {"columns": self.columns} if self.columns else job

    def content(self) -> bytes:
        """The data as it is uploaded."""
        return (FOLDER / self.file).read_bytes()


@dataclass(frozen=True)
class Recording:
    """An exhibit's data, as the plot and the second look at it need it.

    Attributes:
        times: timestamps, rising.
        columns: values by the column's name, the target among them.
    """

    times: list[datetime]
    columns: dict[str, list[float]]


def read(exhibit: Exhibit) -> Recording:
    """Reads an exhibit's data."""
    rows = list(csv.DictReader(exhibit.content().decode().splitlines()))
    names = [name for name in rows[0] if name != exhibit.time_column]
    times = [datetime.fromisoformat(row[exhibit.time_column]) for row in rows]
    return Recording(times, {name: [float(row[name]) for row in rows] for name in names})


AIR_PASSENGERS = Exhibit(
    name="air passengers",
    title="International airline passengers",
    file="air_passengers.csv",
    time_column="month",
    target="passengers",
    unit="passengers a month (thousands)",
    architecture="gallery:stacked",
    context=24,
    horizon=12,
    training={"epochs": 150, "batch_size": 16, "lr": 2e-3},
    seed=1,
    shown=72,
)

SEATTLE_WEATHER = Exhibit(
    name="seattle temperature",
    title="Daily maximum temperature in Seattle",
    file="seattle_weather.csv",
    time_column="date",
    target="temp_max",
    unit="temperature (°C)",
    architecture="gallery:connected",
    columns={"left": ["y", "temp_min"], "right": ["precipitation", "wind"]},
    context=56,
    horizon=28,
    training={"epochs": 20, "lr": 1e-3, "schedule": "cosine"},
    seed=1,
    shown=120,
)

EXHIBITS = (AIR_PASSENGERS, SEATTLE_WEATHER)
