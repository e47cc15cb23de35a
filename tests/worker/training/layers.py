"""One recurrent layer of every kind, for the tests of what is seen of it."""

from typing import Any, get_args

import torch
from torch import Tensor

from app.nets.blocks import Layer
from app.nets.cells import Cell
from app.spec.cells import Cell as CellBlock
from app.spec.forecaster import ForecasterSpec
from tests.strategies_specs import CELLS, OPTIONS
from tests.worker.training.lessons import spec_of, training_of
from worker.training.fit import Training
from worker.training.looks import LayerLook, Look
from worker.training.stretches import Stretch, cell_in, stretches

KINDS = [kind.model_fields["kind"].annotation.__args__[0] for kind in get_args(CellBlock)]
WRAPPED: list[dict[str, Any]] = [
    *({"kind": kind} for kind in KINDS),
    {"kind": "elman", "activation": "relu"},
    {"kind": "ind_rnn", "activation": "tanh"},
    {"kind": "gru", "reset": "before"},
    {"kind": "lstm", "peepholes": True},
    {"kind": "lstm", "projection": 3},
    {"kind": "lstm", "dilation": 3},
    {"kind": "gru", "dilation": 5, "zoneout": 0.1},
    {"kind": "lstm", "direction": "backward"},
    {"kind": "lstm", "direction": "both", "dropout": 0.2, "recurrent_dropout": 0.2},
]
"""Every kind of cell, and every wrapper."""

EVERY = [{**cell, **options} for cell in CELLS for number, options in enumerate(OPTIONS) if options not in OPTIONS[:number]]
"""Every variant of a cell in every wrapper, as documents are drawn with."""


def only_block(**block: Any) -> ForecasterSpec:
    return spec_of(network={"units": 8, **block})


def layer_of(training: Training) -> Layer:
    (layer,) = (module for module in training.network.modules() if isinstance(module, Layer))
    return layer


def cell_of(training: Training) -> Cell:
    return cell_in(layer_of(training).cell)


def ran(**block: Any) -> tuple[Layer, Tensor, Tensor]:
    """A layer whose weights do something, three sequences of eleven steps that it read, and what it gave."""
    layer = layer_of(training_of(only_block(**block)))
    layer.eval()
    for weight in layer.parameters():
        weight.data += 0.3 * torch.randn(weight.shape)
    read = torch.randn(3, 11, 1)
    return layer, read, layer.cell(read, layer.cell.start(read))[0].detach()


def passed(layer: Layer, read: Tensor, given: Tensor) -> list[Stretch]:
    """What each cell of the layer went through, without a loss."""
    return stretches(layer.cell, read, given, torch.zeros_like(given))


def only_layer(look: Look) -> LayerLook:
    (layer,) = look.layers
    return layer
