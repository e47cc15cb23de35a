"""How does a whole network answer without torch? As a program of numpy calls, compiled once of its modules: for a step, or for a stretch.

A module becomes a function `(rows, pass) -> rows`: of one step's rows, [batch, width], or of a stretch of them, [time, batch, width].
States are those that the modules carry, by the same places. A network with a module that has no such function answers by itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np
from torch import nn

from app.nets.autoencoder import Autoencoder
from app.nets.blocks import Layer, Tap
from app.nets.build import Network
from app.nets.combinators import Branches, Chain, Inlaid, Shared, Skipped
from app.nets.embedding import Embedding
from app.nets.packed import Rows, State, numbers
from app.nets.packed_cell import PackedCell
from app.nets.pooling import Final
from app.nets.step_leaves import Leaf, NoStepError, Pass, Step, leaf_step, leaf_stretch, past_step, stacked_layers, stacks_as


@dataclass(frozen=True, eq=False)
class Program:
    """A network's step, or what it makes of a stretch.

    Attributes:
        body: of the blocks.
        tables: rows for the words of static inputs, by the input's name: a table for each column.
        largest: rows of a batch up to which it is faster than the network; by default any number.
    """

    body: Step
    tables: Mapping[str, tuple[Rows, ...]]
    largest: int = sys.maxsize

    def run(self, inputs: Mapping[str, Rows], before: Mapping[str, State], *, is_carried_on: bool = True) -> tuple[Rows, dict[str, State]]:
        """Features of the step [batch, width], or of each of a stretch [time, batch, width], and the states after the last.

        Args:
            inputs: of the same shape but for the width, by the input's name; codes where words are embedded.
            before: states by their places; of all that have one, or of a stretch none where nothing was seen.
            is_carried_on: whether the states after the last are wanted; else some may be left out.
        """
        named = {name: _embedded(self.tables[name], rows) if name in self.tables else rows for name, rows in inputs.items()}
        begun = Pass(named, before, is_carried_on=is_carried_on)
        rows = list(named.values())
        return self.body(rows[0] if len(rows) == 1 else np.concatenate(rows, axis=-1), begun), begun.after

    def newest(self, inputs: Mapping[str, Rows]) -> Rows:
        """Features of the newest step, [batch, width], of a stretch that nothing was seen before.

        Args:
            inputs: [batch, time, width] by the input's name.
        """
        by_time = {name: np.ascontiguousarray(values.swapaxes(0, 1)) for name, values in inputs.items()}
        features, _ = self.run(by_time, {}, is_carried_on=False)
        newest: Rows = features[-1]
        return newest


def compile_step(network: Network) -> Program | None:
    """A network's step; None where a module has none: smoothing, learnt pooling and merges, and all that carries no state."""
    return _compiled(network, leaf_step)


def compile_stretch(network: Network) -> Program | None:
    """What a network with packed cells makes of stretches; None where another module is no map of every step by itself."""
    cells = [module for module in network.modules() if isinstance(module, PackedCell)]
    if not cells:  # somebody may still train it
        return None
    program = _compiled(network, leaf_stretch)
    return program and replace(program, largest=min(cell.largest for cell in cells))


def _compiled(network: Network, leaf: Leaf) -> Program | None:
    try:
        body = _step(network.body, leaf)
    except NoStepError:
        return None
    embeddings = {name: module for name, module in network.embeddings.items() if isinstance(module, Embedding)}
    return Program(body, {name: tuple(numbers(table.weight) for table in _tables(module)) for name, module in embeddings.items()})


def _tables(module: Embedding) -> list[nn.Embedding]:
    return [table for table in module.tables if isinstance(table, nn.Embedding)]


def _embedded(tables: tuple[Rows, ...], codes: Rows) -> Rows:
    places = codes.astype(np.int64)
    return np.concatenate([table[places[..., column]] for column, table in enumerate(tables)], axis=-1)


def _step(module: nn.Module, leaf: Leaf) -> Step:
    """The program of a block."""
    match module:
        case Chain():
            return _chain(_stretches(module.blocks) if leaf is leaf_stretch else [_step(block, leaf) for block in module.blocks])
        case Tap():
            return _tap(module, leaf)
        case Skipped():
            inside, past = _step(module.block, leaf), past_step(module.past)
            return lambda rows, run: past(rows, inside(rows, run))
        case Branches():
            return _branches(module, leaf)
        case Shared():
            return _shared(module, leaf)
        case Inlaid():
            return _inlaid(module, leaf)
        case _:
            return _of_one(module, leaf)


def _of_one(module: nn.Module, leaf: Leaf) -> Step:
    match module:
        case Autoencoder():
            return _chain([_step(module.encoder, leaf), _step(module.code, leaf)])
        case Final():
            return _step(module.layer, leaf)
        case _:
            return leaf(module)


def _stretches(blocks: Iterable[nn.Module]) -> list[Step]:
    """Programs of a chain's blocks for a stretch; of layers that go through one call it is one."""
    found: list[Step] = []
    for kind, group in groupby(blocks, stacks_as):
        own = list(group)
        layers = [block for block in own if isinstance(block, Layer)]
        found += [stacked_layers(layers)] if kind else [_step(block, leaf_stretch) for block in own]
    return found


def _chain(steps: list[Step]) -> Step:
    def step(rows: Rows, run: Pass) -> Rows:
        for one in steps:
            rows = one(rows, run)
        return rows

    return step


def _tap(module: Tap, leaf: Leaf) -> Step:
    inside, source, name = _step(module.block, leaf), module.source, module.name

    def step(rows: Rows, run: Pass) -> Rows:
        given = inside(rows if source is None else run.named[source], run)
        if name is not None:
            run.named[name] = given
        return given

    return step


MERGES: Mapping[str, Callable[[list[Rows]], Rows]] = {
    "concat": lambda rows: np.concatenate(rows, axis=-1),
    "sum": lambda rows: np.sum(rows, axis=0),
    "mean": lambda rows: np.mean(rows, axis=0, dtype=np.float32),
    "max": lambda rows: np.max(rows, axis=0),
    "product": lambda rows: np.prod(rows, axis=0),
}


def _branches(module: Branches, leaf: Leaf) -> Step:
    if module.merge not in MERGES:
        raise NoStepError(module.merge)
    steps, merge = [_step(branch, leaf) for branch in module.branches], MERGES[module.merge]
    return lambda rows, run: merge([step(rows, run) for step in steps])


def _shared(module: Shared, leaf: Leaf) -> Step:
    inside, prefix = _step(module.block, leaf), module.prefix

    def step(rows: Rows, run: Pass) -> Rows:
        own = Pass(run.named, {place.removeprefix(prefix): state for place, state in run.before.items() if place.startswith(prefix)})
        given = inside(rows, own)
        run.after.update({f"{prefix}{place}": state for place, state in own.after.items()})
        return given

    return step


def _inlaid(module: Inlaid, leaf: Leaf) -> Step:
    inside, reads = _step(module.body, leaf), module.reads

    def step(_: Rows, run: Pass) -> Rows:
        named = {name: run.named[source] for name, source in reads.items()}
        return inside(np.concatenate(list(named.values()), axis=-1), Pass(named, run.before, run.after))

    return step
