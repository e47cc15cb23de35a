"""How is a network trained? Loss is the head's matter; here are the optimiser, its schedule, and when to stop."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from app.spec.cells import Description, Name

Epochs = Annotated[int, Field(ge=1, le=10_000)]
LearningRate = Annotated[float, Field(gt=0.0, le=10.0)]
Patience = Annotated[int, Field(ge=1)]
Folds = Annotated[int, Field(ge=2, le=20)]


class Phase(Description):
    """Who learns for a while. One of `learn`, `only` and `freeze` says it; what is left out is as in `Training`.

    Attributes:
        learn: `all` together; `layer by layer` one block of the stack after another, each with a head of its own while those before it are
            frozen; `each branch` of a connection with a head of its own, then what follows the connection; `reconstruct` each autoencoder,
            to rebuild what it reads.
        only: exactly these blocks, by their names; `decoder` is the map from the newest state to the horizon.
        freeze: everything but these blocks.
        folds: of `each branch`: the merge learns on outputs of branches that have not seen the windows which it learns from, each trained
            without one fold of so many (Wolpert 1992). The branches are trained so many times more.
        epochs: of each of its steps, at most.
        lr: learning rate at the start of each of its steps.
        patience: epochs without a better validation loss before a step ends; null waits for all epochs. Only where it is left out is it the
            training's, so a document that is written out leaves it out too.
    """

    learn: Literal["all", "layer by layer", "each branch", "reconstruct"] | None = None
    only: Annotated[tuple[Name, ...], Field(min_length=1, strict=False)] | None = None
    freeze: Annotated[tuple[Name, ...], Field(min_length=1, strict=False)] | None = None
    folds: Folds | None = None
    epochs: Epochs | None = None
    lr: LearningRate | None = None
    patience: Patience | None = None

    @model_serializer(mode="wrap")
    def _leave_out_what_was(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = write(self)
        written.pop("patience", None)
        return written | ({"patience": self.patience} if "patience" in self.model_fields_set else {})


class Training(Description):
    """How a network learns.

    Attributes:
        phases: who learns when, one after another; by default all together.
        epochs: passes over the training windows, at most.
        batch_size: windows a step.
        steps_per_epoch: batches an epoch at most; windows are drawn anew each epoch when there are more.
        lr: learning rate at the start.
        schedule: `cosine` takes the rate to zero over all epochs, `constant` leaves it.
        optimizer: `adam` (Kingma and Ba 2015), `adamw` (Loshchilov and Hutter 2019), `rmsprop` (Tieleman and Hinton 2012) or `sgd`.
        momentum: of `sgd` (Nesterov's) and `rmsprop`.
        weight_decay: of all but `adam`.
        clip_norm: the gradient's norm at most; null leaves it.
        clip_value: the size of each of its numbers at most, before its norm is taken; null leaves them.
        patience: epochs without a better validation loss before training stops; null trains all epochs. The best weights are kept.
        seed: of the initial weights, the order of windows and the dropout masks.
    """

    phases: Annotated[tuple[Phase, ...], Field(min_length=1, max_length=32, strict=False)] = (Phase(learn="all"),)
    epochs: Epochs = 50
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 32
    steps_per_epoch: Annotated[int, Field(ge=1, le=100_000)] = 200
    lr: LearningRate = 1e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    clip_norm: Annotated[float, Field(gt=0.0)] | None = 1.0
    clip_value: Annotated[float, Field(gt=0.0)] | None = None
    patience: Patience | None = 10
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
