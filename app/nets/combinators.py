"""How do blocks make a network? One after another, side by side, past each other, again, and inside each other.

Chain     one after another          (`stack`)
Branches  side by side, then merged  (`connect`)
Skipped   with a way past it         (`skip`)
Shared    once more                  (`share`, `share_weights`)
Inlaid    a network in a network     (`model`)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from app.nets.run import Run
from app.nets.wrappers import Past


class Shared(nn.Module):
    """Another block once more: with its weights, and states of its own.

    Args:
        block: the other; it is registered where it stands, not here, so that its weights are learnt and kept once.
        place: what tells the states of this run from those of others.
    """

    def __init__(self, block: nn.Module, place: str) -> None:
        super().__init__()
        self._unregistered = (block,)
        self.prefix = f"{place}/"

    @property
    def block(self) -> nn.Module:
        """The other block."""
        return self._unregistered[0]

    def forward(self, sequence: Tensor, run: Run) -> Tensor:
        """The other block's output for this sequence."""
        prefix = self.prefix
        own = {place.removeprefix(prefix): state for place, state in run.before.items() if place.startswith(prefix)}
        inside = Run(run.named, own, about=run.about)
        output: Tensor = self.block(sequence, inside)
        run.after.update({f"{prefix}{place}": state for place, state in inside.after.items()})
        return output


class Inlaid(nn.Module):
    """A network in a network: it reads inputs by their names, and has names of its own.

    Args:
        body: the network.
        reads: what stands for each of its inputs.
        digest: of the artifact that it is from.
        is_frozen: whether it never learns.
    """

    def __init__(self, body: nn.Module, reads: Mapping[str, str], digest: str, *, is_frozen: bool) -> None:
        super().__init__()
        self.body = body
        self.digest = digest
        self.is_frozen = is_frozen
        self.reads = dict(reads)

    def forward(self, sequence: Tensor, run: Run) -> Tensor:
        """What the network makes of its inputs."""
        named = {name: run.named[source] for name, source in self.reads.items()}
        output: Tensor = self.body(torch.cat(list(named.values()), dim=2), Run(named, run.before, run.after, run.about))
        return output


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
        self.merge = merge
        self.gate = nn.Linear(sum(widths), len(widths)) if merge == "gate" else None
        self.scores = nn.Linear(widths[0], widths[0]) if merge == "attention" else None
        self.query = nn.Linear(widths[0], 1, bias=False) if merge == "attention" else None

    def forward(self, sequence: Tensor, run: Run) -> Tensor:
        """The merged outputs."""
        outputs = [branch(sequence, run) for branch in self.branches]
        if self.merge == "concat":
            return torch.cat(outputs, dim=2)
        stacked = torch.stack(outputs)
        if self.gate is not None:
            weights = self.gate(torch.cat(outputs, dim=2)).softmax(dim=2)
            mixed: Tensor = (weights.movedim(2, 0)[..., None] * stacked).sum(dim=0)
            return mixed
        if self.scores is not None and self.query is not None:
            attended: Tensor = (self.query(torch.tanh(self.scores(stacked))).softmax(dim=0) * stacked).sum(dim=0)
            return attended
        match self.merge:
            case "mean":
                return stacked.mean(dim=0)
            case "max":
                return stacked.amax(dim=0)
            case "product":
                return stacked.prod(dim=0)
            case _:
                return stacked.sum(dim=0)
