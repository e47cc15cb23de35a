"""What does a job learn from? A panel and a description become windows of three parts, scaled by the first alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from app.errors import UnfitDataError
from app.forecasting.windows import KnownSeries, WindowSource, covariates_of
from app.series.panel import TARGET, Panel
from app.series.scaling import CovariateScaling
from app.series.split import Split, split_panel, training_part
from app.spec.blocks import every
from app.spec.forecaster import COUNT_HEADS, POSITIVE_HEADS, ForecasterSpec
from app.spec.leaves import Smooth


@dataclass(frozen=True, eq=False)
class Material:
    """What a training reads.

    Attributes:
        panel: the series.
        split: their windows, in three parts.
        scaling: of the covariates, measured on the training part.
        source: gathers windows on the device.
    """

    panel: Panel
    split: Split
    scaling: CovariateScaling
    source: WindowSource


def prepare(spec: ForecasterSpec, panel: Panel, device: torch.device) -> Material:
    """Split, scale, index.

    Args:
        spec: complete: with context and horizon.
        panel: the series, with the columns that the description reads.
        device: where windows are gathered.

    Raises:
        UnfitDataError: no window has something observed to learn.
        SeriesError: the description wants a calendar and the times are step numbers.
    """
    if isinstance(spec.head, POSITIVE_HEADS):
        _check_target(spec.head.kind, panel, is_of_counts=isinstance(spec.head, COUNT_HEADS))
    smoothing = next((block for block in every(spec.network) if isinstance(block, Smooth)), None)
    if smoothing is not None and smoothing.form == "multiplicative":
        _check_positive(panel, "a 'smooth' block multiplies level and season", "use its form 'additive'", "#/architecture/network")
    if spec.scaling.is_log:
        way_out = "use the scaling 'mean_abs' or 'standard'"
        _check_positive(panel, f"the scaling {spec.scaling.target!r} takes logarithms", way_out, "#/architecture/scaling/target")
    panel = panel.after_missing((spec.context or 1) - spec.least_context)
    split = split_panel(panel, spec.context or 1, spec.horizon or 1)
    if len(split.train) == 0:
        raise UnfitDataError(
            f"none of the {len(panel.ids)} series has a window of {spec.context} + {spec.horizon} steps with an observed target in both "
            "parts, before the steps that are held back; use a shorter context or horizon, or more complete data",
            code="data_invalid",
        )
    scaling = CovariateScaling({}, {})
    covariates = covariates_of(spec)
    if spec.scaling.covariates == "standard" and covariates:
        learnt = training_part(panel, split.holdout)
        scaling = CovariateScaling.fit({name: panel.columns[name][learnt] for name in covariates})
    known = None if smoothing is None else KnownSeries(np.arange(len(panel.ids)))
    return Material(panel, split, scaling, WindowSource(spec, panel, scaling, device, known))


def _check_positive(panel: Panel, rule: str, way_out: str, pointer: str) -> None:
    target = panel.columns[TARGET]
    wrong = np.flatnonzero(np.isfinite(target) & (target <= 0))
    if len(wrong):
        series = int(np.searchsorted(panel.offsets, wrong[0], side="right")) - 1
        raise UnfitDataError(
            f"{rule}, and series {panel.ids[series]!r} has {target[wrong[0]]:g} ({len(wrong):,} values are not above zero); {way_out}",
            pointer=pointer,
        )


def _check_target(head: str, panel: Panel, *, is_of_counts: bool) -> None:
    target = panel.columns[TARGET]
    unfit = (target < 0) | (is_of_counts & (target != np.rint(target)))
    wrong = np.flatnonzero(np.isfinite(target) & unfit)
    if len(wrong):
        series = int(np.searchsorted(panel.offsets, wrong[0], side="right")) - 1
        what, fault = ("counts", "below zero or no whole numbers") if is_of_counts else ("values from zero on", "below zero")
        raise UnfitDataError(
            f"the head {head!r} is of {what}, and series {panel.ids[series]!r} has {target[wrong[0]]:g} ({len(wrong):,} values are "
            f"{fault}); use the head 'quantiles' or 'student_t'",
            pointer="#/architecture/head",
        )
