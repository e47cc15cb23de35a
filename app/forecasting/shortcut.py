"""How are a few series forecast by networks that nobody trains any more? Without torch, from what is read of them to their own units.

Where there are few numbers a call of torch costs more than it computes, and its code drives all other out of the processor's caches. What
has no function of numpy (`app/nets/steps.py`, `app/nets/readout.py`) goes the way of training, which forecasts the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from app.forecasting.paths import combined
from app.forecasting.stepping import Anchor, Inputs, StepReader, Values
from app.nets.build import Network
from app.nets.heads import Head
from app.nets.packed import Rows
from app.nets.readout import Readout, Units, compile_readout
from app.nets.steps import Program


@dataclass(frozen=True, eq=False)
class Shortcut:
    """What all members of a forecaster have in numpy.

    Attributes:
        reader: of what they read.
        members: their networks.
        unread: oldest steps of the context that each does not read.
        programs: what each makes of a few contexts; None where one has none.
        readouts: how the features of each are read.
    """

    reader: StepReader
    members: Sequence[Network]
    unread: Sequence[int]
    programs: Sequence[Program] | None
    readouts: Sequence[Readout]

    def forecast(self, inputs: Inputs, anchor: Anchor, future: Mapping[str, Values], levels: tuple[float, ...]) -> tuple[Values, Values]:
        """Mean [batch, horizon] and quantiles [batch, horizon, level] of contexts that were read, in the series' own units.

        Args:
            inputs: of the context, see `StepReader.begin`.
            anchor: behind them.
            future: see `StepReader.ahead`.
            levels: of the quantiles.
        """
        own = [{name: values[:, unread:] for name, values in inputs.items()} for unread in self.unread]
        newest = [_newest(*one) for one in zip(self.members, self.programs or (), own, strict=True)]
        return self.read(newest, anchor, future, levels)

    def read(
        self, newest: Sequence[Rows], anchor: Anchor, future: Mapping[str, Values], levels: tuple[float, ...]
    ) -> tuple[Values, Values]:
        """The same of each member's features of the newest step, [batch, width]."""
        ahead, baseline = self.reader.ahead(anchor, future), self.reader.baseline(anchor)
        factor, offset = anchor.scale[:, None], anchor.shift[:, None]
        units = Units(factor, offset if baseline is None else offset + factor * baseline, self.reader.is_log)
        return combined([one.read(one.decode(rows, ahead), levels, units) for one, rows in zip(self.readouts, newest, strict=True)])


def shortcut_of(
    members: Sequence[Network], programs: Sequence[Program | None], head: Head, reader: StepReader, unread: Sequence[int]
) -> Shortcut | None:
    """The shortcut of networks whose cells are packed, or that only go on from states; None where a decoder or the head has none."""
    readouts = [readout for network in members if (readout := compile_readout(network.decoder, head))]
    if len(readouts) < len(members):
        return None
    known = [program for program in programs if program is not None]
    return Shortcut(reader, members, unread, known if len(known) == len(members) else None, readouts)


def _newest(network: Network, program: Program, inputs: Inputs) -> Rows:
    """Features of the newest step: of many contexts by torch, whose kernels are as fast then."""
    if max(map(len, inputs.values())) <= program.largest:
        return program.newest(inputs)
    with torch.inference_mode():
        encoded, _ = network.encode({name: torch.from_numpy(values) for name, values in inputs.items()})
        newest: Rows = encoded[:, -1].numpy()
        return newest
