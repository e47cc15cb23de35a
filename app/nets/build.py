"""What does a description build? One `match` over the closed union of blocks; no registry, no names of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from app.nets.autoencoder import Autoencoder as AutoencoderModule
from app.nets.blocks import Tap
from app.nets.cells import CellState, Drawn
from app.nets.combinators import Branches, Chain, Inlaid, Shared, Skipped
from app.nets.decoders import Decoder, build_decoder
from app.nets.distributions import NegativeBinomialHead, NormalHead, PoissonHead, StudentHead
from app.nets.embedding import Embedding
from app.nets.heads import Head, PointHead, QuantilesHead
from app.nets.leaves import Site, build_leaf
from app.nets.mixture import MixtureHead
from app.nets.outlook import HIDDEN, Outlook, SeriesLayer, series_layer
from app.nets.run import About, Run
from app.nets.tweedie import TweedieHead
from app.nets.wrappers import Past
from app.spec import forecaster
from app.spec.blocks import Autoencoder, Block, Connect, Model, Share, Stack
from app.spec.forecaster import ForecasterSpec, learns_at_every_step
from app.spec.inputs import Input
from app.spec.leaves import Leaf
from app.spec.shapes import input_width, merged_width, skipped_width, targets_of, width_after

PLACE = "network"
"""Where the whole network stands; its blocks follow with a dot and their number."""


class Network(nn.Module):
    """Inputs over the context, and what is known of the horizon, to the raw numbers of a head.

    Args:
        spec: complete: with context and horizon.
    """

    def __init__(self, spec: ForecasterSpec) -> None:
        super().__init__()
        self._horizon = spec.horizon or 1
        self._spec = spec
        builder = _Builder(spec.inputs, Site(spec.context or 1, learns_at_every_step(spec), targets_of(spec.inputs)))
        self.body = builder.build(spec.network, sum(builder.named.values()), PLACE)
        self.widths: Mapping[str, int] = builder.widths
        self.embeddings = nn.ModuleDict({name: _embedding(group) for name, group in spec.inputs.items() if group.embed is not None})
        self.leaves = tuple(builder.leaves)
        # In a tuple, as it stands in the body and is registered there.
        self._series = (series_layer(self.body),)
        self.decoder = self.new_decoder(PLACE)

    @property
    def series(self) -> SeriesLayer | None:
        """The layer that takes the target apart, if there is one."""
        return self._series[0]

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks of the outermost stack, as `app.spec.phases.top_blocks` counts them."""
        return list(self.body.blocks) if isinstance(self.body, Chain) else [self.body]

    def place_of(self, block: int) -> str:
        """What a block of the outermost stack is called in `widths`."""
        return f"{PLACE}.{block}" if isinstance(self.body, Chain) else PLACE

    def new_decoder(self, place: str) -> Decoder:
        """A decoder from the output of the block at a place, with weights still to be drawn."""
        return build_decoder(self._spec, self.widths[place])

    def initialise(self) -> None:
        """Draw the weights, from torch's own generator: Glorot's (Glorot and Bengio 2010), and each cell's own."""
        draw_weights(self)

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
        everything, run = self.begin(inputs, before)
        return self.body(everything, run), run.after

    def begin(
        self, inputs: Mapping[str, Float[Tensor, "batch _ _"]], before: Mapping[str, CellState] | None = None, about: About | None = None
    ) -> tuple[Float[Tensor, "batch time width"], Run]:
        """What the first block reads, all inputs side by side, and a run that knows them by their names."""
        named = {name: self.embeddings[name](values) if name in self.embeddings else values for name, values in inputs.items()}
        everything, run = list(named.values()), Run(named, before or {}, about=about)
        return everything[0] if len(everything) == 1 else torch.cat(everything, dim=2), run

    def decode(
        self, newest: Float[Tensor, "batch width"], future: Float[Tensor, "batch horizon known"], decoder: Decoder | None = None
    ) -> Float[Tensor, "batch steps outputs"]:
        """The horizon's steps, from the features of the newest step and what is known ahead (its width may be 0).

        Args:
            newest: features of the newest step.
            future: what is known ahead.
            decoder: in place of the network's own.
        """
        decoded: Tensor = (decoder or self.decoder)(newest, future)
        return decoded

    def forward(
        self, inputs: Mapping[str, Float[Tensor, "batch _ _"]], future: Float[Tensor, "batch horizon known"]
    ) -> Float[Tensor, "batch steps outputs"]:
        """A forecast in raw numbers, from nothing but this context; of the next step alone where the decoder is `recursive`."""
        raw, _ = self.look(inputs, future)
        return raw

    def look(
        self, inputs: Mapping[str, Float[Tensor, "batch _ _"]], future: Float[Tensor, "batch horizon known"], about: About | None = None
    ) -> tuple[Float[Tensor, "batch steps outputs"], Outlook | None]:
        """A forecast in raw numbers, and what a series layer took away of it.

        Args:
            inputs: see `encode`.
            future: see `decode`.
            about: whose windows they are.
        """
        everything, run = self.begin(inputs, about=about)
        features: Tensor = self.body(everything, run)
        return self.decode(features[:, -1], future), self.outlook(run.named, None)

    def outlook(self, named: Mapping[str, Tensor], steps: Int[Tensor, " forks"] | None) -> Outlook | None:
        """What a series layer took away; None where there is none, or it was not in the run.

        Args:
            named: of the run.
            steps: see `SeriesLayer.outlook`.
        """
        if self.series is None or not any(name.startswith(HIDDEN) for name in named):
            return None
        return self.series.outlook(named, steps, self._horizon)


