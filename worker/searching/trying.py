"""How good is a draw on one window? It is trained on what comes before the window, as a training would, and forecasts the window."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from app.forecasting.forecaster import Forecaster
from app.nets.build import build
from app.series.time_values import TimeKind
from app.spec.forecaster import ForecasterSpec
from app.store.artifacts import ArtifactStore
from worker.asked import with_series
from worker.origins import inlaid_weights
from worker.searching.choice import WindowScore
from worker.searching.windows import TrialWindow, forecast_errors, score_of
from worker.training.comparison import members_of
from worker.training.fit import Training, fit
from worker.training.material import Material, prepare
from worker.training.verdict import forecaster_of, learnt_on


@dataclass(frozen=True)
class Bench:
    """What all trials of an attempt have in common.

    Attributes:
        artifacts: where models within a network lie.
        device: where to compute.
        freq: of the series.
        season: steps of one season.
        time_kind: how times are written.
    """

    artifacts: ArtifactStore
    device: torch.device
    freq: str
    season: int
    time_kind: TimeKind


def try_window(spec: ForecasterSpec, window: TrialWindow, bench: Bench, heed: Callable[[float], None]) -> dict[str, Any]:
    """The score of a draw on a window, as a trial's row has it.

    Args:
        spec: the draw, complete.
        window: to be forecast.
        bench: what to work with.
        heed: called after each batch with the share of the training that is done; it may raise.

    Raises:
        JobError: it cannot be trained, or gives no numbers.
        InputError: it does not fit the data.
    """
    began_at = time.monotonic()
    spec = with_series(spec, len(window.panel.ids))
    material = prepare(spec, window.panel, bench.device)
    training = Training(spec, build(spec), material, bench.device)
    weights = inlaid_weights(training.network, bench.artifacts)
    if weights:
        training.begin_with(weights)
    for _ in fit(training):
        steps = training.batches * max(training.epochs, 1) if not training.is_done else training.progress.step
        heed(min(training.progress.step / max(steps, 1), 1.0))
    errors = forecast_errors(_forecaster(spec, training, material, bench), material, window)
    told = {"epochs": training.progress.epochs_before, "seconds": round(time.monotonic() - began_at, 2)}
    return asdict(score_of(errors)) | told


def window_scores(windows: Sequence[Mapping[str, Any]]) -> list[WindowScore]:
    """The scores in a trial's row."""
    return [WindowScore(window["score"], window["standard_error"], window["series"]) for window in windows]


def seconds_of(windows: Sequence[Mapping[str, Any]]) -> float:
    """What the windows of a trial took."""
    return sum((float(window["seconds"]) for window in windows), 0.0)


def _forecaster(spec: ForecasterSpec, training: Training, material: Material, bench: Bench) -> Forecaster:
    training.finish()
    judged, final = members_of(spec, training)
    judge = forecaster_of(spec, judged, material, freq=bench.freq, season=bench.season, time_kind=bench.time_kind)
    return learnt_on(judge, final, material.split)
