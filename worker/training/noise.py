"""What does a network read that is not in the data? Noise on its inputs while it learns, so that it learns no value by heart."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from app.forecasting.batches import Windows
from app.spec.forecaster import ForecasterSpec
from app.spec.training_options import noisy_columns


class InputNoise:
    """Normal noise on the columns that are known up to the cutoff only (Bishop 1995), from torch's own generator.

    Calendar features stay as they are, what is known over the horizon is known exactly, and targets are what is to be learnt.

    Args:
        spec: the description.
    """

    def __init__(self, spec: ForecasterSpec) -> None:
        self.deviation = spec.training.input_noise
        self._noisy = {name: noisy_columns(group) for name, group in spec.inputs.items()}

    def added(self, windows: Windows) -> Windows:
        """The windows with noise; as they are where there is none."""
        if not self.deviation:
            return windows
        return replace(windows, inputs={name: self._noised(values, self._noisy[name]) for name, values in windows.inputs.items()})

    def _noised(self, values: Tensor, columns: int) -> Tensor:
        if columns == 0:
            return values
        noisy, exact = values[..., :columns], values[..., columns:]
        return torch.cat([noisy + self.deviation * torch.randn_like(noisy), exact], dim=2)
