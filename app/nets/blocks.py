"""How do blocks make a network? Each is a module `(sequence, run) -> sequence`; a combinator is one too, to any depth.

Tap       reads a named output in place of what stands before it, and names its own
Layer     a cell with its state out of the run, and its dropout
Shared    another block once more, with its weights
Chain     one after another          (`stack`)
Branches  side by side, then merged  (`connect`)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.nets.cells import Recurrence
from app.nets.run import Run
from app.nets.wrappers import Highway

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
        self._source = source

    def forward(self, sequence: Tensor, run: Run) -> Tensor:
        """The block's output."""
        output: Tensor = self.block(self.read(sequence, run), run)
        if self.name is not None:
            run.named[self.name] = output
        return output

    def read(self, sequence: Tensor, run: Run) -> Tensor:
        """What the block reads: what stands before it, or its source."""
        return sequence if self._source is None else run.named[self._source]


class Shared(nn.Module):
    """Another block once more: with its weights, and states of its own.

    Args:
        block: the other; it is registered where it stands, not here, so that its weights are learnt and kept once.
        place: what tells the states of this run from those of others.
    """

    def __init__(self, block: nn.Module, place: str) -> None:
        super().__init__()
        self._unregistered = (block,)
        self._prefix = f"{place}/"

    def forward(self, sequence: Tensor, run: Run) -> Tensor:
        """The other block's output for this sequence."""
        prefix = self._prefix
        own = {place.removeprefix(prefix): state for place, state in run.before.items() if place.startswith(prefix)}
        inside = Run(run.named, own, about=run.about)
        output: Tensor = self._unregistered[0](sequence, inside)
        run.after.update({f"{prefix}{place}": state for place, state in inside.after.items()})
        return output


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


class Past(nn.Module):
    """A way past a block: what it read joins what it gives.

    Args:
        kind: `none`, `add` (or `residual`), `highway`, or `dense`, which puts them side by side.
        width: of what the block gives.
    """

    def __init__(self, kind: str, width: int) -> None:
        super().__init__()
        self._kind = kind
        self.gate = Highway(width) if kind == "highway" else None

    def forward(
        self, read: Float[Tensor, "batch time width"], given: Float[Tensor, "batch time given"]
    ) -> Float[Tensor, "batch time both"]:
        """What was read and what was given, joined."""
        if self.gate is not None:
            mixed: Tensor = self.gate(read, given)
            return mixed
        match self._kind:
            case "add" | "residual":
                return read + given
            case "dense":
                return torch.cat([read, given], dim=2)
            case _:
                return given


class Skipped(nn.Module):
    """A block of a stack with a way past it.

    Args:
        block: the block.
        past: the way.
    """

    def __init__(self, block: nn.Module, past: Past) -> None:
        super().__init__()
        self.block = block
        self.past = past

    def forward(self, sequence: Tensor, run: Run) -> Tensor:
        """The block's output and what it read, joined."""
        joined: Tensor = self.past(sequence, self.block(sequence, run))
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
        self._function = ACTIVATIONS[name]

    def forward(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch time width"]:
        """The function at every step."""
        return self._function(sequence)


class Normalised(nn.Module):
    """Layer normalisation at every step (Ba et al. 2016).

    Args:
        width: of a step.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, sequence: Float[Tensor, "batch time width"], run: Run) -> Float[Tensor, "batch time width"]:
        """Each step with mean 0 and deviation 1, scaled and shifted by what is learnt."""
        normalised: Tensor = self.norm(sequence)
        return normalised


class Chain(nn.Module):
    """Blocks one after another.

    Args:
        blocks: in order.
    """

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, sequence: Tensor, run: Run) -> Tensor:
        """The last block's output."""
        for block in self.blocks:
            sequence = block(sequence, run)
        return sequence


class Branches(nn.Module):
    """Blocks side by side on the same input, or on what each taps.

    Args:
        branches: in order.
        merge: `concat`, `sum`, `mean`, `max`, `product`, `gate` or `attention`.
        widths: of the branches' outputs.
    """

    def __init__(self, branches: Sequence[nn.Module], merge: str, widths: Sequence[int]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self._merge = merge
        self.gate = nn.Linear(sum(widths), len(widths)) if merge == "gate" else None
        self.scores = nn.Linear(widths[0], widths[0]) if merge == "attention" else None
        self.query = nn.Linear(widths[0], 1, bias=False) if merge == "attention" else None

    def forward(self, sequence: Tensor, run: Run) -> Tensor:
        """The merged outputs."""
        outputs = [branch(sequence, run) for branch in self.branches]
        if self._merge == "concat":
            return torch.cat(outputs, dim=2)
        stacked = torch.stack(outputs)
        if self.gate is not None:
            weights = self.gate(torch.cat(outputs, dim=2)).softmax(dim=2)
            mixed: Tensor = (weights.movedim(2, 0)[..., None] * stacked).sum(dim=0)
            return mixed
        if self.scores is not None and self.query is not None:
            attended: Tensor = (self.query(torch.tanh(self.scores(stacked))).softmax(dim=0) * stacked).sum(dim=0)
            return attended
        match self._merge:
            case "mean":
                return stacked.mean(dim=0)
            case "max":
                return stacked.amax(dim=0)
            case "product":
                return stacked.prod(dim=0)
            case _:
                return stacked.sum(dim=0)
