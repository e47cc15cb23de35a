"""How is a training shared with workers that have nothing to do? Stages that need nothing of one another become jobs.

    training  ... -> [checkpoint, jobs of the kind `stage`] -> does what nobody has begun, waits for the rest -> takes all over -> ...
    stage     checkpoint of the training -> one stage of it -> checkpoint, succeeded

The training does not give its place away while it waits: a stage that comes back to the queue, as its worker was lost, is done here if
nobody else is there (docs/decisions/0032).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

from sqlalchemy.orm import Session
from torch import Tensor

from app.errors import InterruptedJobError, JobError, LeaseLostError, UnavailableError
from app.forecasting.checkpoint import pack, unpack
from app.logs import bound
from app.spec.parse import parse_spec
from app.spec.phases import side_by_side
from app.spec.stages import Stage
from app.store.jobs import mark_dispatched
from app.store.leases import Claim, claim, finish
from app.store.parts import Beginning, Part, count_idle, forget_parts, insert_parts, list_parts, newest_checkpoint
from app.store.progress import Point, list_events, list_points, record_checkpoint
from worker.attempt import StoppedError, Workplace, attempt_at
from worker.counting import process_name
from worker.heartbeat import Heartbeat, Order
from worker.reading import Reading, steps_at_most
from worker.train import TrainAttempt
from worker.training.aside import Taken, confine, take_over
from worker.training.events import Event
from worker.training.fit import Training, fit
from worker.training.state import StageOutcome

PAUSE_SECONDS = 0.5
"""Between two looks at stages that others do."""

RETOLD = ("log", "range_test")
"""Events of a stage that its training tells too; it tells of the phase and of the gradients itself."""

MOST_TOLD = 100_000

log = logging.getLogger(__name__)


class StageAttempt(TrainAttempt):
    """An attempt at a run of stages of another job's training.

    Args:
        claimed: the stage.
        workplace: what to run it with.
        heartbeat: keeps its lease.
        beside: called after each batch, where a training does the stage itself and has to tell how far it is.
    """

    def __init__(self, claimed: Claim, workplace: Workplace, heartbeat: Heartbeat, beside: Callable[[], None] | None = None) -> None:
        super().__init__(claimed, workplace, heartbeat)
        self._beside = beside

    def _work(self) -> None:
        self._ledger.note({"phase": "prepare"})
        training, _ = self._set_out(parse_spec(self._claim.spec))
        if not self._resume(training):
            raise JobError("what this stage was to begin with cannot be read; ask for its training anew", code="internal")
        self._heed()
        self._fit(training)
        self._hand_over(training)

    def _restore(self, training: Training, tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> None:
        confine(training, range(*self._claim.request["stages"]), tensors, document)

    def _events(self, training: Training) -> Iterator[Event]:
        for event in fit(training):
            yield event
            if self._beside is not None:
                self._beside()

    def _told(self, progress: dict[str, object]) -> dict[str, object]:
        """How far the stage is: what is told of the whole training is its own matter."""
        return {**progress, "fraction": None, "eta_seconds": None}

    def _hand_over(self, training: Training) -> None:
        tensors, document = training.capture()
        content = pack(tensors, document | {"seconds": self._seconds()})
        digest, lease, step = self._ledger.store(content), self._claim.lease, training.progress.step

        def write(db: Session) -> list[str]:
            unneeded = record_checkpoint(db, lease, digest, len(content), step, is_best=True)
            finish(db, lease)
            return unneeded

        for old in self._ledger.end(write):
            self._workplace.artifacts.delete(old)


class SharedAttempt(TrainAttempt):
    """An attempt at a training, whose stages others may do."""

    def _events(self, training: Training) -> Iterator[Event]:
        self._share(training)
        for event in fit(training):
            yield event
            if isinstance(event, StageOutcome):
                self._share(training)

    def _share(self, training: Training) -> None:
        """Have the next stages done by whoever has time, where they can be done at once; otherwise they are done here, one by one."""
        if training.is_done or training.progress.stage_step:
            return
        runs = side_by_side(training.spec, training.stages, training.progress.stage)
        stages = {run: _name_of(training.stages[run.start : run.stop]) for run in runs}
        parts = self._ledger.settle(lambda db: list_parts(db, self._claim.lease, stages))
        if not parts and len(stages) > 1 and self._ledger.settle(lambda db: count_idle(db, self._claim.queue)):
            parts = self._hand_out(training, stages)
        if not parts:
            return
        self._await(training, stages)
        for part in parts:
            self._take_over(training, part)

    def _hand_out(self, training: Training, stages: Mapping[range, str]) -> Sequence[Part]:
        tensors, document = training.capture()
        content = pack(tensors, document | {"seconds": 0.0})
        beginning = Beginning(self._ledger.store(content), len(content), training.progress.step)
        parts = self._ledger.settle(lambda db: insert_parts(db, self._claim.lease, stages, beginning))
        self._announce(parts[1:])  # the first is done here, at once
        return parts

    def _announce(self, parts: Sequence[Part]) -> None:
        if self._workplace.queue is None:
            return
        for part in parts:
            try:
                self._workplace.queue.submit(part.job_id, self._claim.queue, part.priority)
            except UnavailableError as error:
                log.warning("Not announced: %s", error.detail)
                return
            self._ledger.settle(partial(mark_dispatched, job_id=part.job_id))

    def _await(self, training: Training, stages: Mapping[range, str]) -> None:
        """Do what nobody has begun, and wait for the others.

        Raises:
            JobError: a stage has failed.
            StoppedError: the training was cancelled, or is told to stop.
        """
        while True:
            self._heed(lambda: self._checkpoint(training, is_best=False))
            parts = self._look_after(training, stages)
            for part in parts:
                _raise_if_ended_early(part)
            if all(part.status == "succeeded" for part in parts):
                return
            beside = partial(self._look_beside, training, stages)
            if not any(self._do(part, beside) for part in parts if part.status == "queued"):
                time.sleep(PAUSE_SECONDS)

    def _look_after(self, training: Training, stages: Mapping[range, str]) -> Sequence[Part]:
        """How the stages are, and how far the training is with them."""
        parts = self._ledger.settle(lambda db: list_parts(db, self._claim.lease, stages))
        step = training.progress.step + sum(part.step - part.begun_at for part in parts)
        names = ", ".join(stages[part.stages] for part in parts if part.status != "succeeded")
        told = Reading(training).progress()
        fraction = round(min(1.0, step / steps_at_most(training)), 4)
        self._ledger.note({**told, "phase": names or told["phase"], "step": step, "fraction": fraction})
        return parts

    def _look_beside(self, training: Training, stages: Mapping[range, str]) -> None:
        try:
            self._heartbeat.raise_if_lost()
            if self._ledger.is_note_due:
                self._look_after(training, stages)
        except LeaseLostError:
            raise StoppedError(Order.DRAIN) from None  # the training is another attempt's, and the stage whoever's takes it

    def _do(self, part: Part, beside: Callable[[], None]) -> bool:
        """Do a stage here, if nobody else has taken it."""
        place = self._workplace
        claimed = self._ledger.settle(lambda db: claim(db, part.job_id, worker=process_name(), lease_seconds=place.lease_seconds))
        if claimed is not None:
            with bound(job_id=part.job_id, attempt=claimed.lease.attempt):
                attempt_at(partial(StageAttempt, beside=beside), claimed, place, self._heartbeat.drain)
        return claimed is not None

    def _take_over(self, training: Training, part: Part) -> None:
        lease = self._claim.lease
        digest = self._ledger.settle(lambda db: newest_checkpoint(db, lease, part.job_id))
        taken = take_over(training, part.stages, *unpack(self._workplace.artifacts.read(digest)), begun_at=part.begun_at)
        points = self._ledger.settle(lambda db: list_points(db, lease.owner, part.job_id, 0, MOST_TOLD))
        events = self._ledger.settle(lambda db: list_events(db, lease.owner, part.job_id, 0, MOST_TOLD, RETOLD))
        here = [_moved(Point(point.step, point.values), taken) for point in points]
        self._ledger.note(self._told(Reading(training).progress()), *here)
        self._ledger.flush()  # a phase's end comes after its points
        for event in events:
            self._ledger.tell(event.kind, event.data)
        for number, outcome in zip(part.stages, taken.outcomes, strict=True):
            self._ledger.tell("phase", {"stage": number + 1, **asdict(outcome), "job": part.job_id})
        self._ledger.tell("gradients", asdict(training.progress.look))

    def _forget(self, db: Session) -> list[str]:
        return [*super()._forget(db), *forget_parts(db, self._claim.lease)]


def _name_of(stages: Sequence[Stage]) -> str:
    """What a run of stages is called: as its only stage, or as the member that all are of."""
    return stages[0].name if len(stages) == 1 else stages[0].name.partition(", ")[2]


def _moved(point: Point, taken: Taken) -> Point:
    """A point of a part, as its training counts."""
    values = {name: _add(value, taken.epochs if name == "epoch" else 0) for name, value in point.values.items()}
    return Point(point.step + taken.steps, values)


def _add(value: float | None, more: int) -> float | None:
    return value if value is None else value + more


def _raise_if_ended_early(part: Part) -> None:
    if part.status == "cancelled":  # nobody cancels a stage alone: its own heartbeat has heard of the training's cancel first
        raise StoppedError(Order.CANCEL)
    if part.status == "failed":
        error = part.error or {"code": "internal", "message": "it does not say why", "pointer": None, "retryable": True}
        kind = InterruptedJobError if error["retryable"] else JobError
        sentence = f"stage {part.stages.start + 1}, {part.job_id}: {error['message']}"
        raise kind(sentence, code=error["code"], pointer=error["pointer"] or "")
