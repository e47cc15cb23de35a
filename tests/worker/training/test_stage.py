"""A stage trains what it says and nothing else, computes what is frozen once, and can be killed between any two batches."""

from itertools import islice
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from app.forecasting.checkpoint import pack, unpack
from app.spec.phases import plan
from tests.worker.training.lessons import said, spec_of, training_of
from worker.training import stage as stage_module
from worker.training.fit import Training, fit, validation_loss
from worker.training.state import StageOutcome

STACK: dict[str, Any] = {
    "kind": "stack",
    "blocks": [
        {"kind": "lstm", "units": 6, "dropout": 0.3, "name": "first"},
        {"kind": "gru", "units": 5, "name": "second"},
        {"kind": "connect", "branches": [{"kind": "elman", "units": 4, "from": "first"}, {"kind": "dense", "units": 3}]},
    ],
}
BRANCHES: dict[str, Any] = {
    "kind": "stack",
    "blocks": [
        {
            "kind": "connect",
            "name": "both",
            "branches": [{"kind": "lstm", "units": 4, "from": "demand"}, {"kind": "gru", "units": 3, "from": "weather", "name": "wind"}],
        },
        {"kind": "dropout", "rate": 0.2},
        {"kind": "lstm", "units": 5},
    ],
}
INPUTS = {"demand": {"columns": ["y"]}, "weather": {"columns": ["x"]}}
PHASES: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "layer by layer": (STACK, [{"learn": "layer by layer", "epochs": 1}, {"learn": "all", "epochs": 1, "lr": 1e-4}]),
    "each branch": (BRANCHES, [{"learn": "each branch", "epochs": 2}]),
    "only and freeze": (STACK, [{"only": ["second", "decoder"], "epochs": 1}, {"freeze": ["first"], "epochs": 1}]),
}
FOLDED: dict[str, Any] = {"each branch with folds": (BRANCHES, [{"learn": "each branch", "folds": 2, "epochs": 1}])}
CODES = {"kind": "autoencoder", "encoder": {"kind": "gru", "units": 3}, "code": 2, "decoder": {"kind": "elman", "units": 3}}
REBUILT: dict[str, Any] = {
    "reconstruct": (
        {"kind": "stack", "blocks": [{"kind": "lstm", "units": 3}, CODES, {"kind": "dense", "units": 3}]},
        [{"learn": "reconstruct", "epochs": 2}, {"learn": "all", "epochs": 1}],
    )
}
ALL_PHASES = PHASES | FOLDED | REBUILT
each_kind = pytest.mark.parametrize("kind", PHASES)


def training_in_phases(kind: str) -> Training:
    network, phases = ALL_PHASES[kind]
    inputs = {} if network is not BRANCHES else {"inputs": INPUTS}
    return training_of(spec_of(network=network, training={"phases": phases, "batch_size": 64, "lr": 0.01}, **inputs))


def stage_by_stage(training: Training) -> list[tuple[str, dict[str, Tensor], dict[str, Tensor], set[str]]]:
    """Name, weights before and after, and learners of each stage."""
    found = []
    before, learners = weights_of(training), set(training.run.learners)
    for event in fit(training):
        if isinstance(event, StageOutcome):
            after = weights_of(training)
            found.append((event.name, before, after, learners))
            before, learners = after, set(training.run.learners)
    return found


def weights_of(training: Training) -> dict[str, Tensor]:
    return {name: weight.clone() for name, weight in training.network.state_dict().items()}


@each_kind
def test_what_learns_moves_and_what_is_frozen_does_not(kind: str) -> None:
    for name, before, after, learners in stage_by_stage(training_in_phases(kind)):
        for weight, value in before.items():
            assert torch.equal(value, after[weight]) == (weight not in learners), (name, weight)


@each_kind
def test_after_all_phases_every_weight_has_learnt(kind: str) -> None:
    training = training_in_phases(kind)
    first = weights_of(training)
    stages = stage_by_stage(training)
    untouched = {weight for weight, value in training.network.state_dict().items() if torch.equal(value, first[weight])}
    # A bias that another one is added to may stay; nothing that an `only` or `freeze` left out may move.
    expected = {weight for weight in first if "blocks.0" in weight} if kind == "only and freeze" else set()
    assert untouched == expected
    assert [name for name, *_ in stages] == [stage.name for stage in plan(training.spec)]


