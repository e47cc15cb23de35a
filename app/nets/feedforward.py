"""What looks at more than one step without a state of its own? Convolutions, attention over time, lags, and the context cut into pieces."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.nets.blocks import ACTIVATIONS
from app.nets.run import Run
from app.spec.leaves import Conv


class Convolution(nn.Module):
    """y_t = f(sum_k W_k x_{t - k d} + b), k from 0 to width - 1; not causal, it lies as far ahead of t as behind it.

    A causal one carries the steps that it will see again as its state; before the first step they are zeros.

    Args:
        block: the description.
        width: of the input.
        place: what its state is called by.
    """

    def __init__(self, block: Conv, width: int, place: str) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(width, block.units, block.width, dilation=block.dilation)
        self.place = place
        self._reach = (block.width - 1) * block.dilation
        self.is_causal = block.causal
        self.activation = block.activation
        self._activation = ACTIVATIONS[block.activation]

    def forward(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch time units"]:
        """The convolution at every step."""
        if self.is_causal:
            (before,) = run.before.get(self.place) or (sequence.new_zeros(sequence.shape[0], self._reach, sequence.shape[2]),)
            seen = torch.cat([before, sequence], dim=1)
            run.after[self.place] = (seen[:, seen.shape[1] - self._reach :],)
        else:
            behind = self._reach // 2
            seen = nn.functional.pad(sequence, (0, 0, behind, self._reach - behind))
        convolved: Tensor = self.convolution(seen.transpose(1, 2)).transpose(1, 2)
        return self._activation(convolved)


class SelfAttention(nn.Module):
    """softmax(q_t k_s / sqrt(d)) v_s over s <= t, in parts of the width ("heads"), and a map of the whole (Vaswani et al. 2017).

    It sees the stretch that it is given and carries no state.

    Args:
        width: of the input.
        units: of the output.
        heads: parts.
    """

    def __init__(self, width: int, units: int, heads: int) -> None:
        super().__init__()
        self.project = nn.Linear(width, 3 * units)
        self.out = nn.Linear(units, units)
        self._heads = heads

    def forward(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch time units"]:
        """Each step's mixture of those up to it."""
        query, key, value = self.project(sequence).unflatten(2, (3, self._heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        given: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return given


class Lagged(nn.Module):
    """x_t beside x_{t - k} for each lag k; before the first step there are zeros.

    Args:
        lags: rising.
        place: what its state is called by: the steps that it will see again.
    """

    def __init__(self, lags: Iterable[int], place: str) -> None:
        super().__init__()
        self.place = place
        self.lags = tuple(lags)

    def forward(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch time lagged"]:
        """Each step beside those before it."""
        batch, time, width = sequence.shape
        reach = self.lags[-1]
        (before,) = run.before.get(self.place) or (sequence.new_zeros(batch, reach, width),)
        seen = torch.cat([before, sequence], dim=1)
        run.after[self.place] = (seen[:, time:],)
        return torch.cat([sequence, *(seen[:, reach - lag : reach - lag + time] for lag in self.lags)], dim=2)


class Pieces(nn.Module):
    """Each piece of some steps folded into one, oldest first: [batch, time, width] to [batch, time / steps, steps * width].

    Args:
        steps: of a piece.
        place: what its state is called by: the steps of a piece that is not complete.
    """

    def __init__(self, steps: int, place: str) -> None:
        super().__init__()
        self.place = place
        self._steps = steps

    def forward(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch pieces folded"]:
        """The pieces that are complete."""
        (begun,) = run.before.get(self.place) or (sequence[:, :0],)
        seen = torch.cat([begun, sequence], dim=1) if begun.shape[1] else sequence
        whole = seen.shape[1] // self._steps * self._steps
        run.after[self.place] = (seen[:, whole:],)
        return seen[:, :whole].reshape(len(seen), -1, self._steps * seen.shape[2])
