"""A step of several batches is one of all their windows; noise, penalties and half the bits do what they say; nothing is lost by a kill."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import JobError
from app.forecasting.checkpoint import pack, unpack
from app.spec import compile as compile_module
from app.spec.compile import compile_spec
from app.spec.limits import UNLIMITED
from tests.worker.training.lessons import CPU, said, spec_of, training_of, waves
from worker.training.batching import windows_at_once
from worker.training.events import Batch, Epoch, Event, Part, Trial
from worker.training.fit import Training, fit
from worker.training.noise import InputNoise
from worker.training.precision import check_precision
from worker.training.steps import Taken

WITHOUT_DROPOUT: dict[str, Any] = {"network": {"kind": "lstm", "units": 8}}


def lasting(events: Iterator[Event]) -> list[Any]:
    """What events say but those of what is repeated after a kill."""
    return [said(event) for event in events if not isinstance(event, Part | Trial)]


def took(training: Training, rows: np.ndarray, lr: float = 0.1) -> tuple[Taken, int]:
    """What one step was, and after how many parts."""
    training.run.set_training(is_training=True)
    step, parts = training.stepper.take(rows, lr), 0
    while True:
        try:
            next(step)
            parts += 1
        except StopIteration as end:
            return end.value, parts


def sgd(**training: Any) -> dict[str, Any]:
    return {"epochs": 3, "patience": None, "optimizer": "sgd", "clip_norm": None, **training}


@pytest.mark.parametrize("decoder", ["direct", "forking"])
def test_batches_that_are_added_up_are_one_batch_of_all_their_windows(decoder: str) -> None:
    panel, kind = waves(missing=0.3), {"kind": decoder}  # batches with more observed than others
    whole = training_of(spec_of(**WITHOUT_DROPOUT, decoder=kind, training=sgd(batch_size=60)), panel)
    parts = training_of(spec_of(**WITHOUT_DROPOUT, decoder=kind, training=sgd(batch_size=17, accumulate=4)), panel)
    rows = np.arange(60)
    (expected, _), (found, yields) = took(whole, rows), took(parts, rows)
    assert yields == 3
    assert (found.loss, found.norm) == pytest.approx((expected.loss, expected.norm), rel=1e-5)
    for one, other in zip(whole.network.parameters(), parts.network.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)


def test_steps_and_the_schedule_are_counted_by_groups_and_the_last_may_be_smaller() -> None:
    training = training_of(spec_of(training={"epochs": 2, "batch_size": 16, "accumulate": 3, "patience": None}))
    windows = len(training.material.split.train)
    batches = [event for event in fit(training) if isinstance(event, Batch)]
    assert windows % 48 != 0
    assert len(batches) == 2 * -(-windows // 48)
    assert batches[-1].batch == batches[-1].batches == training.batches
    assert 0.0 < training.progress.lr < 1e-3


def test_a_full_batch_is_one_step_an_epoch_in_parts_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(**WITHOUT_DROPOUT, training=sgd(batch_size="full"))
    kept = compile_spec(spec, UNLIMITED)
    one = windows_at_once(spec)
    monkeypatch.setattr(compile_module, "FULL_BATCH_BYTES", compile_module.FULL_BATCH_BYTES // 2000)
    small = windows_at_once(spec)
    assert one == kept.batch == compile_module.FULL_BATCH_WINDOWS
    assert 1 <= small < one
    training = training_of(spec)
    events = list(fit(training))
    windows = len(training.material.split.train)
    assert [type(event) for event in events[:-1]].count(Batch) == 3
    assert sum(isinstance(event, Part) for event in events) == 3 * (-(-windows // small) - 1) > 0


RESUMED: list[dict[str, Any]] = [
    {"accumulate": 3, "batch_size": 16},
    {"batch_size": "full", "input_noise": 0.2},
    {"lr": "auto", "schedule": {"kind": "plateau", "patience": 1}},
    {"lr": "auto", "optimizer": "sgd", "momentum": 0.9, "accumulate": 2, "schedule": {"kind": "one_cycle"}},
    {"warmup": 0.4, "schedule": {"kind": "step", "every": 1}, "input_noise": 0.1},
    {"precision": "bfloat16", "min_delta": 0.01, "patience": 2},
]
PENALISED: dict[str, Any] = {"kind": "lstm", "units": 6, "dropout": 0.2, "l1": 1e-4, "l2": 1e-3}


@pytest.mark.slow
@settings(max_examples=20)
@given(st.sampled_from(RESUMED), st.integers(0, 150))
def test_killed_and_resumed_anywhere_equals_never_killed(changes: dict[str, Any], events: int) -> None:
    training = {"epochs": 3, "patience": None, **changes}
    spec = spec_of(network=PENALISED, training=training)
    straight = training_of(spec)
    expected = lasting(fit(straight))
    killed = training_of(spec)
    before = lasting(islice(fit(killed), events))
    content = pack(*killed.capture())
    again = training_of(spec)
    torch.manual_seed(4321)
    again.restore(*unpack(content))
    assert before + lasting(fit(again)) == expected
    weights = again.network.state_dict()
    assert all(torch.equal(weight, weights[name]) for name, weight in straight.network.state_dict().items())


def test_noise_is_on_what_is_known_up_to_the_cutoff_alone() -> None:
    inputs = {
        "past": {"columns": ["y", "x"], "features": ["day_of_week"]},
        "ahead": {"columns": ["x"], "known": "future"},
        "calendar": {"features": ["month_of_year"]},
    }
    training = training_of(spec_of(inputs=inputs, training={"input_noise": 0.5}))
    windows = training.material.source.batch(training.material.split.train.position)
    noisy = InputNoise(training.spec).added(windows)
    difference = noisy.inputs["past"] - windows.inputs["past"]
    assert 0.45 < difference[..., :2].std() < 0.55
    assert torch.equal(noisy.inputs["past"][..., 2:], windows.inputs["past"][..., 2:])
    assert all(torch.equal(noisy.inputs[name], windows.inputs[name]) for name in ("ahead", "calendar"))
    assert replace(noisy, inputs=windows.inputs) == windows


def test_noise_reaches_blocks_behind_frozen_ones_too() -> None:
    blocks = [{"kind": "lstm", "units": 4, "name": "first"}, {"kind": "gru", "units": 3}]
    phases = [{"freeze": ["first"]}]
    losses = []
    for noise in (0.0, 2.0):
        changes = {"epochs": 3, "patience": None, "phases": phases, "lr": 1e-9, "input_noise": noise, "batch_size": "full"}
        training = training_of(spec_of(network={"kind": "stack", "blocks": blocks}, training=changes))
        losses.append([event.train_loss for event in fit(training) if isinstance(event, Epoch)])
    assert losses[0] == pytest.approx([losses[0][0]] * 3, rel=1e-6)
    assert max(losses[1]) - min(losses[1]) > 1e-5


@pytest.mark.parametrize(
    "block",
    [
        {"kind": "lstm", "units": 6},
        {"kind": "gru", "units": 6, "reset": "before"},
        {"kind": "slstm", "units": 6},
        {"kind": "min_gru", "units": 6},
        {"kind": "conv", "units": 6},
        {"kind": "attention", "units": 6},
    ],
    ids=lambda block: str(block["kind"]),
)
def test_half_the_bits_learn_nearly_the_same_and_the_same_each_time(block: dict[str, Any]) -> None:
    whole, half, again = (
        training_of(spec_of(network=block, training={"epochs": 4, "lr": 0.01, "patience": None, "precision": precision}))
        for precision in ("float32", "bfloat16", "bfloat16")
    )
    expected, found = lasting(fit(whole)), lasting(fit(half))
    assert found == lasting(fit(again))
    assert found != expected
    losses = [training.progress.outcomes[0].val_loss for training in (whole, half)]
    assert losses[0] is not None
    assert losses[1] == pytest.approx(losses[0], rel=0.1)
    assert {weight.dtype for weight in half.network.parameters()} == {torch.float32}


def test_a_device_without_the_precision_is_refused_with_the_way_out() -> None:
    training = spec_of(training={"precision": "bfloat16"}).training
    check_precision(training, CPU)
    check_precision(spec_of().training, torch.device("meta"))
    with pytest.raises(JobError, match=r"cannot compute in 'bfloat16'; set training.precision to 'float32'") as caught:
        check_precision(training, torch.device("meta"))
    assert caught.value.pointer == "#/training/precision"