def test_the_parameters_that_each_stage_trains_are_those_of_its_blocks_and_its_head() -> None:
    training = training_in_phases("each branch")
    found = {name: learners for name, _, _, learners in stage_by_stage(training)}
    own_head = {"head.weight", "head.bias"}
    assert {name.split(".branches.")[1][0] for name in found["branch demand"] - own_head} == {"0"}
    assert {name.split(".branches.")[1][0] for name in found["branch wind"] - own_head} == {"1"}
    assert own_head < found["branch demand"]
    assert {name.split(".")[0] for name in found["merge"]} == {"body", "decoder"}
    assert not any("branches" in name for name in found["merge"])


@pytest.mark.parametrize("kind", ALL_PHASES)
def test_what_is_cached_gives_what_is_computed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = [said(event) for event in fit(training_in_phases(kind))]
    monkeypatch.setattr(stage_module, "CACHE_BYTES", 0)
    computed = [said(event) for event in fit(training_in_phases(kind))]
    assert [event[0] for event in cached] == [event[0] for event in computed]
    assert numbers_of(cached) == pytest.approx(numbers_of(computed), rel=1e-3)


def numbers_of(events: list[tuple[object, ...]]) -> list[float]:
    fields = [field for event in events for field in event[1:] if isinstance(field, tuple)]
    return [value for _, value in fields if isinstance(value, float)]


def test_a_frozen_block_runs_once_however_many_epochs_its_followers_take() -> None:
    phases = [{"learn": "layer by layer", "epochs": 6, "patience": None}]
    training = training_of(spec_of(network=STACK, training={"phases": phases, "batch_size": 64}))
    windows = 0

    def count(_: torch.nn.Module, arguments: tuple[Tensor, ...], __: object) -> None:
        nonlocal windows
        windows += len(arguments[0])

    events = fit(training)
    for event in events:
        if isinstance(event, StageOutcome):
            break
    training.network.blocks[0].register_forward_hook(count)
    for event in events:
        if isinstance(event, StageOutcome):
            break
    split = training.material.split
    # One more is computed of each part, to know its size.
    assert windows == len(split.train) + len(split.validation) + 2


@pytest.mark.slow
@settings(max_examples=16)
@given(st.sampled_from(list(ALL_PHASES)), st.integers(0, 60))
def test_killed_and_resumed_in_any_phase_equals_never_killed(kind: str, events: int) -> None:
    straight = training_in_phases(kind)
    expected = [said(event) for event in fit(straight)]
    killed = training_in_phases(kind)
    before = [said(event) for event in islice(fit(killed), min(events, len(expected)))]
    content = pack(*killed.capture())
    again = training_in_phases(kind)
    torch.manual_seed(99)
    again.restore(*unpack(content))
    assert before + [said(event) for event in fit(again)] == expected
    assert all(torch.equal(weight, again.network.state_dict()[name]) for name, weight in straight.network.state_dict().items())


def test_the_best_weights_of_the_last_stage_are_what_is_left() -> None:
    training = training_in_phases("layer by layer")
    for _ in fit(training):
        pass
    last = training.progress.outcomes[-1]
    assert validation_loss(training) == last.val_loss
    assert training.epochs == training.progress.epochs_before == 4


def test_a_layer_begins_with_the_head_of_the_layer_before_it_where_it_fits() -> None:
    network = {"kind": "stack", "blocks": [{"kind": "lstm", "units": 6}, {"kind": "gru", "units": 6}, {"kind": "elman", "units": 6}]}
    training = training_of(spec_of(network=network, training={"phases": [{"learn": "layer by layer", "epochs": 1}], "batch_size": 64}))
    heads = []
    for event in fit(training):
        if isinstance(event, StageOutcome):
            heads.append(training.kept.get("head"))
        elif heads and training.progress.stage_step == 1:
            # Its first batch has moved it by a learning rate at most.
            for name, weight in (heads[-1] or {}).items():
                torch.testing.assert_close(training.run.decoder.state_dict()[name], weight, atol=1.1e-3, rtol=0.0)
    assert [head is not None for head in heads] == [True, True, False]


def test_a_head_of_another_shape_is_drawn() -> None:
    training = training_in_phases("layer by layer")
    drawn = {name: weight.clone() for name, weight in training.run.decoder.state_dict().items()}
    training.run.draw_head({"weight": torch.zeros(1, 1), "bias": torch.zeros(1)})
    assert all(weight.shape == drawn[name].shape for name, weight in training.run.decoder.state_dict().items())
    assert any(bool(weight.any()) for weight in training.run.decoder.state_dict().values())
