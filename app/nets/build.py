"""What does a description build? One `match` over the closed union of blocks; no registry, no names of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.nets.blocks import Affine, Branches, Chain, Layer, Run, SequenceDropout, Tap
from app.nets.cells import Cell, CellState, ElmanCell, GruBeforeCell, GruCell, LstmCell
from app.nets.heads import Head, PointHead, QuantilesHead
from app.spec import forecaster
from app.spec.blocks import Block, Connect, Dense, Dropout, Elman, Gru, Lstm, Stack
from app.spec.forecaster import ForecasterSpec
from app.spec.shapes import future_width, head_width, input_width, width_after


class Network(nn.Module):
    """Inputs over the context, and what is known of the horizon, to the raw numbers of a head.

    Args:
        spec: complete: with context and horizon.
    """

    def __init__(self, spec: ForecasterSpec) -> None:
        super().__init__()
        self._horizon = spec.horizon or 1
        self._outputs = head_width(spec.head)
        widths = {name: input_width(group) for name, group in spec.inputs.items()}
        self.body, width = _build(spec.network, sum(widths.values()), widths, "network")
        self.decoder = nn.Linear(width + self._horizon * future_width(spec.inputs), self._horizon * self._outputs)

    def initialise(self) -> None:
        """Draw the weights, from torch's own generator: Glorot's (Glorot and Bengio 2010), and each cell's own."""
        for module in self.modules():
            if isinstance(module, Cell):
                module.initialise()
            elif isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)

    def encode(
        self, inputs: Mapping[str, Float[Tensor, "batch _ _"]], before: Mapping[str, CellState] | None = None
    ) -> tuple[Float[Tensor, "batch time width"], dict[str, CellState]]:
        """What the body makes of a stretch of time.

        Args:
            inputs: [batch, time, width] by the input's name.
            before: the states that an earlier stretch ended with.

        Returns:
            Features at every step, and the cells' states after the last.
        """
        everything = [inputs[name] for name in inputs]
        run = Run(dict(inputs), before or {})
        features = self.body(everything[0] if len(everything) == 1 else torch.cat(everything, dim=2), run)
        return features, run.after

    def decode(
        self, newest: Float[Tensor, "batch width"], future: Float[Tensor, "batch horizon known"]
    ) -> Float[Tensor, "batch horizon outputs"]:
        """All horizon steps at once, from the features of the newest step and what is known ahead (its width may be 0)."""
        decoded: Tensor = self.decoder(torch.cat([newest, future.flatten(1)], dim=1))
        return decoded.view(len(newest), self._horizon, self._outputs)

    def forward(
        self, inputs: Mapping[str, Float[Tensor, "batch _ _"]], future: Float[Tensor, "batch horizon known"]
    ) -> Float[Tensor, "batch horizon outputs"]:
        """A forecast in raw numbers, from nothing but this context."""
        features, _ = self.encode(inputs)
        return self.decode(features[:, -1], future)


def build(spec: ForecasterSpec) -> Network:
    """The network of a description, with weights still to be drawn or loaded."""
    return Network(spec)


def build_head(spec: ForecasterSpec, residuals: Float[Tensor, "horizon level"] | None = None) -> Head:
    """The head of a description, with a point head's measured residuals if there are any."""
    match spec.head:
        case forecaster.PointHead(loss=loss, delta=delta):
            return PointHead(loss, delta, residuals)
        case forecaster.QuantilesHead(levels=levels):
            return QuantilesHead(levels)
        case _:
            assert_never(spec.head)


def _build(block: Block, width: int, named: dict[str, int], place: str) -> tuple[nn.Module, int]:
    """A block's module and the width of its output; `named` holds the widths of what may be tapped."""
    reads = width if block.source is None else named[block.source]
    module, gives = _build_untapped(block, reads, named, place)
    if block.name is not None:
        named[block.name] = gives
    is_tapped = block.source is not None or block.name is not None
    return (Tap(module, block.source, block.name) if is_tapped else module), gives


def _build_untapped(block: Block, width: int, named: dict[str, int], place: str) -> tuple[nn.Module, int]:
    match block:
        case Stack(blocks=blocks):
            modules, gives = [], width
            for number, inside in enumerate(blocks):
                module, gives = _build(inside, gives, named, f"{place}.{number}")
                modules.append(module)
            return Chain(modules), gives
        case Connect(branches=branches, merge=merge):
            built = [_build(inside, width, named, f"{place}.{number}") for number, inside in enumerate(branches)]
            widths = [gives for _, gives in built]
            return Branches([module for module, _ in built], merge), sum(widths) if merge == "concat" else widths[0]
        case Dense(units=units, activation=activation):
            return Affine(width, units, activation), units
        case Dropout(rate=rate):
            return SequenceDropout(rate), width
        case Elman() | Lstm() | Gru():
            return Layer(_cell(block, width), place, block.dropout), width_after(block, width)
        case _:
            assert_never(block)


def _cell(block: Elman | Lstm | Gru, width: int) -> Cell:
    match block:
        case Elman(units=units, activation=activation):
            return ElmanCell(width, units, activation)
        case Lstm(units=units):
            return LstmCell(width, units)
        case Gru(units=units, reset=reset):
            return GruCell(width, units) if reset == "after" else GruBeforeCell(width, units)
        case _:
            assert_never(block)
