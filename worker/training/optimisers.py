"""Which optimiser moves the weights?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, assert_never

import torch
from torch import nn

from app.nets.build import Network
from app.nets.smoothing import Smoothing
from app.spec.training import Training

FACTOR = "factor"
"""Under which a group of weights has its learning rate over the training's."""


def optimiser_of(network: Network, parameters: Iterable[nn.Parameter], settings: Training) -> torch.optim.Optimizer:
    """A new optimiser, whose learning rate each step sets; parameters of single series have a rate of their own, and do not decay.

    Args:
        network: that they are of.
        parameters: what learns.
        settings: how.
    """
    decay, momentum = settings.weight_decay, settings.momentum
    series = network.series if isinstance(network.series, Smoothing) else None
    everything = list(parameters)
    own = [parameter for parameter in everything if series is not None and parameter is series.table]
    shared = [parameter for parameter in everything if series is None or parameter is not series.table]
    learners: list[dict[str, Any]] = [{"params": shared, FACTOR: 1.0}] if shared else []
    if series is not None and own:
        learners.append({"params": own, FACTOR: series.block.lr_factor, "weight_decay": 0.0})
    match settings.optimizer:
        case "adam":
            return torch.optim.Adam(learners, fused=True)
        case "adamw":
            return torch.optim.AdamW(learners, weight_decay=decay, fused=True)
        case "sgd":
            return torch.optim.SGD(learners, weight_decay=decay, momentum=momentum, nesterov=momentum > 0.0)
        case "rmsprop":
            return torch.optim.RMSprop(learners, weight_decay=decay, momentum=momentum)
        case _:
            assert_never(settings.optimizer)
