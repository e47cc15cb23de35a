"""How does a forecast look? History, forecast and interval in one picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from numpy.typing import NDArray

INK, OURS, LATER, GRID = "#222b38", "#c2410c", "#0f6fb4", "#dfe3e8"
"""History, the forecast of what was held back, the forecast of what nobody knows yet; told apart by the colour-blind too."""

SIZE_INCHES = (11.0, 5.2)
DOTS_PER_INCH = 130


@dataclass(frozen=True)
class Band:
    """A forecast as it is drawn: a value per step.

    Attributes:
        label: in the legend.
        times: of the steps.
        mean: the line.
        lower: of the interval.
        upper: of the interval.
    """

    label: str
    times: Sequence[datetime]
    mean: Sequence[float]
    lower: Sequence[float]
    upper: Sequence[float]


@dataclass(frozen=True)
class Picture:
    """What is drawn.

    Attributes:
        title: the headline.
        note: a line below it.
        unit: of the vertical axis.
        times: of the history.
        history: its values.
        held_back: a forecast of the history's end that never saw it.
        ahead: the forecast of what follows the history.
    """

    title: str
    note: str
    unit: str
    times: Sequence[datetime]
    history: Sequence[float]
    held_back: Band
    ahead: Band


def draw(picture: Picture, path: Path) -> None:
    """Writes the picture as a PNG."""
    figure = Figure(figsize=SIZE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot(_instants(picture.times), picture.history, color=INK, linewidth=1.6, label="history")
    _draw_band(axes, picture.held_back, OURS, "--")
    _draw_band(axes, picture.ahead, LATER, "-")
    axes.axvline(date2num(picture.times[-1]), color=INK, linewidth=0.8, linestyle=":")  # type: ignore[no-untyped-call]
    figure.suptitle(picture.title, fontsize=15, fontweight="bold", color=INK)
    axes.set_title(picture.note, fontsize=10.5, color=INK)
    axes.set_ylabel(picture.unit, fontsize=11)
    axes.set_xlabel("time", fontsize=11)
    _dress(axes)
    # Below the axes: whatever the data look like, nothing of them is behind it.
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize=9.5)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def _draw_band(axes: Axes, band: Band, colour: str, style: str) -> None:
    times = _instants(band.times)
    axes.fill_between(times, band.lower, band.upper, color=colour, alpha=0.2, linewidth=0, label=f"{band.label}: 80 % interval")
    axes.plot(times, band.mean, color=colour, linewidth=2.0, linestyle=style, label=band.label)


def _instants(times: Sequence[datetime]) -> NDArray[np.datetime64]:
    return np.array(times, dtype="datetime64[us]")


def _dress(axes: Axes) -> None:
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.grid(visible=True, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.margins(x=0.01)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
