"""How does a network that sees one step ahead forecast many? By paths: each step is a sample, and what the next one reads.

    context -> state --draw--> y_1 --[y_1, known of step 2]--> state --draw--> y_2 -> ...        for all paths at once, in the batch

The context is read once; each path goes on from its state. Ranks of the samples are a Latin hypercube out of the description's seed, the
same for every series: so equal histories have equal forecasts, whoever else is asked for, and a hundred paths are as good as many more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from app.forecasting.batches import Windows
from app.nets.build import Network
from app.nets.cells import CellState
from app.nets.heads import Head, stratified_ranks
from app.series.panel import TARGET
from app.spec.decoders import RecursiveDecoder
from app.spec.forecaster import ForecasterSpec
from app.spec.shapes import lag_columns

MOST_ROWS = 32_768
"""Paths that go through the network at once: more is not faster, and takes more memory."""

Values = npt.NDArray[np.float64]
Paths = Float[Tensor, "batch count horizon"]


Begun = tuple[Float[Tensor, "batch width"], dict[str, CellState]]
"""Features of the newest step, and the states behind it."""


def draw_paths(spec: ForecasterSpec, network: Network, head: Head, windows: Windows, count: int, begun: Begun | None = None) -> Paths:
    """Sample paths in the series' own units; those of a head that knows each step alone are comonotone, see `Head.sample`.

    Args:
        spec: complete: with context and horizon.
        network: in evaluation mode.
        head: of the description.
        windows: not forked.
        count: paths of each window.
        begun: what a decoder `recursive` goes on from, where the context was read; `windows` has one step of its static inputs then.
    """
    generator = torch.Generator().manual_seed(spec.training.seed)
    if not isinstance(spec.decoder, RecursiveDecoder):
        raw, outlook = network.look(windows.inputs, windows.future, windows.about)
        return windows.apart(outlook).together(head.sample(raw, count, windows.scale, generator).transpose(1, 2)).transpose(1, 2)
    ranks = stratified_ranks(spec.horizon or 1, count, generator).to(windows.scale.device)
    at_once = max(1, MOST_ROWS // count)
    rows = [slice(first, first + at_once) for first in range(0, len(windows.scale), at_once)]
    newest, states = begun or _read(network, windows)
    paths = torch.cat([_unrolled(spec, network, head, windows.part(some), ranks, _part(newest, states, some)) for some in rows])
    return windows.together(paths.transpose(1, 2)).transpose(1, 2)


def of_paths(paths: Paths, levels: Sequence[float]) -> tuple[Values, Values]:
    """Mean [batch, horizon] and quantiles [batch, horizon, level] of sample paths, between the two nearest of them (Hazen 1914)."""
    numbers = paths.cpu().numpy()
    return numbers.mean(axis=1), np.moveaxis(np.quantile(numbers, list(levels), axis=1, method="hazen"), 0, 2)


def combined(found: Sequence[tuple[Values, Values]]) -> tuple[Values, Values]:
    """Mean and quantiles of an ensemble: the median of its members', number by number."""
    if len(found) == 1:
        return found[0]
    return np.median([mean for mean, _ in found], axis=0), np.median([quantiles for _, quantiles in found], axis=0)


def _read(network: Network, windows: Windows) -> Begun:
    features, states = network.encode(windows.inputs)
    return features[:, -1], states


def _part(newest: Tensor, states: Mapping[str, CellState], rows: slice) -> Begun:
    return newest[rows], {place: tuple(part[rows] for part in state) for place, state in states.items()}


def _unrolled(
    spec: ForecasterSpec, network: Network, head: Head, windows: Windows, ranks: Float[Tensor, "horizon count"], begun: Begun
) -> Paths:
    batch, (horizon, count) = len(windows.scale), ranks.shape
    newest, states = begun
    raw = network.decode(newest, windows.future)
    drawn = [head.draw(raw, ranks[None, :1], windows.scale).flatten()]
    states = {place: tuple(part.repeat_interleave(count, dim=0) for part in state) for place, state in states.items()}
    scale, log_size = windows.scale.repeat_interleave(count), windows.log_sizes.repeat_interleave(count)
    static = {
        name: windows.inputs[name][:, :1].repeat_interleave(count, dim=0) for name, group in spec.inputs.items() if group.known == "static"
    }
    for step in range(1, horizon):
        known = _known_of(spec, windows.future[:, step : step + 1].repeat_interleave(count, dim=0), drawn)
        features, states = network.encode(_next_inputs(spec, drawn[-1], known, log_size) | static, states)
        raw = network.decode(features[:, -1], known)
        drawn.append(head.draw(raw, ranks[step].repeat(batch)[:, None, None], scale).flatten())
    return torch.stack(drawn, dim=1).view(batch, count, horizon)


def _known_of(
    spec: ForecasterSpec, known: Float[Tensor, "rows 1 known"], drawn: list[Float[Tensor, " rows"]]
) -> Float[Tensor, "rows 1 known"]:
    """What is known of a step, with lags that lie in the horizon as the path itself has them."""
    own = known.clone()
    for column, lag in lag_columns(spec.inputs):
        if lag <= len(drawn):
            own[:, 0, column] = drawn[-lag]
    return own


def _next_inputs(
    spec: ForecasterSpec, newest: Float[Tensor, " rows"], known: Float[Tensor, "rows 1 known"], log_size: Float[Tensor, " rows"]
) -> dict[str, Float[Tensor, "rows 1 _"]]:
    """One step of each input that changes: the sample, and what is known of the step after it, in the order of `Windows.future`."""
    inputs, first = {}, 0
    for name, group in spec.inputs.items():
        last = first + len(group.columns) * (group.known == "future") + len(group.lag_steps) + 2 * len(group.features) + group.age
        own = [newest[:, None, None]] * group.columns.count(TARGET)
        logs = [log_size[:, None, None].to(known)] if group.scale else []
        inputs[name] = torch.cat([*own, known[:, :, first:last], *logs], dim=2)
        first = last
    return inputs
