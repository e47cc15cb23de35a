"""What happens in the demo, from the first line to the last?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

import httpx
from rich.console import Console

from app.demo.exhibits import EXHIBITS, Exhibit, Recording, read
from app.demo.plots import Band, Picture, draw
from app.demo.road import Forecast, forecast_ahead, forecast_held_back, model_of, score_of, submit, upload, watch
from app.demo.service import OwnService
from app.demo.terminal import say_score, show_forecast, show_training


def run_demo(home: Path, console: Console, exhibits: Sequence[Exhibit] = EXHIBITS) -> list[Path]:
    """Shows the exhibits on a service of its own and answers where the plots are.

    Args:
        home: the service's home; plots go to its folder `demo`.
        console: where it is told.
        exhibits: what is shown.

    Raises:
        BraidcastError: the service did not start, or refused something, or a training failed.
    """
    started_at = time.monotonic()
    console.print(f"Starting Braidcast in {home} ...", soft_wrap=True)
    with OwnService(home) as service, closing(service.client()) as client:
        console.print(f"Ready at {service.url} after {time.monotonic() - started_at:.1f} s.\n", soft_wrap=True)
        plots = [_show(client, exhibit, home / "demo", console) for exhibit in exhibits]
    _say_what_is_next(console, home, plots, time.monotonic() - started_at)
    return plots


def _show(client: httpx.Client, exhibit: Exhibit, folder: Path, console: Console) -> Path:
    recording = read(exhibit)
    dataset = upload(client, exhibit)
    console.print(f"[bold]{exhibit.title}[/bold]: {len(recording.times)} steps uploaded as {dataset}")
    job = submit(client, exhibit, dataset)
    console.print(f"  {exhibit.architecture} looks back {exhibit.context} steps and ahead {exhibit.horizon}: job {job}")
    show_training(console, exhibit.name, watch(client, job))
    model = model_of(client, job)
    ahead = forecast_ahead(client, model, dataset)
    held_back = forecast_held_back(client, model, exhibit, recording)
    score = score_of(client, model)
    show_forecast(console, exhibit, ahead, score)
    path = folder / f"{exhibit.name.replace(' ', '_')}.png"
    draw(_picture(exhibit, recording, held_back, ahead, say_score(exhibit, score)), path)
    console.print(f"  drawn in {path}\n", soft_wrap=True)
    return path


def _picture(exhibit: Exhibit, recording: Recording, held_back: Forecast, ahead: Forecast, note: str) -> Picture:
    return Picture(
        title=exhibit.title,
        note=note,
        unit=exhibit.unit,
        times=recording.times[-exhibit.shown :],
        history=recording.columns[exhibit.target][-exhibit.shown :],
        held_back=_band("the end of the history, held back", held_back),
        ahead=_band("forecast", ahead),
    )


def _band(label: str, forecast: Forecast) -> Band:
    times = [datetime.fromisoformat(text).replace(tzinfo=None) for text in forecast.timestamps]
    return Band(label, times, forecast.mean, forecast.lower, forecast.upper)


def _say_what_is_next(console: Console, home: Path, plots: Sequence[Path], seconds: float) -> None:
    console.print(f"Done in {seconds:.0f} s. Every number above was computed in this run; the plots are:")
    for path in plots:
        console.print(f"  {path}", soft_wrap=True)
    console.print("\nNow run it yourself; the data sets and models of the demo are still there:")
    console.print("  make up                        (or: braidcast up --home " + str(home) + ")", soft_wrap=True)
    console.print("  http://127.0.0.1:8000/docs     describes the API")
    console.print(f'  curl -H "Authorization: Bearer $(cat {home / "key"})" http://127.0.0.1:8000/v1/models', soft_wrap=True)
