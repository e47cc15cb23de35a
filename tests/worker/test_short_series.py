"""Series that are too short to hold steps back to stop by are learnt from all the same, and the job says so."""

import torch

from app.forecasting.checkpoint import load
from app.spec.forecaster import PointHead, QuantilesHead
from app.store.progress import list_events
from tests.worker.searches import model_of, run
from tests.worker.stage import Stage, small_spec

SHORT = {"context": 60, "horizon": 25}
"""Of 120 steps: room for two horizons, and not for three."""


def test_a_job_of_short_series_runs_all_epochs_and_is_scored_on_unseen_steps(local_stage: Stage) -> None:
    spec = small_spec(epochs=3, patience=1, refit=True).model_copy(update=SHORT)
    job = run(local_stage, local_stage.add_job(spec))
    model = model_of(local_stage, job)
    assert [phase["epochs"] for phase in model.lineage["phases"]] == [3, 2]
    assert model.lineage["phases"][0]["val_loss"] is None
    assert model.scores["model"]["mae"] > 0.0
    with local_stage.database.read() as db:
        told = [event.data for event in list_events(db, local_stage.owner, job.id, 0, 1000) if event.kind == "finding"]
    (finding,) = [one for one in told if one["code"] == "no_validation"]
    assert "the longest series has 120 steps" in finding["sentence"]
    assert "3 horizons of 25 want 135" in finding["sentence"]


def test_intervals_of_short_series_are_measured_on_what_they_are_scored_on(local_stage: Stage) -> None:
    for head in (PointHead(kind="point"), QuantilesHead(kind="quantiles")):
        spec = small_spec(epochs=1).model_copy(update={**SHORT, "head": head})
        model = model_of(local_stage, run(local_stage, local_stage.add_job(spec)))
        forecaster = load(local_stage.artifacts.read(model.digest))
        measured = forecaster.residuals if isinstance(head, PointHead) else forecaster.widths
        assert measured is not None
        assert torch.isfinite(measured).all()
