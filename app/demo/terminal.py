"""What does the demo write to a terminal? A live line per training, a table per forecast; plain lines where there is no terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from app.demo.exhibits import Exhibit
from app.demo.road import LEVEL_PERCENT, Forecast, Moment, Score

PLAIN_LINE_SECONDS = 2.0
"""How often a training says something where there is no terminal."""


def describe(moment: Moment) -> str:
    """One line about a training."""
    if moment.epoch == 0:
        return f"{moment.status}, first epoch"
    left = "" if moment.seconds_left is None or moment.status == "succeeded" else f", {math.ceil(moment.seconds_left)} s left"
    return f"epoch {moment.epoch} of {moment.epochs}, loss {_number(moment.train_loss)}, validation loss {_number(moment.val_loss)}{left}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def show_training(console: Console, name: str, moments: Iterable[Moment]) -> None:
    """Shows a training until it has ended."""
    if console.is_terminal:
        _show_live(console, name, moments)
    else:
        _show_plainly(console, moments)


def _show_live(console: Console, name: str, moments: Iterable[Moment]) -> None:
    progress = Progress(TextColumn("  {task.fields[name]}"), BarColumn(bar_width=24), TextColumn("{task.description}"), console=console)
    task = progress.add_task("queued", total=1, name=name)
    with Live(progress, console=console, refresh_per_second=8):
        for moment in moments:
            total = max(moment.epochs, 1)
            done = total if moment.status == "succeeded" else moment.epoch  # patience may end it before its last epoch
            progress.update(task, total=total, completed=done, description=describe(moment))


def _show_plainly(console: Console, moments: Iterable[Moment]) -> None:
    spoke_at = -math.inf
    said = ""
    for moment in moments:
        line = describe(moment)
        if line != said and (moment.status == "succeeded" or time.monotonic() - spoke_at >= PLAIN_LINE_SECONDS):
            console.print(f"  {line}", soft_wrap=True)
            spoke_at, said = time.monotonic(), line


def say_score(exhibit: Exhibit, score: Score) -> str:
    """The model's score beside seasonal naive's, in a sentence."""
    part = f"the last {exhibit.horizon} known steps, held back from training"
    return f"{score.measure} over {part}: {score.model:.3f}, seasonal naive {score.seasonal_naive:.3f}"


def show_forecast(console: Console, exhibit: Exhibit, forecast: Forecast, score: Score) -> None:
    """Shows a forecast as a table, with the model's score beside seasonal naive's."""
    table = Table(title=f"{exhibit.title}: {exhibit.unit}", caption=say_score(exhibit, score))
    table.add_column("time", no_wrap=True)
    for name in ("forecast", f"{LEVEL_PERCENT} % from", f"{LEVEL_PERCENT} % to"):
        table.add_column(name, justify="right")
    for step in zip(forecast.timestamps, forecast.mean, forecast.lower, forecast.upper, strict=True):
        table.add_row(step[0].removesuffix("Z").removesuffix("T00:00:00"), *(f"{value:.1f}" for value in step[1:]))
    console.print(table)
