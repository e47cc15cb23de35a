"""How are features read without torch? The decoder and the head of a network that only answers, as functions of numpy.

A decoder becomes `(newest, future) -> raw`, of features [batch, width] and what is known ahead [batch, horizon, known]. A head becomes
`(raw, levels, units) -> mean [batch, horizon], quantiles [batch, horizon, level]`, in the series' own units. What they compute is what
`decoders.py` and `heads.py` do; decoders and heads of other kinds have no such function, and answer by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from app.nets.decoders import Decoder, DirectDecoder, LocalDecoder
from app.nets.heads import RESIDUAL_LEVELS, Head, PointHead, QuantilesHead, places_of
from app.nets.packed import Rows

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Units:
    """The way from a network's numbers x to the series': x * factor + offset, or the exponential of it.

    Attributes:
        factor: [batch, 1].
        offset: [batch, 1], or of each step [batch, horizon].
        is_log: whether the network has seen logarithms.
    """

    factor: Values
    offset: Values
    is_log: bool

    def whole(self, values: Values) -> Values:
        """Values [batch, horizon, level] in the series' own units."""
        found = values * self.factor[..., None] + self.offset[..., None]
        return np.exp(found) if self.is_log else found


Decode = Callable[[Rows, Rows], Rows]
Read = Callable[[Rows, tuple[float, ...], Units], tuple[Values, Values]]


@dataclass(frozen=True, eq=False)
class Readout:
    """A decoder and the head behind it.

    Attributes:
        decode: the decoder.
        read: the head.
    """

    decode: Decode
    read: Read


def compile_readout(decoder: Decoder, head: Head) -> Readout | None:
    """Both in numpy; None where one of them is not."""
    decode, read = compile_decoder(decoder), compile_head(head)
    return None if decode is None or read is None else Readout(decode, read)


def compile_decoder(decoder: Decoder) -> Decode | None:
    """A decoder in numpy; None where it steps, or paths are drawn."""
    match decoder:
        case DirectDecoder():
            return _direct(decoder)
        case LocalDecoder():
            return _local(decoder)
        case _:
            return None


def compile_head(head: Head) -> Read | None:
    """A head in numpy; None for a distribution."""
    match head:
        case PointHead():
            return _point(head)
        case QuantilesHead() if len(head.levels) > 1:
            return _quantiles(head)
        case _:
            return None


def _direct(decoder: DirectDecoder) -> Decode:
    weight, bias, shape = _numbers(decoder.weight).T, _numbers(decoder.bias), decoder.shape

    def decode(newest: Rows, future: Rows) -> Rows:
        read = np.concatenate([newest, future.reshape(len(future), -1)], axis=1) if future.shape[2] else newest
        raw: Rows = read @ weight + bias
        return raw.reshape(len(newest), *shape)

    return decode


def _local(decoder: LocalDecoder) -> Decode:
    context, hidden, out = (_affine(layer) for layer in (decoder.context, decoder.hidden, decoder.out))

    def decode(newest: Rows, future: Rows) -> Rows:
        steps = future.shape[1]
        contexts = context(newest).reshape(len(newest), steps + 1, -1)
        shared = np.broadcast_to(contexts[:, -1:], contexts[:, :-1].shape)
        return out(np.maximum(hidden(np.concatenate([contexts[:, :-1], shared, future], axis=2)), 0))

    return decode


def _numbers(tensor: Tensor) -> Rows:
    """A weight as it lies in memory: nobody changes it any more."""
    found: Rows = tensor.detach().cpu().numpy()
    return found


def _affine(layer: nn.Linear) -> Callable[[Rows], Rows]:
    weight, bias = _numbers(layer.weight).T, _numbers(layer.bias)

    def mapped(rows: Rows) -> Rows:
        found: Rows = rows @ weight
        found += bias
        return found

    return mapped


def _point(head: PointHead) -> Read:
    residuals = None if head.residuals is None else _numbers(head.residuals)

    @lru_cache(maxsize=64)
    def away(levels: tuple[float, ...]) -> Values:
        """How far the forecast, first, and each level are from it, [horizon, 1 + level]."""
        if residuals is None:
            return np.zeros((1, 1 + len(levels)))
        found = _between(residuals.astype(np.float64), *_places(RESIDUAL_LEVELS, levels))
        return np.concatenate([np.zeros((len(found), 1)), found], axis=1)

    def read(raw: Rows, levels: tuple[float, ...], units: Units) -> tuple[Values, Values]:
        found = units.whole(raw.astype(np.float64) + away(levels))
        mean = found[..., 0]
        if units.is_log and residuals is not None and head.is_of_means:
            mean = mean * np.exp(units.factor[..., None] * residuals).mean(axis=2)
        return mean, found[..., 1:]

    return read


def _quantiles(head: QuantilesHead) -> Read:
    at, weights, widths = head.middle, np.array(head.weights), None if head.widths is None else _numbers(head.widths)

    def read(raw: Rows, levels: tuple[float, ...], units: Units) -> tuple[Values, Values]:
        forecast = raw.astype(np.float64)
        middle, steps = forecast[..., at : at + 1], np.logaddexp(forecast, 0.0)
        up, down = np.cumsum(steps[..., at + 1 :], axis=2), np.cumsum(steps[..., :at][..., ::-1], axis=2)[..., ::-1]
        apart = np.concatenate([-down, np.zeros_like(middle), up], axis=2)
        # Quantiles of a logarithm's exponential are the exponentials of its quantiles; of means that is not so.
        mean = units.whole(middle + apart) @ weights
        return mean, units.whole(_between(middle + (apart if widths is None else widths * apart), *_places(head.levels, levels)))

    return read


@lru_cache(maxsize=256)
def _places(known: tuple[float, ...], levels: tuple[float, ...]) -> tuple[npt.NDArray[np.int64], Values]:
    """See `places_of`, [level] each."""
    left, share = places_of(known, levels, torch.device("cpu"))
    return left[0, 0].numpy(), share[0, 0].numpy()


def _between(values: Values, left: npt.NDArray[np.int64], share: Values) -> Values:
    low = values[..., left]
    found: Values = low + share * (values[..., left + 1] - low)
    return found
