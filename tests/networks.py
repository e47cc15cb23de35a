"""Something for a network to read, of the shapes that its description says."""

import torch
from torch import Tensor

from app.spec.forecaster import ForecasterSpec
from app.spec.shapes import future_width, input_width

BATCH = 3


def example(spec: ForecasterSpec, seed: int = 0) -> tuple[dict[str, Tensor], Tensor]:
    """Inputs over the context by their names, and what is known of the horizon."""
    generator = torch.Generator().manual_seed(seed)
    steps = spec.context or 1
    inputs = {name: torch.randn(BATCH, steps, input_width(group), generator=generator) for name, group in spec.inputs.items()}
    for name, group in spec.inputs.items():
        if group.known == "static":
            codes = torch.randint(0, 2, (BATCH, 1, len(group.columns)), generator=generator).float()
            inputs[name] = codes.expand(-1, steps, -1)
    return inputs, torch.randn(BATCH, spec.horizon or 1, future_width(spec), generator=generator)
