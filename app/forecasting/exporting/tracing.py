"""How does a module become a piece of a graph? Traced, with names of its own, and its weights put where all pieces find them."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

OPSET = 18


class TracedParts:
    """Pieces of one graph, and the weights of all of them; equal ones are kept once."""

    def __init__(self) -> None:
        self._weights: dict[str, onnx.TensorProto] = {}

    @property
    def weights(self) -> list[onnx.TensorProto]:
        """Of all pieces."""
        return list(self._weights.values())

    def constant(self, value: Tensor) -> str:
        """The name of a number of the graph."""
        return self._kept(numpy_helper.from_array(value.numpy()))

    def add(
        self,
        module: nn.Module,
        given: Mapping[str, Tensor],
        outputs: Sequence[str],
        prefix: str,
        over_time: Iterable[str] = (),
        names: Mapping[str, str] | None = None,
    ) -> onnx.GraphProto:
        """A module as a piece of the graph.

        Args:
            module: takes the values in their order.
            given: examples by the names that the graph has for them; their first axis is the batch.
            outputs: what its results are called.
            prefix: of all names within it.
            over_time: those of the values whose second axis may have any length.
            names: of values, where the graph has others for them.
        """
        graph = _traced(module, given, outputs, frozenset(over_time))
        known = {name: name for name in (*given, *outputs)} | dict(names or {})
        known |= {weight.name: self._kept(weight) for weight in graph.initializer}
        for node in graph.node:
            _rename(node, known, prefix)
        del graph.initializer[:], graph.value_info[:]
        graph.name = prefix
        return graph

    def _kept(self, weight: onnx.TensorProto) -> str:
        content = numpy_helper.to_array(weight)
        digest = hashlib.sha256(np.ascontiguousarray(content).tobytes() + f"{content.dtype}{content.shape}".encode())
        name = f"constant/{digest.hexdigest()[:16]}"
        if name not in self._weights:
            self._weights[name] = numpy_helper.from_array(content, name)
        return name


def _rename(node: onnx.NodeProto, known: Mapping[str, str], prefix: str) -> None:
    def named(name: str) -> str:
        return known.get(name, f"{prefix}/{name}") if name else name

    node.name = f"{prefix}/{node.name}"
    node.input[:] = [named(name) for name in node.input]
    node.output[:] = [named(name) for name in node.output]


def _traced(module: nn.Module, given: Mapping[str, Tensor], outputs: Sequence[str], over_time: frozenset[str]) -> onnx.GraphProto:
    """A module as a graph whose inputs have these names."""
    axes = {name: {0: "batch"} | ({1: "time"} if name in over_time else {}) for name, value in given.items() if value.dim()}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A trace takes sizes for constants and says so: those that are none are the batch and the time, which tests change.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            tuple(given.values()),
            buffer,  # type: ignore[arg-type]  # the tracing exporter writes to what has `write`
            dynamo=False,
            input_names=list(given),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
        )
    return onnx.load_from_string(buffer.getvalue()).graph