def _embedding(group: Input) -> Embedding:
    return Embedding([len((group.categories or {}).get(name, ())) for name in group.columns], group.embed or 1)


def draw_weights(module: nn.Module) -> None:
    """Draw the weights of all that is in a module, from torch's own generator."""
    for part in module.modules():
        if isinstance(part, Drawn):
            part.initialise()
        elif isinstance(part, nn.Linear | nn.Conv1d):
            _initialise_linear(part)


def _initialise_linear(module: nn.Linear | nn.Conv1d) -> None:
    """Draw the weights of an affine map as Glorot and Bengio (2010) do; no bias."""
    nn.init.xavier_uniform_(module.weight)
    if module.bias is not None:
        nn.init.zeros_(module.bias)


def build(spec: ForecasterSpec) -> Network:
    """The network of a description, with weights still to be drawn or loaded."""
    return Network(spec)


def build_head(
    spec: ForecasterSpec, residuals: Float[Tensor, "horizon level"] | None = None, widths: Float[Tensor, " level"] | None = None
) -> Head:
    """The head of a description, with a point head's measured residuals or the measured widths of quantiles, if there are any."""
    match spec.head:
        case forecaster.PointHead(loss=loss, delta=delta):
            return PointHead(loss, delta, residuals)
        case forecaster.QuantilesHead(levels=levels):
            return QuantilesHead(levels, widths)
        case _:
            return _distribution(spec.head)


def _distribution(head: forecaster.Distribution) -> Head:
    match head:
        case forecaster.NormalHead():
            return NormalHead()
        case forecaster.StudentHead():
            return StudentHead()
        case forecaster.PoissonHead():
            return PoissonHead()
        case forecaster.NegativeBinomialHead():
            return NegativeBinomialHead()
        case forecaster.TweedieHead(power=power):
            return TweedieHead(power)
        case forecaster.MixtureHead():
            return MixtureHead()
        case _:
            assert_never(head)


class _Builder:
    """Builds blocks and notes their widths: `named` by name, `widths` by place; `blocks` are those with a name, without their taps.

    `leaves` are the blocks without blocks in them, each with its module.
    """

    def __init__(self, inputs: Mapping[str, Input], site: Site) -> None:
        self.named = {name: input_width(group) for name, group in inputs.items()}
        self._site = site
        self.widths: dict[str, int] = {}
        self.blocks: dict[str, nn.Module] = {}
        self.leaves: list[tuple[Leaf, nn.Module]] = []

    def build(self, block: Block, width: int, place: str, twin: nn.Module | None = None) -> nn.Module:
        """The module of a block for an input of this width; with the weights of its twin, if it has one."""
        module, gives = self._untapped(block, width if block.source is None else self.named[block.source], place)
        if twin is not None:
            module = Shared(twin.block if isinstance(twin, Tap) else twin, place)
        self.widths[place] = gives
        if block.name is not None:
            self.named[block.name], self.blocks[block.name] = gives, module
        is_tapped = block.source is not None or block.name is not None
        return Tap(module, block.source, block.name) if is_tapped else module

    def _untapped(self, block: Block, width: int, place: str) -> tuple[nn.Module, int]:
        match block:
            case Stack():
                return self._stack(block, width, place)
            case Connect():
                return self._connect(block, width, place)
            case Autoencoder(code=code):
                encoder, decoder = self.build(block.encoder, width, f"{place}.encoder"), self.build(block.decoder, code, f"{place}.decoder")
                encoded, decoded = self.widths[f"{place}.encoder"], self.widths[f"{place}.decoder"]
                return AutoencoderModule(encoder, encoded, code, decoder, decoded, width, every_step=self._site.every_step), code
            case Model(inputs=inputs, network=network):
                builder = _Builder(inputs or {}, self._site)
                body = builder.build(network or block, sum(builder.named.values()), place)
                return Inlaid(
                    body, {name: block.reads.get(name, name) for name in inputs or {}}, block.digest or "", is_frozen=block.frozen
                ), builder.widths[place]
            case Share(of=name):
                return Shared(self.blocks[name], place), self.named[name]
            case _:
                module = build_leaf(block, width, place, self._site)
                self.leaves.append((block, module))
                return module, width_after(block, width)

    def _connect(self, block: Connect, width: int, place: str) -> tuple[nn.Module, int]:
        built: list[nn.Module] = []
        for number, inside in enumerate(block.branches):
            built.append(self.build(inside, width, f"{place}.{number}", built[0] if built and block.share_weights else None))
        widths = [self.widths[f"{place}.{number}"] for number in range(len(built))]
        return Branches(built, block.merge, widths), merged_width(block, widths)

    def _stack(self, block: Stack, width: int, place: str) -> tuple[nn.Module, int]:
        modules = []
        for number, inside in enumerate(block.blocks * block.repeat):
            module = self.build(inside, width, f"{place}.{number}")
            given = self.widths[f"{place}.{number}"]
            modules.append(module if block.skip == "none" else Skipped(module, Past(block.skip, given)))
            width = self.widths[f"{place}.{number}"] = skipped_width(block, width, given)
        return Chain(modules), width
