"""A reader is told what the model had seen, and what was not done as asked."""

from pathlib import Path

import numpy as np
import pytest

from app.series.windows import Cutoffs
from app.spec.forecaster import ForecasterSpec
from app.store.artifacts import LocalArtifacts
from tests.worker.stage import small_spec, waves
from worker.backtesting.notes import notes_of, seen_by, verdict_of
from worker.backtesting.windows import Forecasts
from worker.loading import load_panel

HORIZON = 4


@pytest.fixture
def artifacts(tmp_path: Path) -> LocalArtifacts:
    return LocalArtifacts(tmp_path / "artifacts")


def stored(artifacts: LocalArtifacts, folder: Path, length: int) -> str:
    path = folder / f"{length}.arrow"
    waves(length=length).write_ipc(path, compression="uncompressed")
    return artifacts.put(path)


def cutoffs(*steps: int) -> list[Cutoffs]:
    """Windows of both series of 120 steps."""
    return [Cutoffs(np.array([0, 1]), np.array([step, 120 + step])) for step in steps]


def test_windows_after_an_older_version_of_the_data_were_not_seen(artifacts: LocalArtifacts, tmp_path: Path) -> None:
    spec: ForecasterSpec = small_spec()
    panel = load_panel(artifacts, stored(artifacts, tmp_path, 120), "D", spec).panel
    lineage = {"dataset": "ds_a", "dataset_digest": stored(artifacts, tmp_path, 100), "init_from": None}
    shares, sentence = seen_by(lineage, "ds_a", panel, cutoffs(92, 95, 96, 116), HORIZON, artifacts)
    assert shares == [1.0, 1.0, 0.0, 0.0]
    assert sentence is not None
    assert "windows 1, 2" in sentence
    assert seen_by(lineage, "ds_a", panel, cutoffs(96, 100), HORIZON, artifacts) == ([0.0, 0.0], None)


@pytest.mark.parametrize(
    ("lineage", "words"),
    [
        ({"dataset": "ds_b", "dataset_digest": "0" * 64}, "another dataset"),
        ({"dataset": "ds_a", "dataset_digest": "0" * 64}, "not stored any more"),
        ({"dataset": "ds_a", "init_from": {"model": "mdl_a"}}, "weights of another one"),
    ],
)
def test_what_is_not_known_is_said(lineage: dict[str, object], words: str, artifacts: LocalArtifacts, tmp_path: Path) -> None:
    panel = load_panel(artifacts, stored(artifacts, tmp_path, 120), "D", small_spec()).panel
    shares, sentence = seen_by(lineage, "ds_a", panel, cutoffs(110), HORIZON, artifacts)
    assert shares is None
    assert sentence is not None
    assert words in sentence


def test_notes_count_what_was_replaced_and_left_out() -> None:
    done = [Forecasts({}, {"theta": 0, "ets": 3}), Forecasts({}, {"theta": 0, "ets": 2})]
    notes = notes_of(done, ["theta", "ets"], is_library_there=True, left_out=7, needed=16)
    assert len(notes) == 2
    assert notes[0].startswith("ets: 5 forecasts are seasonal naive's")
    assert "7 series are in no window" in notes[1]
    assert notes_of([Forecasts({})], [], is_library_there=False, left_out=0, needed=16) == []


def test_a_model_that_beats_nobody_hears_of_it() -> None:
    sentence = verdict_of({"seasonal_naive": 0.2, "theta": -0.1, "ets": None})
    assert sentence is not None
    assert "no better than theta (skill -0.1)" in sentence
    assert verdict_of({"seasonal_naive": 0.2}) is None
