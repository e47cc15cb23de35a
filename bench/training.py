"""How fast does a job's training phase learn? `make bench-training`: jobs, and tight loops of the same mathematics, in the same run.

A job goes the way of a worker, from its claim to its stored model, on a database and artifacts of its own; what counts are the seconds that
its stage reports: all epochs with validation, looks at the gradients, points, lease and checkpoints, without loading and scoring. A tight
loop is nothing but torch's own layers, an index of windows and an optimiser. Both take turns, on one thread. Windows a second and the
last column are of CPU seconds: neighbours on the machine move them least.

The textbook job: an LSTM of 50 units and one number, windows of 10 steps, squared error, Adam, batches of 32, 10 epochs of 10,000 windows.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from torch import Tensor, nn

from app.spec.parse import parse_spec
from app.store.artifacts import LocalArtifacts
from app.store.database import Database
from app.store.datasets import NewDataset, insert_dataset
from app.store.jobs import NewJob, get_job, insert_job
from app.store.keys import ensure_owner
from app.store.migrate import migrate
from app.store.progress import list_events
from worker.attempt import Workplace
from worker.memory import keep_freed_memory
from worker.runner import run_job

WINDOWS, BATCH, EPOCHS = 10_000, 32, 10
STEPS = -(-WINDOWS // BATCH)
FORKING_EPOCHS, FORKING_STEPS = 2, 100
LEASE_SECONDS = 60.0


@dataclass(frozen=True)
class Case:
    """What is learnt.

    Attributes:
        cell: torch's layer.
        units: of it.
        context: steps of a window.
        horizon: steps ahead.
        forks: steps of the context that there is a horizon after, every how many; None for the newest alone.
        epochs: of training.
        steps: of an epoch.
    """

    cell: type[nn.LSTM | nn.GRU]
    units: int
    context: int
    horizon: int
    forks: int | None
    epochs: int
    steps: int

    @property
    def windows(self) -> int:
        """That are learnt from in all."""
        return self.epochs * min(self.steps * BATCH, WINDOWS)

    def document(self) -> dict[str, Any]:
        """The same as a user writes it."""
        return {
            "context": self.context,
            "horizon": self.horizon,
            "scaling": {"target": "none"},
            "network": {"kind": self.cell.__name__.lower(), "units": self.units},
            "decoder": {"kind": "direct" if self.forks is None else "forking"},
            "head": {"kind": "point"},
            "training": {
                "epochs": self.epochs, "steps_per_epoch": self.steps, "batch_size": BATCH, "schedule": "constant", "clip_norm": None,
                "patience": None,
            },
        }  # fmt: skip


CASES = {
    "textbook: LSTM 50, windows of 10": Case(nn.LSTM, 50, 10, 1, None, EPOCHS, STEPS),
    "forking LSTM 64, context 48": Case(nn.LSTM, 64, 48, 12, 3, FORKING_EPOCHS, FORKING_STEPS),
    "forking GRU 64, context 48": Case(nn.GRU, 64, 48, 12, 3, FORKING_EPOCHS, FORKING_STEPS),
}


@dataclass(frozen=True)
class Took:
    """Seconds on the wall and of the processor, for so many windows."""

    wall_seconds: float
    cpu_seconds: float


class Tight(nn.Module):
    """The network of a case in torch's own modules."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.rnn = case.cell(1, case.units, batch_first=True)
        self.head = nn.Linear(case.units, case.horizon)
        self._forks = None if case.forks is None else torch.arange(case.context)[case.forks - 1 :: case.forks]

    def forward(self, windows: Tensor) -> Tensor:
        """Forecasts after the newest step, or after some of them."""
        output, _ = self.rnn(windows)
        forecast: Tensor = self.head(output[:, -1] if self._forks is None else output[:, self._forks].flatten(0, 1))
        return forecast


def run_tight(case: Case, values: Tensor) -> Took:
    """The least that can be done in torch: windows by index, Adam, nothing else."""
    torch.manual_seed(0)
    network = Tight(case)
    optimiser = torch.optim.Adam(network.parameters())
    before, after = torch.arange(case.context), torch.arange(case.horizon)
    forks = torch.tensor([case.context]) if case.forks is None else torch.arange(case.context)[case.forks - 1 :: case.forks] + 1
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(case.epochs):
        for rows in torch.split(torch.randperm(WINDOWS)[: case.steps * BATCH], BATCH):
            windows = values[rows[:, None] + before][..., None]
            target = values[(rows[:, None] + forks).flatten()[:, None] + after]
            optimiser.zero_grad()
            loss = nn.functional.mse_loss(network(windows), target)
            torch.autograd.backward(loss)
            optimiser.step()
    return Took(time.perf_counter() - wall, time.process_time() - cpu)


