"""What does it cost to look at the gradients? `make bench-flow`: a look, and the batches between two looks. Budget: 3 %."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch

from app.nets.build import build
from app.series.frequency import parse_frequency
from app.series.panel import Panel
from app.spec.parse import parse_spec
from worker.memory import keep_freed_memory
from worker.training.batching import LOOK_BATCHES
from worker.training.fit import Training, fit
from worker.training.material import prepare

CPU = torch.device("cpu")
REPEATS = 7
SHARE_AT_MOST = 0.03
CASES: dict[str, tuple[dict[str, object], int, int]] = {
    "lstm 16, context 24": ({"kind": "lstm", "units": 16}, 24, 1),
    "lstm 64, context 48": ({"kind": "lstm", "units": 64}, 48, 1),
    "2 x lstm 128, context 96": ({"kind": "lstm", "units": 128}, 96, 2),
    "lstm 32 both ways, context 48": ({"kind": "lstm", "units": 32, "direction": "both"}, 48, 1),
    "gru 64, context 48": ({"kind": "gru", "units": 64}, 48, 1),
    "elman 32, context 48": ({"kind": "elman", "units": 32}, 48, 1),
    "4 x elman 16, context 200": ({"kind": "elman", "units": 16}, 200, 4),
    "min_lstm 32, context 48": ({"kind": "min_lstm", "units": 32}, 48, 1),
    "slstm 32, context 48": ({"kind": "slstm", "units": 32}, 48, 1),
    "gru 32 with zoneout, context 48": ({"kind": "gru", "units": 32, "zoneout": 0.1}, 48, 1),
}


def training_of(block: dict[str, object], context: int, layers: int) -> Training:
    """A training on noise: what is learnt does not matter here."""
    values = np.random.default_rng(0).normal(10, 1, 20_000)
    panel = Panel(("a",), parse_frequency("1"), np.array([0]), np.array([0, len(values)]), {"y": values})
    network = {"kind": "stack", "blocks": [block] * layers}
    document = {"context": context, "horizon": 12, "network": network, "training": {"epochs": 10_000}}
    spec = parse_spec(document)
    return Training(spec, build(spec), prepare(spec, panel, CPU), CPU)


def seconds_of(work: Callable[[], object]) -> float:
    """How long something takes."""
    began_at = time.perf_counter()
    work()
    return time.perf_counter() - began_at


def main() -> None:
    """Prints a row for each network; exit code 1 over budget."""
    torch.set_num_threads(1)
    keep_freed_memory()
    is_within = True
    for name, (block, context, layers) in CASES.items():
        training = training_of(block, context, layers)
        events = fit(training)
        next(events)
        batches = [seconds_of(lambda: [next(events) for _ in range(20)]) / 20 for _ in range(REPEATS)]  # noqa: B023 called at once
        looks = [seconds_of(training.look) for _ in range(REPEATS)]
        training.run.set_training(is_training=True)
        share = statistics.median(looks) / (LOOK_BATCHES * statistics.median(batches))
        print(
            f"{name:32} a look {statistics.median(looks) * 1e3:7.1f} ms ({min(looks) * 1e3:.1f} to {max(looks) * 1e3:.1f}), a batch "
            f"{statistics.median(batches) * 1e3:6.2f} ms ({min(batches) * 1e3:.2f} to {max(batches) * 1e3:.2f}): {share:.1%}"
        )
        is_within &= share <= SHARE_AT_MOST
    sys.exit(0 if is_within else f"looking at the gradients may take {SHARE_AT_MOST:.0%} of a training")


if __name__ == "__main__":
    main()
