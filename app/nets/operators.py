"""Which operator of ONNX is a cell? What runs one is app/nets/running.py.

cell             operator of ONNX
ElmanCell        RNN
LstmCell         LSTM
GruCell          GRU, reset after the product
GruBeforeCell    GRU, reset before it
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.nets.cells import Cell, ElmanCell, GruBeforeCell, GruCell, LstmCell
from app.nets.stepped import LoopLstmCell


@dataclass(frozen=True)
class Operator:
    """What ONNX calls a cell.

    Attributes:
        name: of the operator.
        gates: where each of its gates stands in the cell's weights.
        attributes: of the operator, beside its units.
    """

    name: str
    gates: tuple[int, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)


def operator_of(cell: Cell) -> Operator | None:
    """The operator that a cell is; None where there is none."""
    match cell:
        case ElmanCell():
            return Operator("RNN", (0,), {"activations": [cell.activation.capitalize()]})
        case LoopLstmCell():
            return None
        case LstmCell():
            return Operator("LSTM", (0, 3, 1, 2))
        case GruCell():
            return Operator("GRU", (1, 0, 2), {"linear_before_reset": 1})
        case GruBeforeCell():
            return Operator("GRU", (1, 0, 2), {"linear_before_reset": 0})
        case _:
            return None
