"""What does a job learn from? A panel and a description become windows of three parts, scaled by the first alone."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from app.errors import UnfitDataError
from app.forecasting.windows import WindowSource, covariates_of
from app.series.panel import Panel
from app.series.scaling import CovariateScaling
from app.series.split import Split, split_panel, training_part
from app.spec.forecaster import ForecasterSpec


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
    return Material(panel, split, scaling, WindowSource(spec, panel, scaling, device))
