"""How does the learning rate move while a network learns? A schedule is a name, or an object where it has options."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from app.spec.cells import Description

Factor = Annotated[float, Field(gt=0.0, lt=1.0)]
Epochs = Annotated[int, Field(ge=1, le=10_000)]


class StepSchedule(Description):
    """The rate times `factor` after every so many epochs.

    Attributes:
        every: epochs between two cuts.
        factor: what the rate is multiplied by.
    """

    kind: Literal["step"]
    every: Epochs
    factor: Factor = 0.1


class PlateauSchedule(Description):
    """The rate times `factor` whenever the validation loss has not got better for some epochs. Without validation windows it stays.

    Attributes:
        factor: what the rate is multiplied by.
        patience: epochs without a better validation loss (see `min_delta`) since the best one, or since the last cut.
    """

    kind: Literal["plateau"]
    factor: Factor = 0.5
    patience: Epochs = 3


class OneCycleSchedule(Description):
    """One rise to the rate and one fall to nothing (Smith 2018), the fall along a cosine; the momentum stays.

    Attributes:
        rise: share of all steps in which the rate rises, along a line.
        divide: the rate begins at its height over this.
    """

    kind: Literal["one_cycle"]
    rise: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.3
    divide: Annotated[float, Field(gt=1.0, le=1e6)] = 25.0


def _kind_of(written: Any) -> object:
    """Which schedule is meant: a name says it, an object's `kind`, or what was already read."""
    if isinstance(written, dict):
        return written.get("kind")
    return getattr(written, "kind", written)


Schedule = Annotated[
    Annotated[Literal["cosine"], Tag("cosine")]
    | Annotated[Literal["constant"], Tag("constant")]
    | Annotated[StepSchedule, Tag("step")]
    | Annotated[PlateauSchedule, Tag("plateau")]
    | Annotated[OneCycleSchedule, Tag("one_cycle")],
    Discriminator(_kind_of),
]
"""Every schedule."""

SCHEDULES: dict[str, type[Description] | None] = {
    "cosine": None,
    "constant": None,
    "step": StepSchedule,
    "plateau": PlateauSchedule,
    "one_cycle": OneCycleSchedule,
}
"""Their names, each with its options where it has some."""