@dataclass(frozen=True)
class Place:
    """Where jobs run.

    Attributes:
        workplace: the worker's.
        owner: of all.
        dataset: that they learn from.
    """

    workplace: Workplace
    owner: str
    dataset: str

    def run(self, case: Case) -> Took:
        """A job's training phase."""
        new = NewJob("train", "bench", {}, parse_spec(case.document()).model_dump(mode="json", by_alias=True), self.dataset, 1)
        with self.workplace.database.begin() as db:
            job = insert_job(db, self.owner, new).id
        run_job(job, self.workplace, threading.Event())
        with self.workplace.database.read() as db:
            status, error = get_job(db, self.owner, job).status, get_job(db, self.owner, job).error
            phases = [event.data for event in list_events(db, self.owner, job, 0, 1000) if event.kind == "phase"]
        if status != "succeeded":
            sys.exit(f"the job {status}: {error}")
        return Took(float(phases[0]["seconds"]), float(phases[0]["cpu_seconds"]))


def place_in(home: Path, values: np.ndarray[Any, np.dtype[np.float64]]) -> Place:
    """A database, artifacts and a data set in an empty folder."""
    url = f"sqlite:///{home / 'bench.db'}"
    migrate(url)
    database, artifacts, path = Database(url), LocalArtifacts(home / "artifacts"), home / "upload.arrow"
    times = [datetime(2000, 1, 1) + timedelta(hours=hour) for hour in range(len(values))]  # noqa: DTZ001 times without a zone
    frame = pl.DataFrame({"unique_id": ["a"] * len(values), "ds": times, "y": values})
    frame.write_ipc(path, compression="uncompressed")
    new = NewDataset("bench", artifacts.put(path), path.stat().st_size, "h", 24, "y", [], {}, {})
    with database.begin() as db:
        owner = ensure_owner(db, "bench")
        return Place(Workplace(database, artifacts, LEASE_SECONDS, 1), owner, insert_dataset(db, owner, new).id)


def row(case: Case, found: list[Took]) -> str:
    """Medians, with the fastest and the slowest run behind them."""
    wall, cpu = [one.wall_seconds for one in found], [one.cpu_seconds for one in found]
    rate = case.windows / statistics.median(cpu)
    cells = (f"{statistics.median(many):.2f} ({min(many):.2f} to {max(many):.2f})" for many in (wall, cpu))
    return f"{' | '.join(cells)} | {rate:,.0f}"


def compare(name: str, case: Case, repeats: int, tight: Callable[[], Took], job: Callable[[], Took]) -> None:
    """Prints both rows of a case."""
    jobs, loops = [], []
    for _ in range(repeats):
        loops.append(tight())
        jobs.append(job())
    ratio = statistics.median(one.cpu_seconds / other.cpu_seconds for one, other in zip(jobs, loops, strict=True))
    print(f"| {name} | tight loop | {row(case, loops)} | |")
    print(f"| | job | {row(case, jobs)} | {ratio:.2f} |", flush=True)


def main() -> None:
    """The cases that are asked for."""
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("--repeats", type=int, default=5)
    said.add_argument("--only", default="", help="cases whose name has this in it")
    asked = said.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        print("| job | | wall seconds | CPU seconds | windows/CPU s | times the loop |\n|---|---|---|---|---|---|")
        for number, (name, case) in enumerate(CASES.items()):
            if asked.only in name:
                # What the job holds back for validation and scores comes on top.
                steps = WINDOWS + case.context + 3 * case.horizon - 1
                values = np.sin(2 * np.pi * np.arange(steps) / 24) + 0.1 * generator.standard_normal(steps)
                home = Path(folder, str(number))
                home.mkdir()
                place, flat = place_in(home, values), torch.from_numpy(values).float()
                compare(name, case, asked.repeats, partial(run_tight, case, flat), partial(place.run, case))


if __name__ == "__main__":
    main()
