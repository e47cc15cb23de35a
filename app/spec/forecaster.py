"""What is a whole forecaster, as its user writes it?

One document: what it reads (`inputs`), how far it looks back and ahead (`context`, `horizon`), the `network` of blocks, how states become
horizon steps (`decoder`), what is predicted of each step (`head`) and how it learns (`training`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.spec.blocks import Block
from app.spec.cells import Description, Name
from app.spec.decoders import Decoder, DirectDecoder, ForkingDecoder, RecursiveDecoder
from app.spec.inputs import Input
from app.spec.training import Training

Steps = Annotated[int, Field(ge=1, le=100_000)]

LOGARITHMS = ("log", "standard_log")
"""Scalings that want values above zero."""


class Scaling(Description):
    """What values are divided by before the network sees them.

    Attributes:
        target: per window, from observed values: `mean_abs` divides by the mean of |y|, `standard` subtracts the mean and divides by
            the standard deviation, `log` takes logarithms and subtracts their mean, which is to divide by the geometric
            mean and then take them, `standard_log` divides these by their standard deviation as well; both want values above zero.
            `none` leaves them.
        over: which values these are: those of the `window`'s context, or all of the `series` from its first step to the end of the
            context, and so none that a forecast does not know.
        baseline: what forecasts are counted from, at every step of the horizon: `last`, the newest value, or `season`, the value whole
            seasons before, so that a network that gives zeros repeats the last season; `none` leaves them. What was not observed is the
            last value before it, and the window's mean where there is none.
        season: of the baseline, in steps; the data's, which the job fills in.
        covariates: `standard` with the mean and deviation of the training part, `none` leaves them.
    """

    target: Literal["mean_abs", "standard", "log", "standard_log", "none"] = "mean_abs"
    over: Literal["window", "series"] = "window"
    baseline: Literal["none", "last", "season"] = "none"
    season: Steps | None = None
    covariates: Literal["standard", "none"] = "standard"

    @property
    def is_log(self) -> bool:
        """Whether the target is read and learnt by its logarithms."""
        return self.target in LOGARITHMS

    @property
    def baseline_lag(self) -> int | None:
        """Steps between a value and the one that stands for it; a season that is left to the data is one step until the job fills it in."""
        return None if self.baseline == "none" else (self.season or 1) if self.baseline == "season" else 1


class PointHead(Description):
    """One number a step. Its intervals come from the validation residuals of each step.

    Attributes:
        loss: `mse`, `mae` or `huber`.
        delta: where `huber` turns from square to straight; only with it.
    """

    kind: Literal["point"]
    loss: Literal["mse", "mae", "huber"] = "mse"
    delta: Annotated[float, Field(gt=0.0)] | None = None


class QuantilesHead(Description):
    """Quantiles a step, trained with the pinball loss; they never cross.

    Attributes:
        levels: rising, each between 0 and 1.
    """

    kind: Literal["quantiles"]
    levels: Annotated[tuple[Annotated[float, Field(gt=0.0, lt=1.0)], ...], Field(min_length=1, max_length=99, strict=False)] = (
        0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975,
    )  # fmt: skip


class NormalHead(Description):
    """A normal distribution a step, by its likelihood."""

    kind: Literal["normal"]


class StudentHead(Description):
    """Student's t distribution a step, by its likelihood: heavier tails, of more than two degrees of freedom."""

    kind: Literal["student_t"]


class PoissonHead(Description):
    """A Poisson distribution a step, for counts."""

    kind: Literal["poisson"]


class NegativeBinomialHead(Description):
    """A negative binomial distribution a step, for counts that vary more than Poisson's (Salinas et al. 2017)."""

    kind: Literal["negative_binomial"]


class TweedieHead(Description):
    """A compound Poisson-gamma distribution a step: zeros among positive values, as of rain or of sales in money (Jorgensen 1987).

    Attributes:
        power: of the mean in the variance: 1 would be Poisson's, 2 the gamma distribution's.
    """

    kind: Literal["tweedie"]
    power: Annotated[float, Field(ge=1.05, le=1.95)] = 1.5


class MixtureHead(Description):
    """A mixture of normal distributions a step, by its likelihood (Bishop 1994).

    Attributes:
        components: of the mixture.
    """

    kind: Literal["mixture"]
    components: Annotated[int, Field(ge=2, le=20)] = 3


Distribution = NormalHead | StudentHead | PoissonHead | NegativeBinomialHead | TweedieHead | MixtureHead
"""Heads that are learnt by their likelihood."""

Head = Annotated[PointHead | QuantilesHead | Distribution, Field(discriminator="kind")]

COUNT_HEADS = (PoissonHead, NegativeBinomialHead)
"""What wants a target of counts."""

POSITIVE_HEADS = (*COUNT_HEADS, TweedieHead)
"""What wants a target without numbers below zero."""


def learns_at_every_step(spec: ForecasterSpec) -> bool:
    """Whether the loss is taken after every step of the context, so that nothing in the network may see ahead."""
    return isinstance(spec.decoder, ForkingDecoder | RecursiveDecoder)


def _the_target() -> dict[str, Input]:
    return {"target": Input(columns=("y",))}


class ForecasterSpec(Description):
    """The whole description, versioned. `context` and `horizon` may be left to the job.

    Where `min_context` is less than the context, so many steps are enough to learn and to forecast from: what a series has not before them
    is as if it had not been observed.
    """

    version: Literal[1] = 1
    context: Steps | None = None
    min_context: Steps | None = None
    horizon: Steps | None = None
    inputs: dict[Name, Input] = Field(default_factory=_the_target, min_length=1, max_length=64)
    scaling: Scaling = Scaling()
    network: Block
    decoder: Decoder = DirectDecoder(kind="direct")
    head: Head = QuantilesHead(kind="quantiles")
    training: Training = Training()

    @property
    def least_context(self) -> int:
        """Steps of a history that are enough."""
        return min(self.min_context or self.context or 1, self.context or 1)

    @property
    def member_contexts(self) -> tuple[int, ...]:
        """Steps that each member of an ensemble looks back; of one network the context."""
        turn = (self.context or 1, *(self.training.contexts or ()))
        return tuple(turn[member % len(turn)] for member in range(self.training.members))
