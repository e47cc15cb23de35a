"""What has a reader of a backtest to know that its scores do not say? Sentences on what the model had seen, and on what was left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import NotFoundError
from app.series.frequency import parse_frequency
from app.series.panel import Panel, panel_of
from app.series.statistical import HOW_TO_INSTALL
from app.series.table import open_arrow
from app.series.windows import Cutoffs
from app.store.artifacts import ArtifactStore
from worker.backtesting.seen import ends_of_training, seen_shares
from worker.backtesting.windows import Forecasts

Seen = tuple[list[float] | None, str | None]
"""The share of each window that a model has seen, where that is known, and a sentence where there is something to say."""

REFIT = 'ask for "refit": true, which trains the same document on what came before each cutoff'

MODELS_WITHIN = "the network has stored models in it, which may have learnt from these windows; how much is not known"


def seen_by(
    lineage: Mapping[str, Any], dataset: str, panel: Panel, cutoffs: Sequence[Cutoffs], horizon: int, artifacts: ArtifactStore
) -> Seen:
    """What a stored model had seen of the windows.

    Args:
        lineage: of the model.
        dataset: id of the backtest's.
        panel: its series.
        cutoffs: the windows.
        horizon: of the model.
        artifacts: where the version lies that the model was trained on.
    """
    if lineage.get("init_from") is not None:
        return None, f"the model began with weights of another one, which may have learnt from these windows; {REFIT}"
    if lineage.get("dataset") != dataset:
        return None, "the model was trained on another dataset; whether that has the same values is not known here"
    try:
        with artifacts.open_local(str(lineage["dataset_digest"])) as path:
            trained_on = panel_of(open_arrow(path, columns=["unique_id", "ds", "y"]), parse_frequency(str(panel.freq)), [])
    except NotFoundError:
        return (
            None,
            f"the version of the dataset that the model was trained on is not stored any more, so what it has seen is not known; {REFIT}",
        )
    shares = seen_shares(panel, cutoffs, ends_of_training(trained_on, horizon))
    touched = [number for number, share in enumerate(shares, start=1) if share > 0.0]
    if not touched:
        return shares, None
    which = f"window {touched[0]}" if len(touched) == 1 else f"windows {', '.join(map(str, touched))}"
    return shares, f"the model was trained or chosen with steps that {which} ask for, and looks better there than it is; {REFIT}"


def verdict_of(skill: Mapping[str, float | None]) -> str | None:
    """A sentence on the baselines that a model does not beat; None where there are none.

    Args:
        skill: over each, see the answer.
    """
    better = [f"{name} (skill {value:.3g})" for name, value in skill.items() if value is not None and value <= 0.0]
    if not better:
        return None
    remedy = "a longer context, calendar features, covariates or more epochs may help"
    return f"the model is no better than {', '.join(better)}, which costs next to nothing; {remedy}"


def notes_of(done: Sequence[Forecasts], wanted: Sequence[str], *, is_library_there: bool, left_out: int, needed: int) -> list[str]:
    """Sentences on what is not as it was asked for.

    Args:
        done: all windows.
        wanted: baselines that were asked for.
        is_library_there: whether they could be had.
        left_out: series that are in no window.
        needed: steps that the last window of a series needs.
    """
    notes = [HOW_TO_INSTALL] if wanted and not is_library_there else []
    for name in wanted if is_library_there else ():
        replaced = sum(one.replaced.get(name, 0) for one in done)
        if replaced:
            notes.append(f"{name}: {replaced:,} forecasts are seasonal naive's, as the method could not be fitted to so few steps")
    if left_out:
        notes.append(
            f"{left_out:,} series are in no window: they have fewer than {needed:,} steps up to their last value, or nothing observed there"
        )
    return notes
