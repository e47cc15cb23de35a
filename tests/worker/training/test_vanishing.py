"""What only the first of two hundred steps says: Elman layers forget it and are told, and the layers that they are told of learn it."""

from typing import Any

import numpy as np
import pytest

from app.series.frequency import parse_frequency
from app.series.panel import Panel
from tests.worker.training.lessons import spec_of, training_of
from worker.training.findings import Finding, find
from worker.training.fit import fit

CONTEXT, SERIES = 200, 512
LEVEL, NOISE = 3.0, 0.9
TRIVIAL = LEVEL**2
"""What it costs always to say 0."""


def first_step_decides() -> Panel:
    """Series that begin with 3 or -3, go on with noise, and come back to where they began after two hundred steps.

    Half of them are long enough to be learnt from, the others are for validation; each has one window in which its first step is seen.
    """
    generator = np.random.default_rng(0)
    lengths = np.where(np.arange(SERIES) % 2 == 0, CONTEXT + 3, CONTEXT + 2)
    parts = []
    for length in lengths:
        values = NOISE * generator.normal(size=length)
        values[0] = generator.choice([-LEVEL, LEVEL])
        values[CONTEXT], values[CONTEXT + 1 :] = values[0], np.nan
        parts.append(values)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = tuple(f"s{number:03}" for number in range(SERIES))
    return Panel(ids, parse_frequency("1"), np.zeros(SERIES, dtype=np.int64), offsets, {"y": np.concatenate(parts)})


def trained(block: dict[str, Any]) -> tuple[float, list[Finding]]:
    """Four layers after 208 steps: their validation loss, as a share of the trivial one, and what is found."""
    training = {"epochs": 13, "batch_size": 16, "lr": 0.003, "patience": None}
    network, head = {"kind": "stack", "blocks": [block] * 4}, {"kind": "point", "loss": "mse"}
    spec = spec_of(context=CONTEXT, horizon=1, network=network, head=head, scaling={"target": "none"}, training=training)
    done = training_of(spec, first_step_decides())
    for _ in fit(done):
        pass
    return (done.progress.outcomes[-1].val_loss or 0.0) / TRIVIAL, find(done.progress.history, done.progress.look)


@pytest.mark.slow
def test_a_stack_of_elman_layers_forgets_the_first_step_and_an_lstm_with_chrono_initialisation_learns_it() -> None:
    loss, findings = trained({"kind": "elman", "units": 16})
    assert loss > 0.9
    (vanishing,) = [finding for finding in findings if finding.code == "vanishing_in_time"]
    assert "learns from the newest" in vanishing.sentence
    assert "'lstm'" in vanishing.remedy
    assert "'init': 'chrono'" in vanishing.remedy
    remedied, findings = trained({"kind": "lstm", "units": 16, "init": "chrono"})
    assert remedied < 0.1
    assert "vanishing_in_time" not in {finding.code for finding in findings}
