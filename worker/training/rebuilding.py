"""How does an autoencoder learn to rebuild what it reads? Mean squared error over the steps whose target was observed.

What stands before it is frozen, so what it reads of a window is computed once, by running the network up to it.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from app.nets.autoencoder import Autoencoder
from app.nets.build import Network
from app.nets.run import About, Run


class _ReachedError(Exception):
    """The autoencoder is next; nothing behind it need run.

    Args:
        sequence: what it reads.
        run: what has been named so far.
    """

    def __init__(self, sequence: Tensor, run: Run) -> None:
        super().__init__()
        self.sequence = sequence
        self.run = run


class Rebuilder:
    """One autoencoder at work.

    Args:
        network: the whole network.
        number: of the autoencoder, in document order.
    """

    def __init__(self, network: Network, number: int) -> None:
        self._network = network
        self.autoencoder = in_forecasts(network.body)[number]

    def read(self, inputs: Mapping[str, Tensor], about: About | None) -> tuple[Tensor, Run]:
        """What the autoencoder reads of some windows, and what was named before it.

        Raises:
            AssertionError: it does not run in a forecast.
        """

        def stop(_: nn.Module, arguments: tuple[Tensor, Run]) -> None:
            raise _ReachedError(*arguments)

        hook = self.autoencoder.register_forward_pre_hook(stop)
        try:
            with torch.no_grad():
                self._network.body(*self._network.begin(inputs, about=about))
        except _ReachedError as reached:
            return reached.sequence, reached.run
        finally:
            hook.remove()
        raise AssertionError(f"{self.autoencoder} does not run in a forecast")

    def loss(
        self, sequence: Float[Tensor, "batch time width"], run: Run, seen: Bool[Tensor, "batch context"]
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Mean squared error of what it rebuilds, and the steps that it is the mean of.

        Args:
            sequence: what it reads.
            run: the pass that it is part of.
            seen: whether the target was observed at each step; a piece of several steps counts where any of them was.
        """
        errors = (self.autoencoder.rebuild(sequence, run) - sequence).square().mean(dim=2)
        counted = seen.view(len(seen), sequence.shape[1], -1).any(dim=2)
        return (errors * counted).sum() / counted.sum().clamp(min=1), counted.sum().float()


def in_forecasts(module: nn.Module) -> list[Autoencoder]:
    """The autoencoders that a forecast runs, in document order; those in another one's decoder are none of them."""
    own = [module] if isinstance(module, Autoencoder) else []
    inner = [module.encoder] if isinstance(module, Autoencoder) else list(module.children())
    return [*own, *(found for one in inner for found in in_forecasts(one))]


def rebuilding_weights(module: nn.Module) -> list[nn.Parameter]:
    """Weights that rebuild and run in no forecast."""
    found = in_forecasts(module)
    return [weight for autoencoder in found for part in (autoencoder.decoder, autoencoder.rebuilt) for weight in part.parameters()]
