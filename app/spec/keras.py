"""Which document is a Keras model? Its layers as blocks; its inputs as ours; its last dense layer as the decoder of a point forecast.

Input (T, W)                     an input of W columns, and the context T
layers, each read by one         a chain of blocks
a layer that several read        a block with a name, before those that read it
Concatenate, Add, ...            a connection of chains
Dense(H) at the end              the decoder `direct` to a horizon of H, under the head `point`
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.errors import SpecError
from app.spec.keras_graph import KerasLayer, KerasModel, read_model
from app.spec.keras_layers import MERGES, JsonBlock, Translation, gives_vector, merge, translate

LONGEST_NAME = 64
FIRST_COLUMN = "y"


@dataclass(frozen=True)
class Imported:
    """A translated model.

    Attributes:
        document: as a user writes it, still to be parsed.
        warnings: what is otherwise than in Keras, or is left to the job.
    """

    document: dict[str, Any]
    warnings: tuple[str, ...]


def import_keras(document: object) -> Imported:
    """The document of a Keras model.

    Args:
        document: what `json.loads` makes of `model.to_json()`.

    Raises:
        SpecError: it is no Keras model, or something of it has no block; all such layers are named.
    """
    model = read_model(document)
    assembly = _Assembly(model, _names(model))
    network = assembly.network()
    horizon = model.output.config.get("units", 1)
    inputs, context = _inputs(model, assembly)
    faults = assembly.found.faults
    if faults:
        raise SpecError("; ".join(fault.detail for fault in faults[:3]), faults=tuple(faults))
    columns = ", ".join(f"{name} reads {', '.join(group['columns'])}" for name, group in inputs.items())
    warnings = (f"Keras has no names of columns: {columns}; a job's 'columns' say what each input reads", *assembly.found.warnings)
    written = {"version": 1, "context": context, "horizon": horizon, "inputs": inputs, "network": network}
    return Imported(written | {"decoder": {"kind": "direct"}, "head": {"kind": "point", "loss": "mse"}}, warnings)


def _names(model: KerasModel) -> dict[str, str]:
    """What layers are called here: a letter, then letters, digits, `_` and `-`, each once."""
    names: dict[str, str] = {}
    for layer in model.layers:
        plain = re.sub(r"[^\w-]", "_", layer, flags=re.ASCII)
        plain = (plain if re.match(r"[A-Za-z]", plain) else f"layer_{plain}")[: LONGEST_NAME - 4]
        plain = plain if plain != "decoder" else "decoder_"
        taken = set(names.values())
        names[layer] = next(name for name in (plain, *(f"{plain}_{n}" for n in range(2, len(model.layers) + 2))) if name not in taken)
    return names


def _inputs(model: KerasModel, assembly: _Assembly) -> tuple[dict[str, dict[str, Any]], int]:
    """The inputs, with columns that stand for those that a job names, and the context that they share."""
    found: dict[str, dict[str, Any]] = {}
    contexts: dict[str, int] = {}
    columns = 0
    for layer in model.layers.values():
        if layer.reads or layer.kind != "InputLayer":
            continue
        shape = layer.config.get("batch_shape") or layer.config.get("batch_input_shape")
        if not (isinstance(shape, list) and len(shape) == 3 and all(isinstance(size, int) and size > 0 for size in shape[1:])):
            sentence = f"its shape is {shape}; (batch, steps, columns) with numbers of steps and columns is wanted"
            assembly.found.faults.append(layer.fault("batch_shape", "shape", sentence))
            continue
        contexts[layer.name] = shape[1]
        names = [FIRST_COLUMN if column == 0 else f"x{column}" for column in range(columns, columns + shape[2])]
        found[assembly.names[layer.name]] = {"columns": names}
        columns += shape[2]
    if len(set(contexts.values())) > 1:
        sentence = f"inputs look back equally far, and these {', '.join(f'{name} {steps}' for name, steps in contexts.items())}"
        assembly.found.faults.append(model.output.fault("", "unequal_steps", sentence))
    return found, next(iter(contexts.values()), 1)


@dataclass
class _Assembly:
    """Layers being put together.

    Attributes:
        model: what they are of.
        names: what they are called here.
        found: faults and warnings.
        before: blocks that several layers read, in the order in which they run.
    """

    model: KerasModel
    names: Mapping[str, str]
    found: Translation = field(default_factory=Translation)
    before: list[JsonBlock] = field(default_factory=list)
    met: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.readers = Counter(name for layer in self.model.layers.values() for name in layer.reads)
        self.vectors: dict[str, bool] = {}

    def network(self) -> JsonBlock:
        """All that stands before the last dense layer."""
        last = self.model.output
        if last.kind != "Dense" or len(last.reads) != 1:
            self.found.faults.append(
                last.fault("", "not_a_forecast", "is the last layer; a Dense with one number for each step ahead is wanted")
            )
            return {}
        self.found.check(last, "activation", ("linear",), "linear")
        self.found.check(last, "use_bias", (True,), True)
        own = self._blocks(self.model.layers[last.reads[0]])
        blocks = [*self.before, *own]
        if not self.vectors.get(last.reads[0], False):
            sentence = "reads a sequence, and gives a number for each of its steps; let the layer before it give its last state alone"
            self.found.faults.append(last.fault("", "wants_vector", f"{sentence} (return_sequences=False)"))
        if not blocks:
            self.found.faults.append(last.fault("", "no_network", "reads an input; a network wants a layer between them"))
        return blocks[0] if len(blocks) == 1 else {"kind": "stack", "blocks": blocks}

    def _blocks(self, layer: KerasLayer) -> list[JsonBlock]:
        """The blocks that lead to a layer's output, from an input or from a block with a name."""
        if layer.kind == "InputLayer":
            self.vectors[layer.name] = False
            return [_pass(self.names[layer.name])]
        if self.readers[layer.name] > 1 and layer.name in self.met:
            return [_pass(self.names[layer.name])]
        blocks = self._made(layer)
        if self.readers[layer.name] < 2:
            return blocks
        self.met.add(layer.name)
        whole = blocks[0] if len(blocks) == 1 else {"kind": "stack", "blocks": blocks}
        self.before.append({**whole, "name": self.names[layer.name]})
        return [_pass(self.names[layer.name])]

    def _made(self, layer: KerasLayer) -> list[JsonBlock]:
        chains = [self._blocks(self.model.layers[name]) for name in layer.reads]
        reads_vector = any(self.vectors[name] for name in layer.reads)
        self.vectors[layer.name] = gives_vector(layer, reads_vector)
        if layer.kind in MERGES and len(chains) > 1:
            branches = [chain[0] if len(chain) == 1 else {"kind": "stack", "blocks": chain} for chain in chains]
            return [merge(layer, branches, self.found)]
        if len(chains) != 1:
            self.found.faults.append(layer.fault("", "not_translated", f"reads {len(chains)} layers; one is wanted"))
            return [_pass(next(iter(self.names.values())))]
        return _behind(chains[0], translate(layer, self.found))


def _pass(name: str) -> JsonBlock:
    """What hands on a name as it is."""
    return {"kind": "activation", "function": "linear", "from": name}


def _behind(chain: list[JsonBlock], blocks: list[JsonBlock]) -> list[JsonBlock]:
    """Blocks behind a chain; what only hands on a name gives it to the first of them."""
    if len(chain) == 1 and chain[0].get("function") == "linear" and blocks:
        return [{**blocks[0], "from": chain[0]["from"]}, *blocks[1:]]
    return [*chain, *blocks]
