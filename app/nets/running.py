"""How do a few rows go through cells that are operators of ONNX? By onnxruntime, which packs the weights once (decision 41)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import NodeProto, helper, numpy_helper

from app.nets.cells import Cell, GruCell
from app.nets.operators import Operator
from app.nets.packed import Rows, State, numbers

OPSET, IR_VERSION = 17, 8
"""Of the graphs: old enough for every onnxruntime that `pyproject.toml` allows."""

STATES = ("hidden", "memory")


class RunningOperators:
    """Operators with the weights of stacked cells, ready to run; threads may share them.

    Args:
        cells: see `app.nets.stacked.StackedCells`; their weights are copied.
        operator: that each is.
    """

    def __init__(self, cells: Sequence[Cell], operator: Operator) -> None:
        self._units = cells[0].units
        self._states = [[f"{name}_{layer}" for name in STATES[: cell.states]] for layer, cell in enumerate(cells)]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # a thousand of these may be held, and each would keep its own
        content = _graph(cells, operator, self._states)
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(self, sequence: Rows, states: Sequence[State] | None, *, is_carried_on: bool = True) -> tuple[Rows, list[State]]:
        """Steps through time, see `StackedCells.run`."""
        read = {"sequence": sequence}
        if states is None:
            nothing = np.zeros((1, sequence.shape[1], self._units), dtype=np.float32)
            read |= {name: nothing for names in self._states for name in names}
        else:
            for names, state in zip(self._states, states, strict=True):
                read |= {name: part[None] for name, part in zip(names, state, strict=True)}
        if not is_carried_on:
            return self._session.run(["given"], read)[0], []
        given, *after = self._session.run(None, read)
        parts = iter(after)
        return given, [tuple(next(parts)[0] for _ in names) for names in self._states]


def _graph(cells: Sequence[Cell], operator: Operator, states: Sequence[Sequence[str]]) -> bytes:
    """A model that gives the last cell's hidden states, and all states after the last step."""
    units, width, last = cells[0].units, cells[0].input_weight.shape[1], len(cells) - 1
    nodes: list[NodeProto] = []
    weights = {"axes": np.array([1])}
    read = "sequence"
    for layer, (cell, own) in enumerate(zip(cells, states, strict=True)):
        packed = {f"{name}_{layer}": values[None] for name, values in _weights(cell, operator).items()}
        after = [f"next_{name}" for name in own]
        nodes.append(
            helper.make_node(
                operator.name, [read, *packed, "", *own], [f"output_{layer}", *after], hidden_size=units, **operator.attributes
            )
        )
        read = "given" if layer == last else f"given_{layer}"
        nodes.append(helper.make_node("Squeeze", [f"output_{layer}", "axes"], [read]))
        weights |= packed
    names = [name for own in states for name in own]
    graph = helper.make_graph(
        nodes,
        operator.name,
        [_value("sequence", "time", "batch", width), *(_value(name, 1, "batch", units) for name in names)],
        [_value("given", "time", "batch", units), *(_value(f"next_{name}", 1, "batch", units) for name in names)],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(model.SerializeToString())


def _weights(cell: Cell, operator: Operator) -> dict[str, Rows]:
    """A cell's weights as its operator has them."""
    own = numbers(cell.recurrent_bias) if isinstance(cell, GruCell) else np.zeros(len(cell.bias), dtype=np.float32)
    return {
        "input_weight": _ordered(numbers(cell.input_weight), operator),
        "recurrent_weight": _ordered(numbers(cell.recurrent_weight), operator),
        "bias": np.concatenate([_ordered(numbers(cell.bias), operator), _ordered(own, operator)]),
    }


def _value(name: str, *shape: str | int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def _ordered(values: npt.NDArray[np.float32], operator: Operator) -> Rows:
    """Rows of weights or of a bias, with the gates as the operator has them."""
    parts = np.split(values, len(operator.gates))
    return np.concatenate([parts[gate] for gate in operator.gates])
