"""Where is a training? All that decides how it goes on, so that killed and resumed equals never killed, to the bit on a CPU.

Order of windows comes from (seed, epoch) and the learning rate from the step: neither has a state. The rest is here: weights, the best
weights, the optimiser's moments, torch's generator, and the counters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What Adam keeps of each weight."""


@dataclass
class Progress:
    """The counters of a training; plain numbers that JSON gives back to the bit.

    Attributes:
        epoch: epochs that are complete.
        batch: batches of the present epoch that are done.
        step: batches that are done.
        loss_sum: of the present epoch's batches.
        norm_sum: the same of the gradient norms.
        lr: of the last batch.
        best_loss: smallest validation loss so far, None before the first.
        best_epoch: the epoch that gave it, 0 before the first.
        rollbacks: times that the loss stopped being a number.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    norm_sum: float = 0.0
    lr: float = 0.0
    best_loss: float | None = None
    best_epoch: int = 0
    rollbacks: int = 0


def clone_weights(network: nn.Module) -> dict[str, Tensor]:
    """The weights as they are now."""
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def capture(
    network: nn.Module, best: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, progress: Progress
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Everything as tensors and a JSON document."""
    tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"best.{name}": tensor for name, tensor in best.items()}
    for name, parameter in network.named_parameters():
        moments = optimizer.state.get(parameter, {})
        tensors |= {f"optimizer.{moment}.{name}": moments[moment] for moment in MOMENTS if moment in moments}
    tensors["generator.cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["generator.cuda"] = torch.cuda.get_rng_state()
    return tensors, {"progress": asdict(progress)}


def restore(
    tensors: Mapping[str, Tensor], document: Mapping[str, Any], network: nn.Module, optimizer: torch.optim.Optimizer
) -> tuple[dict[str, Tensor], Progress]:
    """Go on from what `capture` gave; the best weights and the counters."""
    network.load_state_dict(part(tensors, "network."))
    for moment in MOMENTS:
        found = part(tensors, f"optimizer.{moment}.")
        for name, parameter in network.named_parameters():
            if name in found:
                # A fused Adam wants its step beside the weights.
                optimizer.state[parameter][moment] = found[name].to(parameter.device)
    torch.set_rng_state(tensors["generator.cpu"])
    if torch.cuda.is_available() and "generator.cuda" in tensors:
        torch.cuda.set_rng_state(tensors["generator.cuda"])
    device = next(network.parameters()).device
    best = {name: tensor.to(device) for name, tensor in part(tensors, "best.").items()}
    return best, Progress(**document["progress"])


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors under a prefix, without it."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
