"""How does a forecaster become one graph? Its parts are traced one by one, and the step becomes the body of a loop over time.

    y, past/... ── Units ── Scan over time ─────────────────────────── Answer ── mean, quantiles
                            If a history begins: Step without states
                            else:                Step with states ──── next/state/...

Weights stand in the outermost graph, once, though both branches read them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor

from app.errors import ForecastError
from app.forecasting.exporting.contract import Contract, export_faults, has_quantiles
from app.forecasting.exporting.modules import Answer, Step, Units
from app.forecasting.exporting.tracing import OPSET, TracedParts
from app.forecasting.forecaster import Forecaster
from app.forecasting.windows import statics_of

TRACED_BATCH, TRACED_STEPS = 3, 5
"""Of the examples that parts are traced with; no other size is as large by chance."""

KEY = "braidcast"
"""Under which the file's metadata has the document."""

Named = dict[str, Tensor]


def export(forecaster: Forecaster, levels: Sequence[float]) -> bytes:
    """A forecaster as a file of ONNX.

    Args:
        forecaster: on the CPU.
        levels: of the quantiles.

    Raises:
        ForecastError: naming each block that cannot be exported, and why.
    """
    faults = tuple(export_faults(forecaster.spec))
    if faults:
        sentence = f"this model cannot be exported: {'; '.join(fault.detail for fault in faults)}"
        raise ForecastError(sentence, code="not_exportable", faults=faults)
    model = _Export(forecaster, tuple(levels) if has_quantiles(forecaster.spec) else ()).model()
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


