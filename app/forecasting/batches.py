"""What is a batch of windows? Inputs, what is known ahead and targets, in units of their own, and the way back to the series' units."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from app.nets.heads import Head, Raw
from app.nets.outlook import Outlook
from app.nets.run import About


@dataclass(frozen=True)
class Windows:
    """A batch of windows, in scaled units.

    Attributes:
        inputs: [batch, context, width] by the input's name; of a lesson for the decoder `recursive`, over the horizon too.
        future: [cutoffs, horizon, known], what is known ahead; its width may be 0.
        target: [cutoffs, horizon], zero where it was not observed.
        observed: whether the target was observed.
        shift: [batch], subtracted from the target.
        scale: [batch], the target was divided by.
        seen: whether the target was observed at each step that is read.
        steps: [forks], steps of the context that there is a horizon after, window by window in `future` and `target`; None for the last
            alone, which makes as many cutoffs as windows.
        about: whose they are; None where no layer has parameters of each series.
        outlook: what a baseline or a series layer took away of `target`; None where nothing was.
        is_log: whether all of this is of the target's logarithms.
    """

    inputs: dict[str, Float[Tensor, "batch context _"]]
    future: Float[Tensor, "cutoffs horizon known"]
    target: Float[Tensor, "cutoffs horizon"]
    observed: Bool[Tensor, "cutoffs horizon"]
    shift: Float[Tensor, " batch"]
    scale: Float[Tensor, " batch"]
    seen: Bool[Tensor, "batch _"]
    steps: Int[Tensor, " forks"] | None = None
    about: About | None = None
    outlook: Outlook | None = None
    is_log: bool = False

    def apart(self, outlook: Outlook | None) -> Windows:
        """The same windows with their target as a network behind a series layer has it."""
        if outlook is None:
            return self
        return replace(self, target=torch.where(self.observed, outlook.apart(self.target), 0.0), outlook=outlook)

    def together(self, values: Float[Tensor, "cutoffs horizon *more"]) -> Float[Tensor, "cutoffs horizon *more"]:
        """Values as a network has them in the series' own units, in double precision."""
        whole = values.double() if self.outlook is None else self.outlook.together(values.double())
        more = (...,) + (None,) * (values.dim() - 1)
        scaled = whole * self.scales[more] + self.shifts[more]
        return scaled.exp() if self.is_log else scaled

    def mean_of(self, head: Head, raw: Raw) -> Float[Tensor, "cutoffs horizon"]:
        """What a head expects, in the series' own units: the mean of an exponential is not the exponential of the mean."""
        if not self.is_log:
            return self.together(head.mean(raw, self.scales))
        factor, offset = self.scales[:, None].expand_as(self.target), self.shifts[:, None]
        if self.outlook is not None:
            factor, offset = factor * self.outlook.factor.double(), factor * self.outlook.offset.double() + offset
        return head.exponential_mean(raw.double(), factor, offset.expand_as(factor))

    @property
    def log_sizes(self) -> Float[Tensor, " batch"]:
        """Logarithm of what the target of each window is divided by."""
        return self.shift if self.is_log else self.scale.log()

    @property
    def shifts(self) -> Float[Tensor, " cutoffs"]:
        """What was subtracted from each horizon's target."""
        return self.shift if self.steps is None else self.shift.repeat_interleave(len(self.steps))

    @property
    def scales(self) -> Float[Tensor, " cutoffs"]:
        """What each horizon's target was divided by."""
        return self.scale if self.steps is None else self.scale.repeat_interleave(len(self.steps))

    def newest(self, sequence: Float[Tensor, "batch context width"]) -> Float[Tensor, "cutoffs width"]:
        """Of what a network gives at every step, that at the steps that a horizon follows."""
        return sequence[:, -1] if self.steps is None else sequence[:, self.steps].flatten(0, 1)

    def later(self, steps: int) -> Windows:
        """The same windows without their oldest steps, which no horizon follows; their units are those of the whole."""
        if not steps:
            return self
        return replace(
            self,
            inputs={name: values[:, steps:] for name, values in self.inputs.items()},
            seen=self.seen[:, steps:],
            steps=None if self.steps is None else self.steps - steps,
            about=None if self.about is None else replace(self.about, first=self.about.first + steps),
        )

    def part(self, rows: slice) -> Windows:
        """Some windows that have one horizon each, and that no layer has parameters of."""
        inputs = {name: values[rows] for name, values in self.inputs.items()}
        horizon = (self.future[rows], self.target[rows], self.observed[rows])
        return Windows(inputs, *horizon, self.shift[rows], self.scale[rows], self.seen[rows], is_log=self.is_log)
