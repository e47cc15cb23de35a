"""Exponential smoothing as a layer: each series' level and seasons are followed, with parameters that are learnt with the network.

With y the value, l the level and s the season's value at a step (Holt 1957; Winters 1960; as a layer Smyl 2020), `multiplicative`:

    l_t = l_{t-1} + alpha (y_t / s_t - l_{t-1})          s_{t+m} = s_t + gamma (y_t / l_t - s_t)
    gives y_t / (l_t s_t) - 1 and l_t / l_{t-1} - 1        y_{t+h} stands for l_t s_{t+h} (1 + x)

`additive` has differences for quotients and sums for products. Of two seasons, each takes the other as given (Taylor 2003). The level
begins with the first value of a window; a season's values at that step are those of the series, and alpha and gamma are its own too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from app.nets.cells import Drawn
from app.nets.outlook import HIDDEN, Outlook, SeriesLayer
from app.nets.run import About, Run
from app.spec.leaves import Smooth
from app.spec.shapes import smoothing_width

SMALLEST_VALUE = 1e-3
"""Of a multiplicative layer, in units of the window's scale: what is smaller is taken as this."""

ALPHA, GAMMA = 0.3, 0.1
"""Where the rates begin, before they are fitted to a series."""

Batch = Float[Tensor, " batch"]
Seasons = list[list[Batch]]


