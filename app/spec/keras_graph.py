"""What does the JSON of a Keras model say? Layers and who reads whom, of a Sequential or a functional model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import Fault, SpecError, shown

MOST_LAYERS = 256
"""As many as a network may have blocks."""

SEQUENTIAL, FUNCTIONAL = "Sequential", ("Functional", "Model")


@dataclass(frozen=True)
class KerasLayer:
    """One layer.

    Attributes:
        name: of the layer.
        kind: its class.
        config: its options.
        reads: names of the layers whose output it reads.
        pointer: where it stands in the JSON.
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    reads: tuple[str, ...]
    pointer: str

    def fault(self, place: str, code: str, sentence: str) -> Fault:
        """What cannot be translated of it."""
        where = f"{self.pointer}/config/{place}" if place else self.pointer
        return Fault(where, code, f"the layer {self.name!r} ({self.kind}): {sentence}")


@dataclass(frozen=True)
class KerasModel:
    """A model of one output.

    Attributes:
        layers: by name, as they are written; those that read nothing are its inputs.
        output: the layer that it gives.
    """

    layers: Mapping[str, KerasLayer]
    output: KerasLayer


def read_model(document: object) -> KerasModel:
    """The layers of a model.

    Args:
        document: what `json.loads` makes of `model.to_json()`.

    Raises:
        SpecError: it is no such model.
    """
    kind = document.get("class_name") if isinstance(document, dict) else None
    if not isinstance(document, dict) or kind not in (SEQUENTIAL, *FUNCTIONAL):
        raise SpecError(
            f"the document is {shown(kind) if kind else 'no Keras model'}; send what model.to_json() gives of a Sequential or a functional "
            "model",
            code="no_model",
            pointer="#/class_name",
        )
    config = _mapping(document.get("config"), "#/config")
    written = config.get("layers")
    if not isinstance(written, list) or not 1 <= len(written) <= MOST_LAYERS:
        count = f"{len(written):,}" if isinstance(written, list) else "no list of"
        raise SpecError(f"config.layers: has {count} layers; 1 to {MOST_LAYERS} can be read", code="layers", pointer="#/config/layers")
    layers = list(_sequential(written) if kind == SEQUENTIAL else _functional(written))
    by_name = {layer.name: layer for layer in layers}
    if len(by_name) < len(layers):
        raise SpecError("config.layers: names of layers differ", code="taken", pointer="#/config/layers")
    _check_graph(by_name)
    return KerasModel(by_name, layers[-1] if kind == SEQUENTIAL else _output(config, by_name))


def _mapping(value: object, pointer: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise SpecError(
            f"{pointer.removeprefix('#/').replace('/', '.')}: must be an object, and is {shown(value)}", code="dict_type", pointer=pointer
        )
    return value


def _parts(written: object, number: int) -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    pointer = f"#/config/layers/{number}"
    layer = _mapping(written, pointer)
    config = _mapping(layer.get("config"), f"{pointer}/config")
    return str(config.get("name") or layer.get("name") or f"layer_{number}"), str(layer.get("class_name")), config, layer


def _sequential(written: Sequence[object]) -> Iterator[KerasLayer]:
    before: tuple[str, ...] = ()
    for number, one in enumerate(written):
        name, kind, config, _ = _parts(one, number)
        yield KerasLayer(name, kind, config, before, f"#/config/layers/{number}")
        before = (name,)


def _functional(written: Sequence[object]) -> Iterator[KerasLayer]:
    for number, one in enumerate(written):
        name, kind, config, layer = _parts(one, number)
        calls = layer.get("inbound_nodes") or []
        pointer = f"#/config/layers/{number}"
        if len(calls) > 1:
            sentence = f"the layer {name!r} ({kind}): is called {len(calls)} times; one that is called once can be read"
            raise SpecError(f"{sentence}, or write the document with a 'share' block", code="shared", pointer=f"{pointer}/inbound_nodes")
        yield KerasLayer(name, kind, config, tuple(_history(calls)), pointer)


def _history(value: object) -> Iterator[str]:
    """Names of the layers that a call reads, in the form of Keras 3 or of Keras 2."""
    if isinstance(value, dict):
        history = value.get("config", {}).get("keras_history") if value.get("class_name") == "__keras_tensor__" else None
        yield from [str(history[0])] if isinstance(history, list) and history else _history(value.get("args"))
    elif isinstance(value, list):
        is_older = len(value) >= 3 and isinstance(value[0], str) and isinstance(value[1], int)
        yield from [value[0]] if is_older else (name for one in value for name in _history(one))


def _output(config: Mapping[str, Any], layers: Mapping[str, KerasLayer]) -> KerasLayer:
    named = config.get("output_layers")
    names = [one for one in _flat(named) if isinstance(one, str)]
    if len(names) != 1 or names[0] not in layers:
        raise SpecError(
            f"config.output_layers: names {len(names)} outputs of the model; a forecaster has one",
            code="outputs",
            pointer="#/config/output_layers",
        )
    return layers[names[0]]


def _flat(value: object) -> Iterator[object]:
    if isinstance(value, list):
        for one in value:
            yield from _flat(one)
    else:
        yield value


def _check_graph(layers: Mapping[str, KerasLayer]) -> None:
    """Refuses layers that read what is not there, or go round in a circle.

    Raises:
        SpecError: they do.
    """
    done: set[str] = set()
    for layer in layers.values():
        for name in layer.reads:
            if name not in layers:
                raise SpecError(
                    f"the layer {layer.name!r} ({layer.kind}): reads {name!r}, which is no layer",
                    code="unknown_source",
                    pointer=layer.pointer,
                )
    while len(done) < len(layers):
        ready = [name for name, layer in layers.items() if name not in done and done.issuperset(layer.reads)]
        if not ready:
            raise SpecError("config.layers: layers read each other in a circle", code="cycle", pointer="#/config/layers")
        done.update(ready)
