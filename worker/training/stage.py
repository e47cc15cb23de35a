"""How does one stage of a training run? Only what it needs: what is frozen before it is computed once, what comes after it not at all.

inputs -> frozen prefix (cached) -> blocks that learn -> newest step -> decoder, or a head of the stage's own
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.forecasting.windows import Windows, WindowSource
from app.nets.blocks import Layer, Tap
from app.nets.build import Network, draw_weights
from app.nets.combinators import Branches, Inlaid
from app.nets.outlook import HIDDEN
from app.nets.run import Run
from app.spec.blocks import names_in, sources_in
from app.spec.forecaster import ForecasterSpec
from app.spec.phases import DECODER, Stage, top_blocks

CACHE_BYTES = 1024**3
"""Memory for the outputs of what is frozen; beyond it they are computed again for each batch."""

CHUNK = 1024
"""Windows that a prefix is computed of at once."""

OWN_HEAD = "head"
"""What the parameters of a stage's own head are called by."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Prefix:
    """What the frozen blocks before a stage give for some windows.

    Attributes:
        sequence: the last one's output.
        named: outputs that later blocks tap, and what a series layer took away.
    """

    sequence: Float[Tensor, "batch time width"]
    named: dict[str, Tensor]

    def rows(self, rows: Rows) -> Prefix:
        """That of some of the windows."""
        at = torch.from_numpy(rows).to(self.sequence.device)
        return Prefix(self.sequence[at], {name: values[at] for name, values in self.named.items()})


