"""What only the first of two hundred steps says: Elman layers forget it and are told, and the network that they are told of learns it."""

from typing import Any

import numpy as np
import pytest

from app.series.frequency import parse_frequency
from app.series.panel import Panel
from tests.worker.training.lessons import spec_of, training_of
from worker.training.findings import Finding, find
from worker.training.fit import Training, fit

CONTEXT, SERIES = 200, 512


def first_step_decides() -> Panel:
    """Series that begin with 1 or -1, go on with noise, and come back to where they began after two hundred steps.

    Half of them are long enough to be learnt from, the others are for validation; each has one window in which its first step is seen.
    """
    generator = np.random.default_rng(0)
    lengths = np.where(np.arange(SERIES) % 2 == 0, CONTEXT + 3, CONTEXT + 2)
    parts = []
    for length in lengths:
        values = 0.3 * generator.normal(size=length)
        values[0] = generator.choice([-1.0, 1.0])
        values[CONTEXT], values[CONTEXT + 1 :] = values[0], np.nan
        parts.append(values)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = tuple(f"s{number:03}" for number in range(SERIES))
    return Panel(ids, parse_frequency("1"), np.zeros(SERIES, dtype=np.int64), offsets, {"y": np.concatenate(parts)})


def trained(network: dict[str, Any], epochs: int, lr: float) -> tuple[Training, list[Finding]]:
    training = {"epochs": epochs, "batch_size": 16, "lr": lr, "patience": None}
    head = {"kind": "point", "loss": "mse"}
    spec = spec_of(context=CONTEXT, horizon=1, network=network, head=head, scaling={"target": "none"}, training=training)
    done = training_of(spec, first_step_decides())
    for _ in fit(done):
        pass
    return done, find(done.progress.history, done.progress.look)


def best_loss(done: Training) -> float:
    """To say 0 always costs 1."""
    return done.progress.outcomes[-1].val_loss or 0.0


@pytest.mark.slow
def test_a_stack_of_elman_layers_forgets_the_first_step_and_an_lstm_with_chrono_initialisation_learns_it() -> None:
    elman, findings = trained({"kind": "stack", "blocks": [{"kind": "elman", "units": 16}] * 4}, 30, 0.001)
    assert best_loss(elman) > 0.8
    (vanishing,) = [finding for finding in findings if finding.code == "vanishing_in_time"]
    assert "'lstm'" in vanishing.remedy
    assert "'init': 'chrono'" in vanishing.remedy
    remedied, findings = trained({"kind": "lstm", "units": 32, "init": "chrono"}, 60, 0.01)
    assert best_loss(remedied) < 0.05
    assert "vanishing_in_time" not in {finding.code for finding in findings}
