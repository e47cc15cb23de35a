"""Would an ensemble's members learn faster side by side? `make bench-members`: two members of one job, in every way that one worker could.

    in turn            one after another on one thread, as a job does
    on two threads     the same, with torch's own second thread
    two of Python's    a thread each
    two processes      a process each, begun before the clock
    one batch          an LSTM layer of all members at once, a leading axis through every product; beside torch's own layer in turn

The first four are the worker's own loop on made-up series, timed on the wall and of the processor. On a machine with other work the wall
says how much of it is left for a second thread as much as what that thread is worth; seconds of the processor say what it costs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from app.nets.build import build
from app.series.frequency import parse_frequency
from app.series.panel import Panel
from app.spec.parse import parse_spec
from worker.training.fit import Training, fit
from worker.training.material import prepare

MEMBERS, BATCH, CONTEXT, HORIZON, STEPS = 2, 32, 48, 12, 60
LARGEST = 5
"""Members of the batched layer at most."""

LAYER_STEPS = 30


def document(units: int, seed: int) -> dict[str, Any]:
    """A member: the default's network and head, without a refit."""
    return {
        "context": CONTEXT,
        "horizon": HORIZON,
        "scaling": {"target": "standard"},
        "network": {"kind": "lstm", "units": units},
        "decoder": {"kind": "forking"},
        "training": {"epochs": 1, "steps_per_epoch": STEPS, "batch_size": BATCH, "patience": None, "seed": seed},
    }


def panel() -> Panel:
    """Four series of noisy days."""
    steps, generator = np.tile(np.arange(300), 4), np.random.default_rng(0)
    values = 10.0 + np.sin(2 * np.pi * steps / 24) + 0.2 * generator.normal(size=len(steps))
    starts = np.full(4, np.datetime64("2024-01-01", "us"))
    return Panel(tuple(map(str, range(4))), parse_frequency("h"), starts, np.arange(5) * 300, {"y": values})


def learn(units: int, seed: int) -> float:
    """One member, from its first step to its last; processor seconds of this thread or process."""
    spec = parse_spec(document(units, seed))
    training = Training(spec, build(spec), prepare(spec, panel(), torch.device("cpu")), torch.device("cpu"))
    began_at = time.thread_time()
    for _ in fit(training):
        pass
    return time.thread_time() - began_at


def one_thread() -> None:
    """So that a process's torch keeps to one."""
    torch.set_num_threads(1)


def in_turn(units: int, threads: int) -> float:
    """Processor seconds of all threads."""
    torch.set_num_threads(threads)
    began_at = time.process_time()
    for seed in range(MEMBERS):
        learn(units, seed)
    torch.set_num_threads(1)
    return time.process_time() - began_at


def side_by_side(pool: Executor, units: int) -> float:
    """Processor seconds of all members."""
    return sum(pool.map(partial(learn, units), range(MEMBERS)))


def timed(run: Callable[[], float]) -> tuple[float, float]:
    """Seconds on the wall, and of the processor."""
    began_at = time.monotonic()
    cpu = run()
    return time.monotonic() - began_at, cpu


def told(what: str, found: Sequence[tuple[float, float]]) -> str:
    """A row: medians, with the least and the most."""
    cells = [f"{statistics.median(part):.2f} ({min(part):.2f} to {max(part):.2f})" for part in zip(*found, strict=True)]
    return f"| {what} | {' | '.join(cells)} |"


def members(units: int, repeats: int) -> None:
    """The four ways that take the worker's own loop."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(MEMBERS, mp_context=spawn, initializer=one_thread) as processes, ThreadPoolExecutor(MEMBERS) as threads:
        ways: dict[str, Callable[[], float]] = {
            "in turn": partial(in_turn, units, 1),
            "on two threads": partial(in_turn, units, 2),
            "two of Python's threads": partial(side_by_side, threads, units),
            "two processes": partial(side_by_side, processes, units),
        }
        for run in (ways["in turn"], ways["two processes"]):
            run()  # imports, and memory that is kept
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(repeats):
            for name, run in ways.items():
                found[name].append(timed(run))
    for name, times in found.items():
        print(told(f"LSTM {units}: {name}", times), flush=True)


def own_layers(count: int, units: int) -> Callable[[], None]:
    """A step forward and back of torch's own layer, member after member."""
    layers = [nn.LSTM(4, units, batch_first=True) for _ in range(count)]
    inputs = torch.randn(count, BATCH, CONTEXT, 4)

    def step() -> None:
        for layer, values in zip(layers, inputs, strict=True):
            torch.autograd.backward(layer(values)[0].square().mean())

    return step


def batched_layers(count: int, units: int) -> Callable[[], None]:
    """The same of all members at once: one product of all inputs, then one of all states at each step."""
    weight, recurrent = (nn.Parameter(torch.randn(count, width, 4 * units) / 8) for width in (4, units))
    bias, inputs = nn.Parameter(torch.zeros(count, 1, 4 * units)), torch.randn(count, BATCH * CONTEXT, 4)

    def step() -> None:
        drives = torch.baddbmm(bias, inputs, weight).view(count, BATCH, CONTEXT, -1).unbind(2)
        hidden = memory = torch.zeros(count, BATCH, units)
        given: list[Tensor] = []
        for drive in drives:
            opened, kept, cell, shown = torch.baddbmm(drive, hidden, recurrent).chunk(4, dim=2)
            memory = kept.sigmoid() * memory + opened.sigmoid() * cell.tanh()
            hidden = shown.sigmoid() * memory.tanh()
            given.append(hidden)
        torch.autograd.backward(torch.stack(given, dim=2).square().mean())

    return step


def layers(units: int, repeats: int) -> None:
    """Milliseconds of the processor that a step of one member's layer takes."""
    for count in (MEMBERS, LARGEST):
        ways = {"torch's layer in turn": own_layers(count, units), "one batch": batched_layers(count, units)}
        found: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(repeats):
            for name, step in ways.items():
                began_at = time.process_time()
                for _ in range(LAYER_STEPS):
                    step()
                found[name].append(1000 * (time.process_time() - began_at) / LAYER_STEPS / count)
        for name, times in found.items():
            spread = f"{statistics.median(times):.2f} ({min(times):.2f} to {max(times):.2f})"
            print(f"| LSTM {units}, {count} members: {name} | {spread} ms |", flush=True)


def main() -> None:
    """All ways for the sizes that are asked for."""
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("--repeats", type=int, default=5)
    said.add_argument("--units", type=int, nargs="*", default=[32, 64])
    asked = said.parse_args()
    torch.set_num_threads(1)
    for units in asked.units:
        layers(units, asked.repeats)
        members(units, asked.repeats)


if __name__ == "__main__":
    main()
