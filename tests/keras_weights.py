"""The weights of a Keras model in a network of ours, layer by layer in the order in which both have them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from app.nets.build import Network
from app.nets.cells import Cell, GruBeforeCell, GruCell
from app.nets.decoders import DirectDecoder

Weights = list[np.ndarray]


def copy_weights(model: Any, network: Network) -> None:
    """Puts the weights of all layers of a Keras model into a network whose blocks stand in the same order."""
    kinds = Cell | nn.Linear | nn.Conv1d | nn.LayerNorm | DirectDecoder
    ours = [module for module in network.modules() if isinstance(module, kinds)]
    theirs = [weights for layer in model.layers for weights in _of(layer)]
    for module, weights in zip(ours, theirs, strict=True):
        for name, value in _renamed(module, weights).items():
            parameter = dict(module.named_parameters())[name]
            assert parameter.shape == value.shape, (module, name)
            parameter.data.copy_(value)


def _of(layer: Any) -> Iterator[Weights]:
    if hasattr(layer, "forward_layer"):
        yield layer.forward_layer.get_weights()
        yield layer.backward_layer.get_weights()
    elif layer.get_weights():
        yield layer.get_weights()


def _renamed(module: nn.Module, weights: Weights) -> dict[str, Tensor]:
    if isinstance(module, nn.LayerNorm):
        return {"weight": torch.tensor(weights[0]), "bias": torch.tensor(weights[1])}
    if isinstance(module, nn.Conv1d):
        return {"weight": torch.tensor(weights[0].transpose(2, 1, 0)), "bias": torch.tensor(weights[1])}
    if isinstance(module, nn.Linear | DirectDecoder):
        return {"weight": torch.tensor(weights[0].T), "bias": torch.tensor(weights[1])}
    rows = [torch.tensor(weights[0].T), torch.tensor(weights[1].T), *torch.tensor(weights[2]).view(-1, len(weights[1].T))]
    if isinstance(module, GruCell | GruBeforeCell):
        # Keras has update, reset, candidate; we reset, update, candidate.
        rows = [torch.cat([row.chunk(3)[1], row.chunk(3)[0], row.chunk(3)[2]]) for row in rows]
    names = ("input_weight", "recurrent_weight", "bias", "recurrent_bias")
    return dict(zip(names, rows, strict=False))
