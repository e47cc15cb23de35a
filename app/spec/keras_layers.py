"""Which blocks is one Keras layer? Exactly those that compute the same, or a fault that names what has no such block."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.errors import Fault, shown
from app.spec.keras_graph import KerasLayer

JsonBlock = dict[str, Any]

ACTIVATIONS = ("linear", "relu", "tanh", "sigmoid", "gelu")
MERGES = {"Concatenate": "concat", "Add": "sum", "Multiply": "product", "Average": "mean", "Maximum": "max"}
BOTH_WAYS = {"sum": "sum", "mul": "product", "ave": "mean"}
NEVER = ("return_state", "stateful", "go_backwards", "time_major")
"""Options of recurrent layers that nothing here is like."""

TO_A_VECTOR = {"GlobalAveragePooling1D": "mean", "GlobalMaxPooling1D": "max"}


@dataclass
class Translation:
    """What was found while layers were translated.

    Attributes:
        faults: what has no block.
        warnings: what is otherwise while training, or was left out.
    """

    faults: list[Fault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def check(self, layer: KerasLayer, key: str, wanted: tuple[object, ...], default: object) -> None:
        """Note an option that has none of the values that can be translated."""
        value = layer.config.get(key, default)
        if value not in wanted:
            known = ", ".join(map(shown, wanted))
            self.faults.append(layer.fault(key, "not_translated", f"{key} is {shown(value)}; {known} can be translated"))


def translate(layer: KerasLayer, found: Translation) -> list[JsonBlock]:
    """The blocks of a layer that reads one other; none where it does nothing to what it reads.

    Args:
        layer: the layer.
        found: where faults and warnings are noted.
    """
    translator = _TRANSLATORS.get(layer.kind)
    if translator is None:
        known = ", ".join(sorted({*_TRANSLATORS, *MERGES, "InputLayer"}))
        found.faults.append(layer.fault("", "not_translated", f"this kind cannot be translated; those that can are {known}"))
        return []
    _note_penalties(layer, found)
    return list(translator(layer, found))


def merge(layer: KerasLayer, branches: list[JsonBlock], found: Translation) -> JsonBlock:
    """The connection that a merging layer is."""
    axis = layer.config.get("axis", -1)
    if layer.kind == "Concatenate" and axis not in (-1, 2):
        found.faults.append(layer.fault("axis", "not_translated", f"axis is {shown(axis)}; -1, the numbers of a step, can be translated"))
    return {"kind": "connect", "merge": MERGES[layer.kind], "branches": branches}


def gives_vector(layer: KerasLayer, reads_vector: bool) -> bool:
    """Whether a layer gives one vector for all steps."""
    inner = layer.config.get("layer", {}).get("config", {}) if layer.kind == "Bidirectional" else layer.config
    if layer.kind in {"LSTM", "GRU", "SimpleRNN", "Bidirectional"}:
        return not inner.get("return_sequences", False)
    return reads_vector or layer.kind in TO_A_VECTOR


def _note_penalties(layer: KerasLayer, found: Translation) -> None:
    left_out = [key for key, value in layer.config.items() if key.endswith(("_regularizer", "_constraint")) and value is not None]
    if left_out:
        found.warnings.append(f"{layer.name}: {', '.join(sorted(left_out))} left out; blocks have 'l1' and 'l2'")


def _whole(layer: KerasLayer, key: str, found: Translation) -> int:
    """A whole number, or the single one of a list."""
    value = layer.config.get(key, 1)
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return value
    found.faults.append(layer.fault(key, "not_translated", f"{key} is {shown(value)}; a whole number above 0 is wanted"))
    return 1


def _rate(layer: KerasLayer, key: str, found: Translation) -> float:
    value = layer.config.get(key, 0.0)
    if isinstance(value, int | float) and 0.0 <= value < 1.0:
        return float(value)
    found.faults.append(layer.fault(key, "not_translated", f"{key} is {shown(value)}; a share from 0 to below 1 is wanted"))
    return 0.0


def _cell(layer: KerasLayer, found: Translation) -> JsonBlock:
    """A recurrent layer as a block, without what it drops of its input."""
    for key in NEVER:
        found.check(layer, key, (False,), False)
    found.check(layer, "use_bias", (True,), True)
    block: JsonBlock = {"units": _whole(layer, "units", found)}
    match layer.kind:
        case "SimpleRNN":
            found.check(layer, "activation", ("tanh", "relu"), "tanh")
            block |= {"kind": "elman", "activation": layer.config.get("activation", "tanh")}
        case kind:
            found.check(layer, "activation", ("tanh",), "tanh")
            found.check(layer, "recurrent_activation", ("sigmoid",), "sigmoid")
            block["kind"] = str(kind).lower()
    if layer.kind == "GRU":
        block["reset"] = "after" if layer.config.get("reset_after", True) else "before"
    rate = _rate(layer, "recurrent_dropout", found)
    return (
        block | ({"recurrent_dropout": rate} if rate else {}) | ({} if layer.config.get("return_sequences", False) else {"output": "last"})
    )


def _dropped(layer: KerasLayer, found: Translation) -> list[JsonBlock]:
    rate = _rate(layer, "dropout", found)
    return [{"kind": "dropout", "rate": rate}] if rate else []


def _recurrent(layer: KerasLayer, found: Translation) -> Iterator[JsonBlock]:
    yield from _dropped(layer, found)
    yield _cell(layer, found)


def _bidirectional(layer: KerasLayer, found: Translation) -> Iterator[JsonBlock]:
    written = layer.config.get("layer", {})
    inner = KerasLayer(layer.name, str(written.get("class_name")), written.get("config", {}), layer.reads, f"{layer.pointer}/config/layer")
    if inner.kind not in {"LSTM", "GRU", "SimpleRNN"}:
        found.faults.append(layer.fault("layer", "not_translated", f"wraps {shown(inner.kind)}; LSTM, GRU and SimpleRNN can be translated"))
        return
    back = (layer.config.get("backward_layer") or {}).get("config")
    differing = [
        key for key in inner.config if back is not None and key not in {"name", "go_backwards"} and back.get(key) != inner.config[key]
    ]
    if differing:
        found.faults.append(layer.fault("backward_layer", "not_translated", f"its {', '.join(differing)} differ from the forward layer's"))
    found.check(layer, "merge_mode", ("concat", *BOTH_WAYS), "concat")
    yield from _dropped(inner, found)
    cell, mode = _cell(inner, found), layer.config.get("merge_mode", "concat")
    if mode not in BOTH_WAYS:
        yield cell | {"direction": "both"}
    else:
        yield {"kind": "connect", "merge": BOTH_WAYS[mode], "branches": [cell, cell | {"direction": "backward"}]}


def _dense(layer: KerasLayer, found: Translation) -> Iterator[JsonBlock]:
    found.check(layer, "use_bias", (True,), True)
    found.check(layer, "activation", ACTIVATIONS, "linear")
    yield {"kind": "dense", "units": _whole(layer, "units", found), "activation": layer.config.get("activation", "linear")}


def _conv(layer: KerasLayer, found: Translation) -> Iterator[JsonBlock]:
    for key, wanted in (("use_bias", True), ("groups", 1), ("data_format", "channels_last")):
        found.check(layer, key, (wanted,), wanted)
    found.check(layer, "strides", (1, [1]), 1)
    found.check(layer, "padding", ("causal", "same"), "valid")
    found.check(layer, "activation", ACTIVATIONS, "linear")
    yield {
        "kind": "conv",
        "units": _whole(layer, "filters", found),
        "width": _whole(layer, "kernel_size", found),
        "dilation": _whole(layer, "dilation_rate", found),
        "causal": layer.config.get("padding") == "causal",
        "activation": layer.config.get("activation", "linear"),
    }


def _dropout(layer: KerasLayer, found: Translation) -> Iterator[JsonBlock]:
    rate = _rate(layer, "rate", found)
    found.check(layer, "noise_shape", (None,), None)
    if rate:
        found.warnings.append(f"{layer.name}: drops the same units at every step of a sequence here, and others at each in Keras")
        yield {"kind": "dropout", "rate": rate}


def _norm(layer: KerasLayer, found: Translation) -> Iterator[JsonBlock]:
    found.check(layer, "axis", (-1, [-1], 2, [2]), -1)
    found.check(layer, "center", (True,), True)
    found.check(layer, "scale", (True,), True)
    yield {"kind": "norm", "epsilon": layer.config.get("epsilon", 1e-3)}


def _activation(layer: KerasLayer, found: Translation) -> Iterator[JsonBlock]:
    found.check(layer, "activation", ACTIVATIONS, "linear")
    function = layer.config.get("activation", "linear")
    if function != "linear":
        yield {"kind": "activation", "function": function}


def _pooling(layer: KerasLayer, found: Translation) -> Iterator[JsonBlock]:
    found.check(layer, "keepdims", (False,), False)
    yield {"kind": TO_A_VECTOR[layer.kind]}


_TRANSLATORS: Mapping[str, Callable[[KerasLayer, Translation], Iterator[JsonBlock]]] = {
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "SimpleRNN": _recurrent,
    "Bidirectional": _bidirectional,
    "Dense": _dense,
    "Conv1D": _conv,
    "Dropout": _dropout,
    "LayerNormalization": _norm,
    "Activation": _activation,
    **dict.fromkeys(TO_A_VECTOR, _pooling),
}
