"""How does a job of the kind `train` go, from its claim to its stored model?

load -> windows -> network -> [checkpoint] -> for event in fit(...) -> forecaster -> scores -> artifact -> model, succeeded
points, lease, orders, checkpoints
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from sqlalchemy.orm import Session
from torch import Tensor

from app.errors import BraidcastError
from app.forecasting.checkpoint import dump, pack, unpack
from app.forecasting.forecaster import Forecaster
from app.nets.build import Network, build
from app.series.time_values import TimeKind
from app.spec.forecaster import ForecasterSpec
from app.spec.parse import parse_spec, spec_digest
from app.spec.phases import plan
from app.spec.stages import REFERENCE
from app.store.leases import NewModel, succeed
from app.store.progress import forget_checkpoints
from worker.asked import device_of, is_compared, season_of, threads_of
from worker.attempt import Attempt
from worker.lineage import lineage_of
from worker.loading import load_panel
from worker.memory import give_back_freed_memory
from worker.origins import inherited_weights, inlaid_weights
from worker.reading import Reading
from worker.training.comparison import compare, members_of, network_aside
from worker.training.events import Batch, Epoch, Event, Halved, Part, RateFound, Rollback, Trial
from worker.training.findings import find, find_in
from worker.training.fit import Training, fit
from worker.training.material import Material, prepare
from worker.training.state import StageOutcome
from worker.training.verdict import forecaster_of, learnt_on, score

log = logging.getLogger(__name__)


class TrainAttempt(Attempt):
    """An attempt at a training: it goes on from the newest checkpoint."""

    def _work(self) -> None:
        self._ledger.note({"phase": "prepare"})
        self._train(parse_spec(self._claim.spec))

    def _train(self, spec: ForecasterSpec) -> None:
        """Train a complete description, from the newest checkpoint on, and store the model."""
        training, time_kind = self._set_out(spec)
        spec, material = training.spec, training.material
        if not self._resume(training):
            self._begin(spec, training)
        self._heed()
        give_back_freed_memory()  # what the data took on its way
        self._fit(training)
        for finding in (*find_in(material.panel, spec), *find(training.progress.history, training.progress.look)):
            self._ledger.tell("finding", asdict(finding))
        training.finish()
        self._ledger.note(self._told({**Reading(training).progress(), "phase": "score"}))
        judged, final = members_of(spec, training)
        forecaster = self._forecaster(spec, judged, material, time_kind)
        scores = score(forecaster, material, forecaster.season)
        if REFERENCE in training.kept:
            reference = self._forecaster(spec, [network_aside(spec, training, REFERENCE)], material, time_kind)
            joint = score(reference, material, reference.season)["model"]
            self._ledger.tell("comparison", asdict(compare(training.progress.outcomes, scores["model"], joint)))
        self._heed()
        self._ledger.note(self._told(Reading(training).progress()))  # what a job that has ended tells: its last phase
        self._store(learnt_on(forecaster, final, material.split), training, scores)

    def _set_out(self, spec: ForecasterSpec) -> tuple[Training, TimeKind]:
        """A training before its first batch, and what kind of times its data has."""
        torch.set_num_threads(threads_of(spec, self._workplace.threads))
        device = device_of(self._claim.request)
        loaded = load_panel(self._workplace.artifacts, self._claim.dataset_digest, self._claim.freq, spec)
        stages = plan(loaded.spec, is_compared=is_compared(self._claim.request), is_inherited=self._claim.origin_id is not None)
        material = prepare(loaded.spec, loaded.panel, device)
        return Training(loaded.spec, build(loaded.spec), material, device, stages), loaded.time_kind

    def _begin(self, spec: ForecasterSpec, training: Training) -> None:
        """Begin with the weights of models in the network, and of the job's origin as far as they fit."""
        weights, artifacts = inlaid_weights(training.network, self._workplace.artifacts), self._workplace.artifacts
        if self._claim.origin_digest is not None:
            inherited, told = inherited_weights(spec, self._claim.origin_id, self._claim.origin_digest, artifacts)
            weights = {**inherited, **weights}
            self._ledger.tell("inherited", told)
        if weights:
            training.begin_with(weights)

    def _resume(self, training: Training) -> bool:
        """Go on from the newest checkpoint that can be read; whether there is one."""
        for checkpoint in self._claim.checkpoints:
            try:
                tensors, document = unpack(self._workplace.artifacts.read(checkpoint.digest))
            except BraidcastError as error:
                # An older one leads to the same numbers, only later.
                log.warning("Job %s: checkpoint at step %d cannot be read: %s", self._claim.lease.job_id, checkpoint.step, error)
                continue
            self._restore(training, tensors, document)
            self._seconds_before = document["seconds"]
            return True
        return False

    def _restore(self, training: Training, tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> None:
        """Put a training where a checkpoint was made of it."""
        training.restore(tensors, document)

    def _fit(self, training: Training) -> None:
        reading = Reading(training)
        for event in self._events(training):
            points = reading.points(event)
            if points or self._ledger.is_note_due or not isinstance(event, Batch):
                self._ledger.note(self._told(reading.progress()), *points)
            self._tell(event, training)
            if isinstance(event, Epoch):
                give_back_freed_memory()  # what validation and looks took: otherwise a training's peak is that of all in turn
            self._heed(lambda: self._checkpoint(training, is_best=False))
            if self._ledger.is_checkpoint_due and not isinstance(event, Part | Trial):
                self._checkpoint(training, is_best=isinstance(event, Epoch) and event.is_best)
        self._ledger.flush()

    def _events(self, training: Training) -> Iterator[Event]:
        """What happens, as it does."""
        return fit(training)

    def _tell(self, event: Event, training: Training) -> None:
        match event:
            case StageOutcome():
                self._ledger.flush()  # a phase's end comes after its points
                self._ledger.tell("phase", {"stage": training.progress.stage, **asdict(event)})
                self._ledger.tell("gradients", asdict(training.progress.look))
            case RateFound():
                self._ledger.flush()
                self._ledger.tell("range_test", {**asdict(event), "stage": event.stage + 1})
            case Rollback():
                self._warn(f"the loss was {event.loss} at batch {event.step}: back to the best weights, at half the learning rate")
            case Halved():
                self._warn(f"not enough memory for a batch: from step {event.step} on it is computed in parts of {event.windows} windows")
            case _:
                return

    def _warn(self, message: str) -> None:
        self._ledger.tell("log", {"level": "warning", "message": message})

    def _told(self, progress: dict[str, object]) -> dict[str, object]:
        """How far the job is, by how far its training is."""
        return progress

    def _lineage(self, forecaster: Forecaster, training: Training) -> dict[str, Any]:
        return lineage_of(self._claim, forecaster, training, self._seconds())

    def _checkpoint(self, training: Training, *, is_best: bool) -> None:
        def content() -> bytes:
            tensors, document = training.capture()
            return pack(tensors, document | {"seconds": self._seconds()})

        self._ledger.checkpoint(content, training.progress.step, is_best=is_best)

    def _forecaster(self, spec: ForecasterSpec, networks: Sequence[Network], material: Material, time_kind: TimeKind) -> Forecaster:
        season = season_of(self._claim.request, self._claim.season)
        return forecaster_of(spec, networks, material, freq=self._claim.freq, season=season, time_kind=time_kind)

    def _store(self, forecaster: Forecaster, training: Training, scores: dict[str, Any]) -> None:
        content = dump(forecaster)
        new = NewModel(
            name=self._claim.name,
            digest=self._ledger.store(content),
            size_bytes=len(content),
            spec=forecaster.spec.model_dump(mode="json", by_alias=True),
            spec_digest=spec_digest(forecaster.spec),
            parameters=sum(parameter.numel() for network in forecaster.members for parameter in network.parameters()),
            freq=forecaster.freq,
            scores=scores,
            lineage=self._lineage(forecaster, training),
        )

        def write(db: Session) -> list[str]:
            unneeded = self._forget(db)
            succeed(db, self._claim.lease, new)
            return unneeded

        for digest in self._ledger.end(write):
            self._workplace.artifacts.delete(digest)

    def _forget(self, db: Session) -> list[str]:
        """Let go of what the job could go on from, now that it has ended; the digests that nothing points at any more."""
        return forget_checkpoints(db, self._claim.lease)
