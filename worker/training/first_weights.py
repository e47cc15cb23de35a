"""Which weights does a training begin with? Drawn ones; parameters of single series are fitted to the part of each that is learnt from."""

from __future__ import annotations

import numpy as np
import torch

from app.forecasting.smoothing import fit_series, steps_to_fit, stretch
from app.nets.build import Network, build
from app.nets.smoothing import Smoothing
from app.series.panel import TARGET
from app.series.scaling import WindowScaling
from app.spec.forecaster import ForecasterSpec
from worker.training.material import Material

MEMBER_SEED = 0x9E3779B97F4A7C15
"""Sets the draws of an ensemble's members apart."""


def draw_first(spec: ForecasterSpec, network: Network, material: Material, member: int) -> None:
    """Draw a network's weights from the description's seed.

    Args:
        spec: complete.
        network: whose weights are drawn.
        material: what it will learn from.
        member: its number in an ensemble.
    """
    torch.manual_seed((spec.training.seed + member * MEMBER_SEED) % 2**63)
    context = spec.member_contexts[member]
    if context == spec.context:
        network.initialise()
    else:  # which the first weights of a cell may depend on
        shorter = build(spec.model_copy(update={"context": context}))
        shorter.initialise()
        network.load_state_dict(shorter.state_dict())
    begin_series(spec, network, material)


def begin_series(spec: ForecasterSpec, network: Network, material: Material) -> None:
    """Fit a smoothing layer's parameters to each series, where there is such a layer; what is held back is not seen."""
    layer = network.series
    if not isinstance(layer, Smoothing):
        return
    panel, target = material.panel, material.panel.columns[TARGET]
    ends = panel.offsets[1:] - material.split.holdout
    learnt = [target[start : max(end, start)] for start, end in zip(panel.offsets[:-1], ends, strict=True)]
    values = stretch(learnt, steps_to_fit(spec, layer))
    lengths = np.array([len(one) for one in learnt], dtype=np.int64)
    first = panel.freq.ordinals(panel.starts) // panel.freq.stride + lengths - values.shape[1]
    units = None
    if spec.scaling.over == "series":
        units = WindowScaling.running(target, panel.offsets, spec.scaling.target).at(np.maximum(ends - 1, panel.offsets[:-1]))
    layer.table.data.copy_(fit_series(spec, layer, values, first, units))