class _Export:
    """One export.

    Args:
        forecaster: whose.
        levels: of the quantiles; none where the head has none to export.
    """

    def __init__(self, forecaster: Forecaster, levels: tuple[float, ...]) -> None:
        self._forecaster, self._levels = forecaster, levels
        self._contract = contract = Contract(forecaster.spec)
        self._parts = TracedParts()
        batch = TRACED_BATCH
        self._units: Named = {"shift": _numbers(batch), "scale": 1 + _numbers(batch)}
        self._last: Named = {"last": _numbers(batch, 1 + len(contract.covariates))}
        self._codes: Named = {f"static/{name}": torch.ones(batch, dtype=torch.float64) for name in contract.statics}
        self._steps: Named = {name: _numbers(batch, TRACED_STEPS) for name in contract.steps}
        self._ahead: Named = {name: _numbers(batch, forecaster.horizon) for name in contract.ahead}
        self._row: Named = {"row": _numbers(batch, len(contract.steps))}

    @cached_property
    def _moved(self) -> tuple[Named, list[dict[str, int]]]:
        """What a step without states gives: newest features and states of each network; and how many of these each place has."""
        begun = Step(self._forecaster, None)
        with torch.no_grad():
            found = begun(*self._units.values(), *self._last.values(), *self._row.values(), *self._codes.values())[1:]
        rest, named, keys = list(found), Named(), begun.keys
        for number, counts in enumerate(keys):
            named[f"newest/{number}"] = rest.pop(0)
            for _ in range(sum(counts.values())):
                named[f"state/{sum(name.startswith('state') for name in named)}"] = rest.pop(0)
        return named, keys

    @property
    def _states(self) -> Named:
        return {name: value for name, value in self._moved[0].items() if name.startswith("state/")}

    def model(self) -> onnx.ModelProto:
        """The whole of it."""
        nodes = [*self._units_nodes(), *self._loop_nodes(), *self._answer_nodes()]
        inputs = [
            helper.make_tensor_value_info("begin", TensorProto.BOOL, []),
            *_infos(self._units | self._last | self._states | self._codes, "batch"),
            *_infos(self._steps, "batch", "time"),
            *_infos(self._ahead, "batch"),
        ]
        given = {"mean": _numbers(1, self._forecaster.horizon)}
        if self._levels:
            given["quantiles"] = _numbers(1, self._forecaster.horizon, len(self._levels))
        carried = {f"next/{name}": value for name, value in (self._units | self._last | self._states).items()}
        graph = helper.make_graph(nodes, "forecaster", inputs, _infos(given | carried, "batch"), self._parts.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name=KEY)
        helper.set_model_props(model, {KEY: json.dumps(self._told())})
        return model

    def _units_nodes(self) -> list[onnx.NodeProto]:
        begin = {"begin": torch.tensor(data=True)}
        outputs = ["next/shift", "next/scale", "first/last", "rows"]
        traced = self._parts.add(Units(self._forecaster), begin | self._units | self._last | self._steps, outputs, "units", self._steps)
        return list(traced.node)

    def _loop_nodes(self) -> list[onnx.NodeProto]:
        """Zeros for the newest features, and the loop."""
        moved, keys = self._moved
        carried = [*self._last, *moved]
        body = self._body(carried, keys)
        nodes = [helper.make_node("Shape", ["next/shift"], ["batch"])]
        first = []
        for name, value in moved.items():
            if name in self._states:
                first.append(name)
                continue
            width = self._parts.constant(torch.tensor([value.shape[1]]))
            nodes += [
                helper.make_node("Concat", ["batch", width], [f"shape/{name}"], axis=0),
                helper.make_node("ConstantOfShape", [f"shape/{name}"], [f"zeros/{name}"]),
            ]
            first.append(f"zeros/{name}")
        names = [name if name.startswith("newest/") else f"next/{name}" for name in carried]
        loop = helper.make_node(
            "Scan", ["begin", "first/last", *first, "rows"], ["begun", *names], body=body, num_scan_inputs=1, scan_input_axes=[1]
        )
        return [*nodes, loop]

    def _body(self, carried: Sequence[str], keys: list[dict[str, int]]) -> onnx.GraphProto:
        """A step: the first where a history begins, else one that goes on."""
        # Read from the graph around the loop: units as they were measured, and codes.
        around = dict(zip(self._units, ["next/shift", "next/scale"], strict=True))
        inside = {name: f"before/{name}" for name in (*self._last, *self._states)}
        outputs = [f"after/{name}" for name in carried]
        given = self._units | self._last | self._row | self._codes
        begun = self._parts.add(Step(self._forecaster, None), given, outputs, "begin", names=around | inside)
        gone_on = self._parts.add(Step(self._forecaster, keys), given | self._states, outputs, "go_on", names=around | inside)
        nodes = [
            helper.make_node("If", ["fresh"], outputs, then_branch=_branch(begun), else_branch=_branch(gone_on)),
            helper.make_node("Xor", ["fresh", "fresh"], ["fresh/after"]),
        ]
        values = self._last | self._moved[0]
        before = [*_infos({f"before/{name}": values[name] for name in carried}, "batch"), *_infos(self._row, "batch")]
        after = _infos({f"after/{name}": values[name] for name in carried}, "batch")
        fresh = [helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("fresh", "fresh/after")]
        return helper.make_graph(nodes, "step", [fresh[0], *before], [fresh[1], *after])

    def _answer_nodes(self) -> list[onnx.NodeProto]:
        newest = {name: value for name, value in self._moved[0].items() if name not in self._states}
        outputs = ["mean", "quantiles"] if self._levels else ["mean"]
        around = dict(zip(self._units, ["next/shift", "next/scale"], strict=True))
        traced = self._parts.add(
            Answer(self._forecaster, self._levels), self._units | newest | self._ahead, outputs, "answer", names=around
        )
        return list(traced.node)

    def _told(self) -> Mapping[str, Any]:
        """What a caller has to know beside the graph itself."""
        spec = self._forecaster.spec
        states = {name: list(value.shape[1:]) for name, value in (self._last | self._states).items()}
        return {
            "freq": self._forecaster.freq,
            "context": spec.context,
            "horizon": spec.horizon,
            "levels": self._levels,
            "steps": list(self._steps),
            "ahead": list(self._ahead),
            "states": states,
            "words": {name: list(words) for name, words in statics_of(spec).items()},
            "spec": spec.model_dump(mode="json", by_alias=True),
        }


def _branch(traced: onnx.GraphProto) -> onnx.GraphProto:
    """A graph that reads all that it needs from around it."""
    return helper.make_graph(list(traced.node), traced.name, [], list(traced.output))


def _numbers(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def _infos(values: Named, *axes: str) -> list[onnx.ValueInfoProto]:
    kinds = {torch.float64: TensorProto.DOUBLE, torch.float32: TensorProto.FLOAT}
    return [helper.make_tensor_value_info(name, kinds[value.dtype], [*axes, *value.shape[len(axes) :]]) for name, value in values.items()]