class Smoothing(SeriesLayer, Drawn):
    """See the module. A series' parameters stand in a row: alpha; then of each season gamma, and a value for each of its steps.

    Alpha and gamma are sigmoids of what stands there; the values of a multiplicative season are exponentials.

    Args:
        block: the description.
        place: what its state is called by: the level, and each season's values to come.
    """

    def __init__(self, block: Smooth, place: str) -> None:
        super().__init__()
        self.block = block
        self.place = place
        self.table = nn.Parameter(torch.empty(block.series or 1, smoothing_width(block)))
        self._seasons = block.seasons or ()
        self._is_multiplicative = block.form == "multiplicative"

    def initialise(self) -> None:
        """See `Drawn`: the same for all series, and no season."""
        self.table.data.copy_(self.plain_parameters().expand_as(self.table))

    def plain_parameters(self) -> Float[Tensor, " parameters"]:
        """Those of a series of which nothing is known."""
        rates = torch.tensor([ALPHA, GAMMA]).logit()
        row = torch.zeros(self.table.shape[1])
        row[0] = rates[0]
        at = 1
        for season in self._seasons:
            row[at] = rates[1]
            at += 1 + season
        return row

    def forward(self, sequence: Float[Tensor, "batch time 1"], run: Run) -> Float[Tensor, "batch time 2"]:
        """See `SeriesLayer`: distance from level and season, and the level's change."""
        values = sequence[..., 0]
        parameters, first = self._of_series(values, run)
        before = run.before.get(self.place)
        level, seasons = (before[0], before[1:]) if before else (None, self.begin(parameters, first))
        levels, coming = self.follow(values, parameters, level, [list(season.unbind(1)) for season in seasons])
        run.named[f"{HIDDEN}level"] = torch.stack(levels[1:], dim=1)
        for number, season in enumerate(coming):
            run.named[f"{HIDDEN}season{number}"] = torch.stack(season, dim=1)
        run.after[self.place] = (levels[-1], *(torch.stack(season[-length:], dim=1) for season, length in self._each(coming)))
        return self.distances(values, levels, coming)

    def follow(
        self, values: Float[Tensor, "batch time"], parameters: Float[Tensor, "batch parameters"], level: Batch | None, seasons: Seasons
    ) -> tuple[list[Batch], Seasons]:
        """Follows level and seasons through time.

        Args:
            values: of the series.
            parameters: of each.
            level: before the first step; None to begin with the first value.
            seasons: the values of each season's next steps.

        Returns:
            Levels from before the first step on, and each season's values from the first step to a season after the last.
        """
        alpha, gammas = parameters[:, 0].sigmoid(), [parameters[:, at].sigmoid() for at in self._gammas()]
        steps = self._floored(values).unbind(1)
        levels = [self._without(steps[0], self._total([season[0] for season in seasons])) if level is None else level]
        for number, value in enumerate(steps):
            parts = [season[number] for season in seasons]
            total = self._total(parts)
            if total is None:
                levels.append(levels[-1] + alpha * (value - levels[-1]))
                continue
            levels.append(levels[-1] + alpha * (self._without(value, total) - levels[-1]))
            for season, gamma, part in zip(seasons, gammas, parts, strict=True):
                seen = self._without(value, self._with(levels[-1], self._without(total, part)))
                season.append(part + gamma * (seen - part))
        return levels, seasons

    def distances(self, values: Float[Tensor, "batch time"], levels: Sequence[Batch], seasons: Seasons) -> Float[Tensor, "batch time 2"]:
        """How far each value is from level and season, and each level from the one before; relative ones where they are multiplied."""
        time = values.shape[1]
        total = self._total([torch.stack(season[:time], dim=1) for season in seasons])
        now, before = torch.stack(list(levels[1:]), dim=1), torch.stack(list(levels[:-1]), dim=1)
        from_level = self._without(self._floored(values), now if total is None else self._with(now, total))
        change = self._without(now, before)
        return torch.stack([from_level, change], dim=2) - (1.0 if self._is_multiplicative else 0.0)

    def outlook(self, named: Mapping[str, Tensor], steps: Int[Tensor, " forks"] | None, horizon: int) -> Outlook:
        """See `SeriesLayer`: the level stays, and the seasons go round."""
        levels = named[f"{HIDDEN}level"]
        at = torch.tensor([levels.shape[1] - 1], device=levels.device) if steps is None else steps
        ahead = torch.arange(horizon, device=levels.device)
        level = levels[:, at, None].expand(-1, -1, horizon)
        for number, season in enumerate(self._seasons):
            value = named[f"{HIDDEN}season{number}"][:, at[:, None] + 1 + ahead % season]
            level = self._with(level, value)
        flat = level.flatten(0, 1)
        return Outlook(flat if self._is_multiplicative else torch.ones_like(flat), flat)

    def begin(self, parameters: Float[Tensor, "batch parameters"], first: Int[Tensor, " batch"]) -> list[Float[Tensor, "batch season"]]:
        """The values of each season's next steps, where the first step has this number on the frequency's own count."""
        found = []
        for at, season in zip(self._gammas(), self._seasons, strict=True):
            own = parameters[:, at + 1 : at + 1 + season]
            turn = (first[:, None] + torch.arange(season, device=first.device)) % season
            turned = own.gather(1, turn)
            found.append(turned.exp() if self._is_multiplicative else turned)
        return found

    def _of_series(self, values: Tensor, run: Run) -> tuple[Tensor, Tensor]:
        """Of the series that the windows are of; of the first row where nothing is said of them."""
        about = run.about
        if about is None:
            return self.table[:1].expand(len(values), -1), values.new_zeros(len(values), dtype=torch.int64)
        return self.parameters_of(about), about.first

    def parameters_of(self, about: About) -> Float[Tensor, "batch parameters"]:
        """The rows of some series, which were learnt or fitted."""
        known = self.table[about.rows.clamp(min=0)]
        return known if about.fitted is None else torch.where((about.rows >= 0)[:, None], known, about.fitted.to(known))

    def _gammas(self) -> list[int]:
        """Where each season's gamma stands in a row; its values follow."""
        places, at = [], 1
        for season in self._seasons:
            places.append(at)
            at += 1 + season
        return places

    def _each(self, coming: Seasons) -> list[tuple[list[Batch], int]]:
        return list(zip(coming, self._seasons, strict=True))

    def _floored(self, values: Tensor) -> Tensor:
        return values.clamp(min=SMALLEST_VALUE) if self._is_multiplicative else values

    def _total(self, parts: Sequence[Tensor]) -> Tensor | None:
        total: Tensor | None = None
        for part in parts:
            total = part if total is None else self._with(total, part)
        return total

    def _with(self, one: Tensor, other: Tensor) -> Tensor:
        return one * other if self._is_multiplicative else one + other

    def _without(self, one: Tensor, other: Tensor | None) -> Tensor:
        if other is None:
            return one
        return one / other if self._is_multiplicative else one - other
