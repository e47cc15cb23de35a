"""How does one stage of a training run? Only what it needs: what is frozen before it is computed once, what comes after it not at all.

inputs -> frozen prefix (cached) -> blocks that learn -> newest step -> decoder, or a head of the stage's own
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor, nn

from app.forecasting.batches import Windows
from app.forecasting.windows import WindowSource
from app.nets.blocks import Layer, Tap
from app.nets.build import Network, draw_weights
from app.nets.combinators import Branches, Inlaid, Skipped
from app.nets.heads import Head
from app.nets.outlook import HIDDEN
from app.nets.run import About, Run
from app.spec.blocks import sources_in
from app.spec.forecaster import ForecasterSpec
from app.spec.phases import DECODER, top_blocks
from app.spec.stages import Stage
from worker.training.folds import Lessons, OutOfFold
from worker.training.rebuilding import Rebuilder, rebuilding_weights

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

    @classmethod
    def of(cls, parts: Sequence[Prefix]) -> Prefix:
        """That of the windows of all parts, one after another."""
        named = {name: torch.cat([part.named[name] for part in parts]) for name in parts[0].named}
        return cls(torch.cat([part.sequence for part in parts]), named)

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
        self.network = network
        blocks = network.blocks
        self._prefix = blocks[: stage.first]
        self._active = blocks[stage.first : stage.last]
        self._branch = None if stage.branch is None else _branch_of(self._active[0], stage.branch)
        self.decoder = network.decoder
        if stage.own_head:
            place = network.place_of(stage.last - 1)
            self.decoder = network.new_decoder(place if stage.branch is None else f"{place}.{stage.branch}").to(device)
        self._rebuilder = None if stage.rebuilds is None else Rebuilder(network, stage.rebuilds)
        later = frozenset[str]().union(*(sources_in(block) for block in top_blocks(spec)[stage.first :]))
        # Words are read as what was learnt of them, which is computed with the prefix.
        raw = spec.inputs.keys() - set(network.embeddings)
        self._tapped = later - raw
        self._reads_inputs = bool(later & raw)
        self._caches: dict[int, Prefix | None] = {}
        self._out_of_fold: OutOfFold | None = None
        # A decoder that learns alone at the newest step has no use for the steps before it.
        self._is_newest_enough = not self._active and spec.decoder.kind == "direct"
        self.learners = self._learners()
        self.layers = {module.place: module for block in self._running for module in block.modules() if isinstance(module, Layer)}

    def draw_head(self, before: Mapping[str, Tensor] | None = None) -> None:
        """Draw the weights of the stage's own head, if it has one.

        Args:
            before: weights of the last stage's head, to begin with instead where they fit. What a layer that follows another has to tell
                it soon learns to tell in the same way (measured in docs/benchmarks.md).
        """
        if self.stage.own_head:
            draw_weights(self.decoder)
        drawn = self.decoder.state_dict()
        if before is not None and all(drawn[name].shape == weight.shape for name, weight in before.items()):
            self.decoder.load_state_dict(before)

    @property
    def _running(self) -> Sequence[nn.Module]:
        """The modules that run and may learn, without a head."""
        if self._rebuilder is not None:
            return [self._rebuilder.autoencoder]
        return self._active if self._branch is None else [self._branch]

    def _learners(self) -> dict[str, nn.Parameter]:
        """What learns, by name; everything else in the network is frozen."""
        running = nn.ModuleList(self._running if self._rebuilder is not None else [*self._running, self.decoder])
        if self.stage.first == 0 and self.stage.only is None and self._rebuilder is None:
            running.append(self.network.embeddings)
        chosen = {id(parameter) for parameter in running.parameters()} & self._chosen_by_name() - self._always_frozen()
        if self._rebuilder is None:
            chosen -= {id(parameter) for parameter in rebuilding_weights(self.network.body)}
        named = {**dict(self.network.named_parameters()), **self._own_head()}
        for parameter in named.values():
            parameter.requires_grad_(id(parameter) in chosen)
        return {name: parameter for name, parameter in named.items() if id(parameter) in chosen}

    def _always_frozen(self) -> set[int]:
        frozen = [module for module in self.network.modules() if isinstance(module, Inlaid) and module.is_frozen]
        return {id(parameter) for module in frozen for parameter in module.parameters()}

    def _own_head(self) -> dict[str, nn.Parameter]:
        return {f"{OWN_HEAD}.{name}": parameter for name, parameter in self.decoder.named_parameters()} if self.stage.own_head else {}

    def _chosen_by_name(self) -> set[int]:
        only, frozen = self.stage.only, self.stage.frozen
        taps = {module.name: module for module in self.network.modules() if isinstance(module, Tap) and module.name is not None}
        modules: dict[str, nn.Module] = {**taps, DECODER: self.decoder}
        everything = {id(parameter) for parameter in [*self.network.parameters(), *self.decoder.parameters()]}
        chosen = everything if only is None else {id(parameter) for name in only for parameter in modules[name].parameters()}
        return chosen - {id(parameter) for name in frozen for parameter in modules[name].parameters()}

    def weights(self) -> dict[str, Tensor]:
        """All weights of the network, and of the stage's own head, as they are."""
        return {**self.network.state_dict(), **{name: parameter.data for name, parameter in self._own_head().items()}}

    def load(self, weights: dict[str, Tensor]) -> None:
        """Put weights back that `weights` gave."""
        self.network.load_state_dict({name: weight for name, weight in weights.items() if not name.startswith(f"{OWN_HEAD}.")})
        for name, parameter in self._own_head().items():
            parameter.data.copy_(weights[name])

    def set_training(self, *, is_training: bool) -> None:
        """Dropout is for what learns: what is frozen gives the same for the same window always."""
        self.network.eval()
        if not is_training:
            return
        for module in self._running:
            _train(module, parent_learns=True)

    def cache(self, source: WindowSource, cutoffs: Rows, visits: int) -> None:
        """Compute what is frozen for windows that will be visited, where there is memory for it and it pays.

        Args:
            source: gives the windows.
            cutoffs: of all windows that `raw` will be asked for with rows of this array.
            visits: windows that will be visited in all.
        """
        self._caches[id(cutoffs)] = None
        if not (self._prefix or self._rebuilder) or len(cutoffs) == 0 or visits < len(cutoffs):
            return
        self.set_training(is_training=False)
        first = self._computed(source.lesson(cutoffs[:1], is_whole=False), cutoffs, np.arange(1))
        size = sum(values.numel() * values.element_size() for values in (first.sequence, *first.named.values()))
        if size * len(cutoffs) > CACHE_BYTES:
            return
        chunks = [np.arange(begin, min(begin + CHUNK, len(cutoffs))) for begin in range(0, len(cutoffs), CHUNK)]
        parts = [self._computed(source.lesson(cutoffs[rows], is_whole=False), cutoffs, rows) for rows in chunks]
        self._caches[id(cutoffs)] = Prefix.of(parts)

    def wants_inputs(self, cutoffs: Rows) -> bool:
        """Whether it reads the inputs of these windows: not where what it reads of them was cached."""
        return self._caches.get(id(cutoffs)) is None or self._reads_inputs

    def look(self, windows: Windows, cutoffs: Rows, rows: Rows) -> tuple[Float[Tensor, "cutoffs steps outputs"], Windows]:
        """The head's raw numbers, and the windows with their targets in the same units.

        Args:
            windows: of `cutoffs[rows]`.
            cutoffs: what `cache` was given.
            rows: which of them.
        """
        sequence, run = self._read(windows, cutoffs, rows)
        if self._branch is not None:
            tap = _within_skip(self._active[0])
            sequence = self._branch(tap.read(sequence, run) if isinstance(tap, Tap) else sequence, run)
        else:
            for block in self._active:
                sequence = block(sequence, run)
        # A head's sums and logarithms want single precision, whatever the products before it were computed in.
        raw = self.network.decode(windows.newest(sequence), windows.future, self.decoder).float()
        return raw, windows.apart(self.network.outlook(run.named, windows.steps))

    def loss(self, head: Head, windows: Windows, cutoffs: Rows, rows: Rows) -> Float[Tensor, ""]:
        """What the stage makes as small as it can: the head's loss, or an autoencoder's.

        Args:
            head: what forecasts are measured by.
            windows: of `cutoffs[rows]`.
            cutoffs: what `cache` was given.
            rows: which of them.
        """
        loss, _ = self.counted_loss(head, windows, cutoffs, rows)
        return loss

    def counted_loss(self, head: Head, windows: Windows, cutoffs: Rows, rows: Rows) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """The same, and the observed steps that it is the mean of.

        Args:
            head: what forecasts are measured by.
            windows: of `cutoffs[rows]`.
            cutoffs: what `cache` was given.
            rows: which of them.
        """
        if self._rebuilder is not None:
            return self._rebuilder.loss(*self._read(windows, cutoffs, rows), windows.seen)
        raw, apart = self.look(windows, cutoffs, rows)
        return head.loss(raw, apart.target, apart.observed, apart.scales), apart.observed.sum().float()

    def read_out_of_fold(self, lessons: Lessons, kept: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Take what is frozen as it was trained without each window's fold, where the lessons have folds.

        Args:
            lessons: of the stage.
            kept: weights by what they were put aside as.
        """
        if lessons.folds is not None:
            self._out_of_fold = OutOfFold(self.network, kept, lessons)

    def _read(self, windows: Windows, cutoffs: Rows, rows: Rows) -> tuple[Tensor, Run]:
        """What the first block that learns reads, and the pass that it is part of."""
        cached = self._caches.get(id(cutoffs))
        prefix = self._computed(windows, cutoffs, rows) if cached is None else cached.rows(rows)
        return prefix.sequence, Run({**windows.inputs, **prefix.named}, about=windows.about)

    def _computed(self, windows: Windows, cutoffs: Rows, rows: Rows) -> Prefix:
        if self._out_of_fold is None or cutoffs is not self._out_of_fold.cutoffs:
            return self._given(self.network, windows.inputs, windows.about)
        parts, places = [], []
        for network, at in self._out_of_fold.parts(rows):
            places.append(at)
            parts.append(self._given(network, {name: values[torch.from_numpy(at)] for name, values in windows.inputs.items()}, None))
        return Prefix.of(parts).rows(np.argsort(np.concatenate(places)))

    def _given(self, network: Network, inputs: Mapping[str, Tensor], about: About | None) -> Prefix:
        if self._rebuilder is not None:
            sequence, run = self._rebuilder.read(inputs, about)
        else:
            sequence, run = network.begin(inputs, about=about)
            with torch.no_grad():
                for block in network.blocks[: self.stage.first]:
                    sequence = block(sequence, run)
        kept = [name for name in run.named if name in self._tapped or name.startswith(HIDDEN)]
        return Prefix(sequence[:, -1:] if self._is_newest_enough else sequence, {name: run.named[name] for name in kept})


def _train(module: nn.Module, *, parent_learns: bool) -> None:
    """Training mode for what learns, and for what has no weights in it, such as its dropout."""
    parameters = list(module.parameters())
    learns = any(parameter.requires_grad for parameter in parameters) if parameters else parent_learns
    module.training = learns
    for child in module.children():
        _train(child, parent_learns=learns)


def _within_skip(block: nn.Module) -> nn.Module:
    """A block without the way past it: its branches learn by themselves."""
    return block.block if isinstance(block, Skipped) else block


def _branch_of(block: nn.Module, number: int) -> nn.Module:
    found = _within_skip(block)
    connection = found.block if isinstance(found, Tap) else found
    assert isinstance(connection, Branches)  # noqa: S101 for the type checker: only connections have branch stages
    return connection.branches[number]
