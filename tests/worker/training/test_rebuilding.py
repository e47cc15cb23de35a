"""An autoencoder learns to rebuild what it reads, wherever it stands, and nothing else learns meanwhile."""

from typing import Any

import numpy as np
import pytest
import torch

from app.errors import SpecError
from app.nets.autoencoder import Autoencoder
from app.nets.build import build
from app.nets.run import Run
from app.spec.compile import compile_spec
from app.spec.forecaster import ForecasterSpec
from app.spec.limits import NetworkLimits
from app.spec.phases import plan
from tests.strategies_specs import connect, stack
from tests.worker.training.lessons import spec_of, training_of, waves
from tests.worker.training.test_stage import stage_by_stage
from worker.training import stage as stage_module
from worker.training.events import Epoch
from worker.training.fit import fit
from worker.training.rebuilding import Rebuilder, in_forecasts
from worker.training.state import StageOutcome

CODES: dict[str, Any] = {
    "kind": "autoencoder",
    "encoder": {"kind": "gru", "units": 6},
    "code": 3,
    "decoder": {"kind": "lstm", "units": 6},
    "name": "codes",
}
GRU: dict[str, Any] = {"kind": "gru", "units": 4}
DENSE: dict[str, Any] = {"kind": "dense", "units": 3}
LAST: dict[str, Any] = {"kind": "last"}
NESTED = stack(GRU, connect(stack({**DENSE, "from": "weather"}, CODES), stack({**GRU, "name": "beside"}, LAST)), DENSE)
NETWORKS: dict[str, dict[str, Any]] = {"first of the stack": stack(CODES, DENSE), "alone": CODES, "in a branch": NESTED}
INPUTS = {"demand": {"columns": ["y"]}, "weather": {"columns": ["x"]}}
PHASES = [{"learn": "reconstruct", "epochs": 3}, {"learn": "all", "epochs": 1}]
each_network = pytest.mark.parametrize("name", NETWORKS)


def rebuilding(name: str, phases: list[dict[str, Any]] | None = None) -> ForecasterSpec:
    training = {"phases": phases or PHASES, "batch_size": 32, "lr": 0.01, "patience": None}
    return spec_of(network=NETWORKS[name], inputs=INPUTS, training=training)


@each_network
def test_the_phase_trains_all_of_the_autoencoder_and_nothing_else(name: str) -> None:
    (_, before, after, learners), (_, again, last, later) = stage_by_stage(training_of(rebuilding(name)))
    own = {weight for weight in before if ".encoder." in weight or ".decoder." in weight or ".rebuilt." in weight or ".code." in weight}
    assert learners == own
    assert all(torch.equal(before[weight], after[weight]) == (weight not in own) for weight in before)
    # What rebuilds runs in no forecast, and learns in no other phase.
    idle = {weight for weight in own if ".rebuilt." in weight or ".decoder." in weight}
    assert later.isdisjoint(idle)
    assert all(torch.equal(again[weight], last[weight]) == (weight in idle) for weight in again)


@each_network
def test_it_rebuilds_better_than_before(name: str) -> None:
    training = training_of(rebuilding(name, [{"learn": "reconstruct", "epochs": 12}, {"learn": "all", "epochs": 1}]))
    outcome = next(event for event in fit(training) if isinstance(event, StageOutcome))
    assert outcome.name == "reconstruct codes"
    assert outcome.val_loss is not None
    assert outcome.val_loss_before is not None
    assert outcome.val_loss < 0.9 * outcome.val_loss_before


def test_what_stands_before_it_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    cached = [event.train_loss for event in fit(training_of(rebuilding("in a branch"))) if isinstance(event, Epoch)]
    again = training_of(rebuilding("in a branch"))
    next(iter(fit(again)))
    assert again.run._caches[id(again.lessons.train)] is not None
    monkeypatch.setattr(stage_module, "CACHE_BYTES", 0)
    computed = [event.train_loss for event in fit(training_of(rebuilding("in a branch"))) if isinstance(event, Epoch)]
    assert cached == pytest.approx(computed, rel=1e-4)


def test_its_loss_is_the_squared_error_of_the_steps_that_were_observed() -> None:
    training = training_of(rebuilding("first of the stack"), waves(missing=0.3))
    rows = np.arange(5)
    windows = training.material.source.batch(training.lessons.train[rows])
    assert not windows.seen.all()
    autoencoder: Autoencoder = in_forecasts(training.network.body)[0]
    sequence = torch.cat(list(windows.inputs.values()), dim=2)
    errors = (autoencoder.rebuild(sequence, Run(dict(windows.inputs))) - sequence).square().mean(dim=2)
    found = training.run.loss(training.head, windows, training.lessons.train, rows)
    torch.testing.assert_close(found, errors[windows.seen].mean())


def test_a_piece_of_several_steps_counts_where_one_was_observed() -> None:
    pieces = stack({"kind": "segment", "width": 2}, CODES, DENSE)
    spec = spec_of(network=pieces, inputs=INPUTS, training={"phases": PHASES})
    network = build(spec)
    network.initialise()
    rebuilder = Rebuilder(network, 0)
    sequence, seen = torch.randn(3, 7, 4), torch.ones(3, 14, dtype=torch.bool)
    whole = rebuilder.loss(sequence, Run({}), seen)
    seen[:, 1::2] = False
    torch.testing.assert_close(rebuilder.loss(sequence, Run({}), seen), whole)
    nothing, count = rebuilder.loss(sequence, Run({}), torch.zeros_like(seen))
    assert nothing == 0.0
    assert count == 0.0


def test_each_of_several_autoencoders_has_a_stage_of_its_own() -> None:
    other = {**CODES, "name": "other", "from": "weather"}
    spec = spec_of(network=connect(CODES, other), inputs=INPUTS, training={"phases": PHASES})
    compile_spec(spec, NetworkLimits())
    assert [stage.name for stage in plan(spec)] == ["reconstruct codes", "reconstruct other", "all"]
    learners = [learners for _, _, _, learners in stage_by_stage(training_of(spec))]
    assert learners[0].isdisjoint(learners[1])


@pytest.mark.parametrize(
    ("network", "phases", "pointer", "sentence"),
    [
        (stack(GRU, DENSE), PHASES, "0/learn", "the network has no block 'autoencoder'"),
        (CODES, PHASES[:1], "0/learn", "nothing learns to forecast from the codes that the last phase leaves"),
        (CODES, [*PHASES, {"only": ["rebuilds"]}], "2/only", "this phase trains nothing"),
    ],
)
def test_a_phase_that_does_nothing_is_refused(network: dict[str, Any], phases: list[dict[str, Any]], pointer: str, sentence: str) -> None:
    named = {**network, "decoder": {**network["decoder"], "name": "rebuilds"}} if "decoder" in network else network
    with pytest.raises(SpecError) as caught:
        compile_spec(spec_of(network=named, training={"phases": phases}), NetworkLimits())
    assert sentence in {fault.pointer: fault.detail for fault in caught.value.faults}[f"#/training/phases/{pointer}"]


def test_an_autoencoder_that_never_rebuilds_is_warned_of() -> None:
    (warning,) = compile_spec(spec_of(network=CODES, training={"phases": [{"learn": "all"}]}), NetworkLimits()).warnings
    assert "'codes' learns its code with the forecast, and its decoder nothing" in warning
    assert compile_spec(spec_of(network=CODES, training={"phases": PHASES}), NetworkLimits()).warnings == ()
