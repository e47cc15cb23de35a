"""How is a network trained? Loss is the head's matter; here are the optimiser, its schedule, and when to stop."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, SerializerFunctionWrapHandler, Tag, model_serializer

from app.spec.cells import Description, Name
from app.spec.schedules import Schedule

Epochs = Annotated[int, Field(ge=1, le=10_000)]
Batch = Annotated[int, Field(ge=1, le=65_536)]
Patience = Annotated[int, Field(ge=1)]


def _word_or_number(written: object) -> str:
    return "word" if isinstance(written, str) else "number"


LearningRate = Annotated[
    Annotated[float, Field(gt=0.0, le=10.0), Tag("number")] | Annotated[Literal["auto"], Tag("word")], Discriminator(_word_or_number)
]
"""A rate, or `auto`: found by a range test (Smith 2017) before the first epoch."""

BatchSize = Annotated[Annotated[Batch, Tag("number")] | Annotated[Literal["full"], Tag("word")], Discriminator(_word_or_number)]
"""Windows of a batch, or `full`: all there are."""

Contexts = Annotated[tuple[Annotated[int, Field(ge=1, le=100_000)], ...], Field(min_length=1, max_length=16, strict=False)]

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
        batch_size: windows whose gradients are computed at once; `full` makes one step of all windows an epoch, computed in parts that fit
            into memory.
        accumulate: batches a step, as one of so many times the windows: the gradient is the same to rounding.
        steps_per_epoch: steps an epoch at most; windows are drawn anew each epoch when there are more.
        lr: learning rate at the start, before `warmup` and `schedule`. `auto` finds it by a range test (Smith 2017) on the weights that the
            training, or its phase, begins with.
        schedule: `cosine` takes the rate to zero over all epochs, `constant` leaves it; `step`, `plateau` and `one_cycle` are objects.
        warmup: share of all steps in which the rate rises along a line from nothing; the schedule has the rest of them.
        optimizer: `adam` (Kingma and Ba 2015), `adamw` (Loshchilov and Hutter 2019), `rmsprop` (Tieleman and Hinton 2012) or `sgd`.
        momentum: of `sgd` (Nesterov's) and `rmsprop`.
        weight_decay: of all but `adam`.
        clip_norm: the gradient's norm at most; null leaves it.
        clip_value: the size of each of its numbers at most, before its norm is taken; null leaves them.
        patience: epochs without a better validation loss before training stops; null trains all epochs. The best weights are kept.
        refit: whether the network learns on in the end, from the newest windows too, which were held back to stop by and to be scored on:
            for half of the last phase's epochs, from its best weights. The scores are those of the network before.
        members: networks of an ensemble, each drawn and trained on its own, one after another; their forecasts are combined by the median.
        contexts: shorter contexts, rising, that members have in turn after the document's own: they read the newest steps of its windows.
        average: newest epochs of a stage whose weights are averaged; their mean is validated, kept and stored (Izmailov et al. 2018).
            It suits the schedule `constant`, whose last steps are noisy.
        min_delta: by how much the validation loss must fall for patience to begin anew, of the training and of `plateau`.
        input_noise: deviation of normal noise on inputs that are known up to the cutoff, while training: on the target's history and past
            covariates as the network reads them, scaled. Calendar features, what is known ahead, and what is to be forecast have none.
        precision: `bfloat16` computes products in half the bits where the device can (automatic mixed precision); weights, loss, validation
            and the model that is stored stay in single precision.
        seed: of the initial weights, the order of windows, the dropout masks and the noise.
    """

    phases: Annotated[tuple[Phase, ...], Field(min_length=1, max_length=32, strict=False)] = (Phase(learn="all"),)
    epochs: Epochs = 50
    batch_size: BatchSize = 32
    accumulate: Annotated[int, Field(ge=1, le=4096)] = 1
    steps_per_epoch: Annotated[int, Field(ge=1, le=100_000)] = 200
    lr: LearningRate = 1e-3
    schedule: Schedule = "cosine"
    warmup: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    weight_decay: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    clip_norm: Annotated[float, Field(gt=0.0)] | None = 1.0
    clip_value: Annotated[float, Field(gt=0.0)] | None = None
    patience: Patience | None = 10
    refit: bool = False
    members: Annotated[int, Field(ge=1, le=64)] = 1
    contexts: Contexts | None = None
    average: Annotated[int, Field(ge=1, le=50)] = 1
    min_delta: Annotated[float, Field(ge=0.0)] = 0.0
    input_noise: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    precision: Literal["float32", "bfloat16"] = "float32"
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
