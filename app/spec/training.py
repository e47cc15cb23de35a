"""How is a network trained? Loss is the head's matter; here are the optimiser, its schedule, and when to stop."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.spec.blocks import Description


class Training(Description):
    """One phase of joint training.

    Attributes:
        epochs: passes over the training windows, at most.
        batch_size: windows a step.
        steps_per_epoch: batches an epoch at most; windows are drawn anew each epoch when there are more.
        lr: learning rate at the start.
        schedule: `cosine` takes the rate to zero over all epochs, `constant` leaves it.
        optimizer: `adam` (Kingma and Ba 2015) or `adamw` (Loshchilov and Hutter 2019).
        weight_decay: of `adamw`.
        clip_norm: the gradient's norm at most; null leaves it.
        patience: epochs without a better validation loss before training stops; null trains all epochs. The best weights are kept.
        seed: of the initial weights, the order of windows and the dropout masks.
    """

    epochs: Annotated[int, Field(ge=1, le=10_000)] = 50
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 32
    steps_per_epoch: Annotated[int, Field(ge=1, le=100_000)] = 200
    lr: Annotated[float, Field(gt=0.0, le=10.0)] = 1e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    optimizer: Literal["adam", "adamw"] = "adam"
    weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    clip_norm: Annotated[float, Field(gt=0.0)] | None = 1.0
    patience: Annotated[int, Field(ge=1)] | None = 10
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
