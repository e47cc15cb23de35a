"""How do a few rows go through a cell that has an operator of its own? By onnxruntime, which packs the weights once (decision 41)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper, numpy_helper

from app.nets.cells import Cell, GruCell
from app.nets.operators import Operator
from app.nets.packed import Rows, State, numbers

OPSET, IR_VERSION = 17, 8
"""Of the graphs: old enough for every onnxruntime that `pyproject.toml` allows."""

STATES = ("hidden", "memory")


class RunningOperator:
    """An operator with a cell's weights, ready to run; threads may share it.

    Args:
        cell: its weights are copied.
        operator: that it is.
    """

    def __init__(self, cell: Cell, operator: Operator) -> None:
        self._states = STATES[: cell.states]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False  # a thousand of these may be held, and each would keep its own
        content = _graph(cell, operator, self._states)
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(self, sequence: Rows, state: State) -> tuple[Rows, State]:
        """Steps through time.

        Args:
            sequence: [time, batch, width], as it lies in memory.
            state: each [batch, units], likewise.

        Returns:
            The hidden state at every step, [time, batch, units], and the state after the last.
        """
        before = {name: part[None] for name, part in zip(self._states, state, strict=True)}
        hidden, *after = self._session.run(None, {"sequence": sequence, **before})
        return hidden[:, 0], tuple(part[0] for part in after)


def _graph(cell: Cell, operator: Operator, states: Sequence[str]) -> bytes:
    """A model of one operator."""
    units, width = cell.units, cell.input_weight.shape[1]
    own = numbers(cell.recurrent_bias) if isinstance(cell, GruCell) else np.zeros(len(cell.bias), dtype=np.float32)
    weights = {
        "input_weight": _ordered(numbers(cell.input_weight), operator),
        "recurrent_weight": _ordered(numbers(cell.recurrent_weight), operator),
        "bias": np.concatenate([_ordered(numbers(cell.bias), operator), _ordered(own, operator)]),
    }
    after = [f"next_{name}" for name in states]
    node = helper.make_node(
        operator.name, ["sequence", *weights, "", *states], ["output", *after], hidden_size=units, **operator.attributes
    )
    graph = helper.make_graph(
        [node],
        operator.name,
        [_value("sequence", "time", "batch", width), *(_value(name, 1, "batch", units) for name in states)],
        [_value("output", "time", 1, "batch", units), *(_value(name, 1, "batch", units) for name in after)],
        [numpy_helper.from_array(values[None], name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    return bytes(model.SerializeToString())


def _value(name: str, *shape: str | int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def _ordered(values: npt.NDArray[np.float32], operator: Operator) -> Rows:
    """Rows of weights or of a bias, with the gates as the operator has them."""
    parts = np.split(values, len(operator.gates))
    return np.concatenate([parts[gate] for gate in operator.gates])
