"""What is a block when it runs? A module `(sequence, run) -> sequence`; a combinator is one too, to any depth (`combinators.py`).

Tap       reads a named output in place of what stands before it, and names its own
Layer     a cell with its state out of the run, and its dropout
others    maps of every step by itself
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.nets.cells import Recurrence
from app.nets.run import Run
from app.nets.wrappers import Past

ACTIVATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda values: values,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "gelu": nn.functional.gelu,
}


class Tap(nn.Module):
    """A block with a `from` or a `name`.

    Args:
        block: the block.
        source: what it reads instead of what stands before it.
        name: what its output is called from here on.
    """

    def __init__(self, block: nn.Module, source: str | None, name: str | None) -> None:
        super().__init__()
        self.block = block
        self.name = name
        self.source = source

    def forward(self, sequence: Tensor, run: Run) -> Tensor:
        """The block's output."""
        output: Tensor = self.block(self.read(sequence, run), run)
        if self.name is not None:
            run.named[self.name] = output
        return output

    def read(self, sequence: Tensor, run: Run) -> Tensor:
        """What the block reads: what stands before it, or its source."""
        return sequence if self.source is None else run.named[self.source]


class SequenceDropout(nn.Module):
    """Drops units while training, the same ones at every step of a sequence (Gal and Ghahramani 2016).

    Args:
        rate: share that is dropped.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self._rate = rate

    def forward(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch time width"]:
        """The sequence, thinned; as it is when not training."""
        if not self.training or self._rate == 0.0:
            return sequence
        kept = torch.empty_like(sequence[:, :1]).bernoulli_(1.0 - self._rate)
        return sequence * (kept / (1.0 - self._rate))


class Layer(nn.Module):
    """A recurrent layer in a network, with what is done to its output.

    Args:
        cell: the layer, in its wrappers.
        place: what its state is called by.
        width: of its output.
        dropout: of its output.
        is_normalised: whether its output is normalised.
        residual: `none`, `add` or `highway`.
    """

    def __init__(self, cell: Recurrence, place: str, width: int, dropout: float, *, is_normalised: bool, residual: str) -> None:
        super().__init__()
        self.cell = cell
        self.place = place
        self.norm = nn.LayerNorm(width) if is_normalised else nn.Identity()
        self.dropout = SequenceDropout(dropout)
        self.skip = Past(residual, width)

    def forward(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch time hidden"]:
        """The hidden states, with the run's state carried on."""
        state = run.before[self.place] if self.place in run.before else self.cell.start(sequence)
        output, run.after[self.place] = self.cell(sequence, state)
        joined: Tensor = self.skip(sequence, self.dropout(self.norm(output), run))
        return joined


class Affine(nn.Module):
    """W x_t + b at every step, and an activation.

    Args:
        width: of the input.
        units: of the output.
        activation: one of ACTIVATIONS.
    """

    def __init__(self, width: int, units: int, activation: str) -> None:
        super().__init__()
        self.linear = nn.Linear(width, units)
        self.activation = activation
        self._activation = ACTIVATIONS[activation]

    def forward(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch time units"]:
        """The map at every step."""
        return self._activation(self.linear(sequence))


class Function(nn.Module):
    """A function of every number.

    Args:
        name: one of ACTIVATIONS.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.activation = name
        self._function = ACTIVATIONS[name]

    def forward(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch time width"]:
        """The function at every step."""
        return self._function(sequence)


class Normalised(nn.Module):
    """Layer normalisation at every step (Ba et al. 2016).

    Args:
        width: of a step.
        epsilon: added to the variance.
    """

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=epsilon)

    def forward(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch time width"]:
        """Each step with mean 0 and deviation 1, scaled and shifted by what is learnt."""
        normalised: Tensor = self.norm(sequence)
        return normalised
