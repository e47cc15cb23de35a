"""What is one pass through a network? What blocks have given so far, the states before and after it, and whose series they are of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jaxtyping import Float, Int
from torch import Tensor

from app.nets.cells import CellState


@dataclass(frozen=True)
class About:
    """Which series the windows of a batch are of, for layers that have parameters of each.

    Attributes:
        rows: [batch], rows of the parameters that were learnt; -1 of a series that was not learnt from.
        first: [batch], number of each window's first step on the frequency's own count: where in its seasons it begins.
        fitted: [batch, parameters] of the series that were not learnt from; None where there are none.
    """

    rows: Int[Tensor, " batch"]
    first: Int[Tensor, " batch"]
    fitted: Float[Tensor, "batch parameters"] | None = None


@dataclass
class Run:
    """One pass through the network.

    Attributes:
        named: what inputs and named blocks have given so far.
        before: states of the cells by their place; a cell without one begins at zero.
        after: states of the cells after the last step.
        about: whose windows they are; None where nothing is known.
    """

    named: dict[str, Tensor]
    before: Mapping[str, CellState] = field(default_factory=dict)
    after: dict[str, CellState] = field(default_factory=dict)
    about: About | None = None