class StageRun:
    """A stage at work.

    Args:
        spec: the description.
        stage: what runs and learns.
        network: the whole network; what does not learn is frozen in it.
        device: where it computes.
    """

    def __init__(self, spec: ForecasterSpec, stage: Stage, network: Network, device: torch.device) -> None:
        self.stage = stage
        self._network = network
        blocks = network.blocks
        self._prefix = blocks[: stage.first]
        self._active = blocks[stage.first : stage.last]
        self._branch = None if stage.branch is None else _branch_of(self._active[0], stage.branch)
        self.decoder = network.decoder
        if stage.own_head:
            place = network.place_of(stage.last - 1)
            self.decoder = network.new_decoder(place if stage.branch is None else f"{place}.{stage.branch}").to(device)
        later = frozenset[str]().union(*(sources_in(block) for block in top_blocks(spec)[stage.first :]))
        earlier = frozenset[str]().union(*(names_in(block) for block in top_blocks(spec)[: stage.first]))
        self._tapped = later & earlier
        self._caches: dict[int, Prefix | None] = {}
        self.learners = self._learners()
        running = [self._branch] if self._branch is not None else self._active
        self.layers = {module.place: module for block in running for module in block.modules() if isinstance(module, Layer)}

    def draw_head(self) -> None:
        """Draw the weights of the stage's own head, if it has one."""
        if self.stage.own_head:
            draw_weights(self.decoder)

    def _learners(self) -> dict[str, nn.Parameter]:
        """What learns, by name; everything else in the network is frozen."""
        running = nn.ModuleList([*([self._branch] if self._branch is not None else self._active), self.decoder])
        if self.stage.first == 0 and self.stage.only is None:
            running.append(self._network.embeddings)
        chosen = {id(parameter) for parameter in running.parameters()} & self._chosen_by_name() - self._always_frozen()
        named = {**dict(self._network.named_parameters()), **self._own_head()}
        for parameter in named.values():
            parameter.requires_grad_(id(parameter) in chosen)
        return {name: parameter for name, parameter in named.items() if id(parameter) in chosen}

    def _always_frozen(self) -> set[int]:
        frozen = [module for module in self._network.modules() if isinstance(module, Inlaid) and module.is_frozen]
        return {id(parameter) for module in frozen for parameter in module.parameters()}

    def _own_head(self) -> dict[str, nn.Parameter]:
        return {f"{OWN_HEAD}.{name}": parameter for name, parameter in self.decoder.named_parameters()} if self.stage.own_head else {}

    def _chosen_by_name(self) -> set[int]:
        only, frozen = self.stage.only, self.stage.frozen
        taps = {module.name: module for module in self._network.modules() if isinstance(module, Tap) and module.name is not None}
        modules: dict[str, nn.Module] = {**taps, DECODER: self.decoder}
        everything = {id(parameter) for parameter in [*self._network.parameters(), *self.decoder.parameters()]}
        chosen = everything if only is None else {id(parameter) for name in only for parameter in modules[name].parameters()}
        return chosen - {id(parameter) for name in frozen for parameter in modules[name].parameters()}

    def weights(self) -> dict[str, Tensor]:
        """All weights of the network, and of the stage's own head, as they are."""
        return {**self._network.state_dict(), **{name: parameter.data for name, parameter in self._own_head().items()}}

    def load(self, weights: dict[str, Tensor]) -> None:
        """Put weights back that `weights` gave."""
        self._network.load_state_dict({name: weight for name, weight in weights.items() if not name.startswith(f"{OWN_HEAD}.")})
        for name, parameter in self._own_head().items():
            parameter.data.copy_(weights[name])

    def set_training(self, *, is_training: bool) -> None:
        """Dropout is for what learns: what is frozen gives the same for the same window always."""
        self._network.eval()
        if not is_training:
            return
        for module in [self._branch] if self._branch is not None else self._active:
            _train(module, parent_learns=True)

    def cache(self, source: WindowSource, cutoffs: Rows, visits: int) -> None:
        """Compute what is frozen for windows that will be visited, where there is memory for it and it pays.

        Args:
            source: gives the windows.
            cutoffs: of all windows that `raw` will be asked for with rows of this array.
            visits: windows that will be visited in all.
        """
        self._caches[id(cutoffs)] = None
        if not self._prefix or len(cutoffs) == 0 or visits < len(cutoffs):
            return
        self.set_training(is_training=False)
        first = self._computed(source.lesson(cutoffs[:1], is_whole=False))
        size = sum(values.numel() * values.element_size() for values in (first.sequence, *first.named.values()))
        if size * len(cutoffs) > CACHE_BYTES:
            return
        parts = [self._computed(source.lesson(cutoffs[begin : begin + CHUNK], is_whole=False)) for begin in range(0, len(cutoffs), CHUNK)]
        named = {name: torch.cat([part.named[name] for part in parts]) for name in first.named}
        self._caches[id(cutoffs)] = Prefix(torch.cat([part.sequence for part in parts]), named)

    def look(self, windows: Windows, cutoffs: Rows, rows: Rows) -> tuple[Float[Tensor, "cutoffs steps outputs"], Windows]:
        """The head's raw numbers, and the windows with their targets in the same units.

        Args:
            windows: of `cutoffs[rows]`.
            cutoffs: what `cache` was given.
            rows: which of them.
        """
        cached = self._caches.get(id(cutoffs))
        prefix = self._computed(windows) if cached is None else cached.rows(rows)
        run = Run({**windows.inputs, **prefix.named}, about=windows.about)
        sequence = prefix.sequence
        if self._branch is not None:
            connection = self._active[0]
            sequence = self._branch(connection.read(sequence, run) if isinstance(connection, Tap) else sequence, run)
        else:
            for block in self._active:
                sequence = block(sequence, run)
        raw = self._network.decode(windows.newest(sequence), windows.future, self.decoder)
        return raw, windows.apart(self._network.outlook(run.named, windows.steps))

    def _computed(self, windows: Windows) -> Prefix:
        sequence, run = self._network.begin(windows.inputs, about=windows.about)
        with torch.no_grad():
            for block in self._prefix:
                sequence = block(sequence, run)
        kept = [name for name in run.named if name in self._tapped or name.startswith(HIDDEN)]
        return Prefix(sequence, {name: run.named[name] for name in kept})


def _train(module: nn.Module, *, parent_learns: bool) -> None:
    """Training mode for what learns, and for what has no weights in it, such as its dropout."""
    parameters = list(module.parameters())
    learns = any(parameter.requires_grad for parameter in parameters) if parameters else parent_learns
    module.training = learns
    for child in module.children():
        _train(child, parent_learns=learns)


def _branch_of(block: nn.Module, number: int) -> nn.Module:
    connection = block.block if isinstance(block, Tap) else block
    assert isinstance(connection, Branches)  # noqa: S101 for the type checker: only connections have branch stages
    return connection.branches[number]
