"""Which optimiser moves the weights? Those of torch, to the bit, without its classes.

torch.optim brings torch.compile along, which nothing here uses: 81 MB, and some seconds before a process takes its first step.

    Optimiser ─┬─ Adam      (Kingma and Ba 2015), torch's fused kernel; with decay AdamW (Loshchilov and Hutter 2019)
               ├─ Sgd       with Nesterov's momentum, if any (Sutskever et al. 2013)
               └─ RmsProp   (Tieleman and Hinton 2012)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import assert_never

import torch
from torch import Tensor, nn

from app.nets.build import Network
from app.nets.smoothing import Smoothing
from app.spec.training import Training

BETAS, EPSILON = (0.9, 0.999), 1e-8
"""Of Adam, as published."""

MEMORY = 0.99
"""Of RMSprop."""

Moments = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Group:
    """Weights that are moved alike.

    Attributes:
        weights: they.
        decay: of each step, in units of the learning rate.
        factor: their learning rate over the training's.
    """

    weights: Sequence[nn.Parameter]
    decay: float
    factor: float = 1.0


class Optimiser(ABC):
    """Moves weights by their gradients.

    Args:
        groups: the weights.

    Attributes:
        state: what is kept of each weight, by names that torch's optimisers have for them.
    """

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups = groups
        self.state: dict[Tensor, Moments] = {}

    def step(self, lr: float) -> None:
        """Move all weights that have a gradient.

        Args:
            lr: learning rate.
        """
        with torch.no_grad():
            for group in self._groups:
                moved: list[Tensor] = [weight for weight in group.weights if weight.grad is not None]
                if moved:
                    self._move(moved, [weight.grad for weight in moved if weight.grad is not None], lr * group.factor, group.decay)

    @abstractmethod
    def _move(self, weights: list[Tensor], gradients: list[Tensor], lr: float, decay: float) -> None:
        """One step of some weights; gradients may be changed."""


class Adam(Optimiser):
    """w -= lr m / (sqrt(v) + eps), with m and v corrected means of the gradient and its square.

    Args:
        groups: the weights.
        is_decoupled: whether weights decay by themselves (AdamW), not through their gradients.
    """

    def __init__(self, groups: Sequence[Group], *, is_decoupled: bool = False) -> None:
        super().__init__(groups)
        self._kernel = torch._fused_adamw_ if is_decoupled else torch._fused_adam_

    def _move(self, weights: list[Tensor], gradients: list[Tensor], lr: float, decay: float) -> None:
        for weight in weights:
            if weight not in self.state:
                step = torch.zeros((), device=weight.device)
                self.state[weight] = {"step": step, "exp_avg": torch.zeros_like(weight), "exp_avg_sq": torch.zeros_like(weight)}
        states = [self.state[weight] for weight in weights]
        steps, means, squares = ([state[name] for state in states] for name in ("step", "exp_avg", "exp_avg_sq"))
        torch._foreach_add_(steps, 1)
        self._kernel(
            weights, gradients, means, squares, [], steps, lr=lr, beta1=BETAS[0], beta2=BETAS[1], weight_decay=decay, eps=EPSILON,
            amsgrad=False, maximize=False,
        )  # fmt: skip


class Sgd(Optimiser):
    """b = momentum b + g; w -= lr (g + momentum b).

    Args:
        groups: the weights.
        momentum: of 0 none is kept.
    """

    def __init__(self, groups: Sequence[Group], momentum: float) -> None:
        super().__init__(groups)
        self._momentum = momentum

    def _move(self, weights: list[Tensor], gradients: list[Tensor], lr: float, decay: float) -> None:
        for weight, gradient in zip(weights, gradients, strict=True):
            towards = gradient.add(weight, alpha=decay) if decay else gradient
            if self._momentum:
                if weight not in self.state:
                    self.state[weight] = {"momentum_buffer": towards.clone()}
                else:
                    self.state[weight]["momentum_buffer"].mul_(self._momentum).add_(towards)
                towards = towards.add(self.state[weight]["momentum_buffer"], alpha=self._momentum)
            weight.add_(towards, alpha=-lr)


class RmsProp(Optimiser):
    """v = MEMORY v + (1 - MEMORY) g^2; b = momentum b + g / (sqrt(v) + eps); w -= lr b.

    Args:
        groups: the weights.
        momentum: of 0 none is kept.
    """

    def __init__(self, groups: Sequence[Group], momentum: float) -> None:
        super().__init__(groups)
        self._momentum = momentum

    def _move(self, weights: list[Tensor], gradients: list[Tensor], lr: float, decay: float) -> None:
        for weight, gradient in zip(weights, gradients, strict=True):
            towards = gradient.add(weight, alpha=decay) if decay else gradient
            if weight not in self.state:
                kept = ("square_avg", "momentum_buffer") if self._momentum else ("square_avg",)
                self.state[weight] = {name: torch.zeros_like(weight) for name in kept}
            state = self.state[weight]
            state["square_avg"].mul_(MEMORY).addcmul_(towards, towards, value=1 - MEMORY)
            size = state["square_avg"].sqrt().add_(EPSILON)
            if self._momentum:
                weight.add_(state["momentum_buffer"].mul_(self._momentum).addcdiv_(towards, size), alpha=-lr)
            else:
                weight.addcdiv_(towards, size, value=-lr)


def optimiser_of(network: Network, parameters: Iterable[nn.Parameter], settings: Training) -> Optimiser:
    """A new optimiser; parameters of single series have a rate of their own, and do not decay.

    Args:
        network: that they are of.
        parameters: what learns.
        settings: how.
    """
    series = network.series if isinstance(network.series, Smoothing) else None
    everything = list(parameters)
    own = [parameter for parameter in everything if series is not None and parameter is series.table]
    groups = [Group([parameter for parameter in everything if series is None or parameter is not series.table], settings.weight_decay)]
    if series is not None:
        groups.append(Group(own, 0.0, series.block.lr_factor))
    match settings.optimizer:
        case "adam":
            return Adam(groups)
        case "adamw":
            return Adam(groups, is_decoupled=True)
        case "sgd":
            return Sgd(groups, settings.momentum)
        case "rmsprop":
            return RmsProp(groups, settings.momentum)
        case _:
            assert_never(settings.optimizer)
