"""Of which parts is an exported forecaster made? Each is a module that the exporter turns into a graph.

Units      what the target is divided by, and what stands for missing values before the first observed one: of a whole context
Step       one step: what is missing filled, all of it scaled, the network's states moved on
Answer     the horizon: mean and quantiles in the series' own units

The numbers are those of `app.forecasting.windows`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from app.forecasting.columns import mean_of, usable
from app.forecasting.exporting.contract import TURNS, Contract, has_quantiles, is_of_target
from app.forecasting.forecaster import Forecaster
from app.nets.build import Network
from app.nets.cells import CellState
from app.nets.distributions import NormalHead
from app.nets.heads import PointHead, QuantilesHead, interpolate
from app.series.panel import TARGET
from app.series.scaling import CovariateScaling
from app.spec.decoders import lags_of_decoder
from app.spec.inputs import Input

Named = Mapping[str, Tensor]


class Units(nn.Module):
    """Shift, scale and fillers of a context, or those that are handed on.

    Args:
        forecaster: whose.
    """

    def __init__(self, forecaster: Forecaster) -> None:
        super().__init__()
        self._scaling = forecaster.scaling
        self._kind, self._is_log = forecaster.spec.scaling.target, forecaster.spec.scaling.is_log
        contract = Contract(forecaster.spec)
        self._covariates = contract.covariates
        self._of_target = [is_of_target(name) for name in contract.steps]

    def forward(self, begin: Tensor, shift: Tensor, scale: Tensor, last: Tensor, *steps: Tensor) -> tuple[Tensor, ...]:
        """Shift and scale [batch], fillers [batch, 1 + covariates], and all steps [batch, time, given].

        Args:
            begin: whether they are measured.
            shift: before.
            scale: before.
            last: before.
            *steps: [batch, time] each: the target, its covariates, and what else is read.
        """
        if self._is_log:
            steps = tuple(values.log() if is_target else values for values, is_target in zip(steps, self._of_target, strict=True))
        seen = [values.isfinite() for values in steps[: 1 + len(self._covariates)]]
        target = mean_of(steps[0], seen[0])
        own = [target]
        for name, values, is_seen in zip(self._covariates, steps[1:], seen[1:], strict=False):
            own.append(mean_of(scaled(self._scaling, name, values), is_seen))
        measured = self._measured(steps[0], seen[0], target)
        found = (torch.where(begin, one, before) for one, before in zip(measured, (shift, scale), strict=True))
        return *found, torch.where(begin, torch.stack(own, dim=1), last), torch.stack(steps, dim=2)

    def _measured(self, target: Tensor, seen: Tensor, mean: Tensor) -> tuple[Tensor, Tensor]:
        # See app.series.scaling.WindowScaling, which says the same in numpy.
        match self._kind:
            case "none":
                return torch.zeros_like(mean), torch.ones_like(mean)
            case "mean_abs":
                return torch.zeros_like(mean), usable(mean_of(target.abs(), seen))
            case "standard" | "standard_log":
                return mean, usable(mean_of((target - mean[:, None]) ** 2, seen).sqrt())
            case "log":
                return mean, torch.ones_like(mean)


class Step(nn.Module):
    """One step of all networks of a forecaster.

    Args:
        forecaster: whose.
        keys: places of the states of each network and how many tensors each has; none where a history begins.

    Attributes:
        keys: the same of the states behind the newest step.
    """

    def __init__(self, forecaster: Forecaster, keys: Sequence[Mapping[str, int]] | None) -> None:
        super().__init__()
        self.networks = nn.ModuleList(forecaster.members)
        self._spec, self._scaling, self._before_keys = forecaster.spec, forecaster.scaling, keys
        self.keys: list[dict[str, int]] = []
        contract = Contract(forecaster.spec)
        self._places = {name: place for place, name in enumerate(contract.steps)}
        self._covariates, self._statics = contract.covariates, {name: place for place, name in enumerate(contract.statics)}

    def forward(self, shift: Tensor, scale: Tensor, last: Tensor, row: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """Fillers, and of each network the newest features and then its states.

        Args:
            shift: [batch].
            scale: [batch].
            last: see `Units`.
            row: [batch, given] of the step.
            *rest: codes of static columns, [batch] each, and states before the step, in the order of `keys`; none where a history begins.
        """
        statics, states = rest[: len(self._statics)], rest[len(self._statics) :]
        values = {"y": _filled(row[:, 0], last[:, 0])}
        for place, name in enumerate(self._covariates, 1):
            values[name] = _filled(scaled(self._scaling, name, row[:, place]), last[:, place])
        after = torch.stack([values["y"], *(values[name] for name in self._covariates)], dim=1)
        inputs = {name: self._input(group, values, row, statics, shift, scale) for name, group in self._spec.inputs.items()}
        moved: list[Tensor] = []
        self.keys = []
        for network, before in zip(self.networks, self._before(states), strict=True):
            parts, counts = step_of(network, inputs, before)  # type: ignore[arg-type]  # a module list knows modules alone
            moved += parts
            self.keys.append(counts)
        return after, *moved

    def _before(self, states: Sequence[Tensor]) -> list[dict[str, CellState]]:
        if self._before_keys is None:
            return [{} for _ in self.networks]
        rest = iter(states)
        return [{place: tuple(next(rest) for _ in range(count)) for place, count in keys.items()} for keys in self._before_keys]

    def _input(self, group: Input, values: Named, row: Tensor, statics: Sequence[Tensor], shift: Tensor, scale: Tensor) -> Tensor:
        own = []
        for name in group.columns:
            if name == TARGET:
                own.append((values["y"] - shift) / scale)
            else:
                own.append(statics[self._statics[name]] if name in self._statics else values[name])
        own += [(row[:, self._places[f"lag/{lag}"]] - shift) / scale for lag in group.lag_steps]
        own += [row[:, self._places[name]] for name in turns_of(group)]
        own += [row[:, self._places["age"]].log1p()] if group.age else []
        own += [shift if self._spec.scaling.is_log else scale.log()] if group.scale else []
        return torch.stack(own, dim=1).float()[:, None]


def step_of(network: Network, inputs: Named, before: Mapping[str, CellState]) -> tuple[list[Tensor], dict[str, int]]:
    """The newest features and all states behind a step, and how many tensors each place has."""
    everything, run = network.begin(inputs, before)
    newest = network.body(everything, run)[:, -1]
    return [newest, *(part for parts in run.after.values() for part in parts)], {place: len(parts) for place, parts in run.after.items()}


class Answer(nn.Module):
    """What comes next, from the newest features.

    Args:
        forecaster: whose.
        levels: of the quantiles; none where the head has none to export.
    """

    def __init__(self, forecaster: Forecaster, levels: Sequence[float]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(forecaster.members)
        self._spec, self._scaling, self._head = forecaster.spec, forecaster.scaling, forecaster.head
        self._is_log, self._horizon = forecaster.spec.scaling.is_log, forecaster.horizon
        self._places = {name: place for place, name in enumerate(Contract(forecaster.spec).ahead)}
        ranks = torch.tensor([[tuple(levels)]], dtype=torch.float64)
        head = self._head
        # Of constants, so that no graph has to search or to invert a distribution.
        if isinstance(head, QuantilesHead):
            known = head.levels
            weights = interpolate(torch.eye(len(known))[:, None], known, ranks.expand(len(known), 1, -1))[:, 0]
        elif isinstance(head, PointHead):
            weights = head.at(torch.zeros(1, forecaster.horizon, 1), ranks.expand(1, forecaster.horizon, -1), torch.ones(1))
        else:
            weights = torch.special.ndtri(ranks)
        self.register_buffer("weights", weights.float())
        self._has_quantiles = bool(levels) and has_quantiles(forecaster.spec)

    def forward(self, shift: Tensor, scale: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        """Mean [batch, horizon], and quantiles [batch, horizon, level] where the head has some.

        Args:
            shift: [batch].
            scale: [batch].
            *rest: the newest features of each network, [batch, width], and what is known ahead, [batch, horizon] each.
        """
        newest, ahead = rest[: len(self.networks)], self._told(rest[len(self.networks) :])
        known = self._known(ahead, shift, scale)
        baseline = ahead[self._places["baseline"]] if "baseline" in self._places else shift[:, None]
        found: list[list[Tensor]] = []
        for network, features in zip(self.networks, newest, strict=True):
            raw = network.decode(features, known)  # type: ignore[operator]  # a module list knows modules alone
            spread = (self._quantiles(raw).double() * scale[:, None, None] + baseline[:, :, None],) if self._has_quantiles else ()
            found.append([self._mean(raw, scale, baseline), *(part.exp() if self._is_log else part for part in spread)])
        return tuple(_median(list(parts)) for parts in zip(*found, strict=True))

    def _told(self, ahead: Sequence[Tensor]) -> Sequence[Tensor]:
        """What is known ahead, with logarithms of what is of the target, where it is learnt by these."""
        if not self._is_log:
            return ahead
        return [values.log() if is_of_target(name) else values for values, name in zip(ahead, self._places, strict=True)]

    def _mean(self, raw: Tensor, scale: Tensor, baseline: Tensor) -> Tensor:
        if self._is_log:
            factor = scale[:, None].expand(-1, self._horizon)
            return self._head.exponential_mean(raw.double(), factor, baseline.expand(-1, self._horizon))
        return self._head.mean(raw, scale).double() * scale[:, None] + baseline

    def _known(self, ahead: Sequence[Tensor], shift: Tensor, scale: Tensor) -> Tensor:
        known: list[Tensor] = []
        for group in self._spec.inputs.values():
            if group.known == "future":
                known += [scaled(self._scaling, name, ahead[self._places[f"future/{name}"]]) for name in group.columns]
            known += self._lags(ahead, group.lag_steps, shift, scale)
            known += [ahead[self._places[f"future/{name}"]] for name in turns_of(group)]
            known += [ahead[self._places["future/age"]].log1p()] if group.age else []
        known += self._lags(ahead, lags_of_decoder(self._spec.decoder), shift, scale)
        return torch.stack(known, dim=2).float() if known else shift.new_zeros(shift.shape[0], self._horizon, 0).float()

    def _lags(self, ahead: Sequence[Tensor], lags: Sequence[int], shift: Tensor, scale: Tensor) -> list[Tensor]:
        return [(ahead[self._places[f"future/lag/{lag}"]] - shift[:, None]) / scale[:, None] for lag in lags]

    def _quantiles(self, raw: Tensor) -> Tensor:
        weights = self.get_buffer("weights")
        if isinstance(self._head, QuantilesHead):
            return self._head.widened(raw) @ weights
        if isinstance(self._head, PointHead):
            return raw + weights
        if isinstance(self._head, NormalHead):
            return raw[..., :1] + self._head.deviation(raw)[..., None] * weights
        raise AssertionError(type(self._head).__name__)  # see `has_quantiles`


def turns_of(group: Input) -> list[str]:
    """Sine and cosine of the calendar features that an input has."""
    return [f"calendar/{feature}/{turn}" for feature in group.features for turn in TURNS]


def scaled(scaling: CovariateScaling, name: str, values: Tensor) -> Tensor:
    """A covariate as `CovariateScaling.apply` has it."""
    return (values - scaling.mean[name]) / scaling.deviation[name] if name in scaling.mean else values


def _filled(values: Tensor, last: Tensor) -> Tensor:
    return torch.where(values.isfinite(), values, last)


def _median(values: list[Tensor]) -> Tensor:
    """Of the members, number by number."""
    if len(values) == 1:
        return values[0]
    ordered = torch.stack(values).sort(dim=0).values
    middle: Tensor = (ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2
    return middle
