"""What is each part of the default worth? `make bench-ablation`: the same network on three panels, with one thing changed.

The first row of each panel is the default of decision 21, one map of the state for all steps of the horizon; the others change what is
named alone. OWA on M4, MASE on hospital, each with the seconds from the upload to the last forecast.

    make bench-ablation OPTIONS="--seeds 3 --sets weekly"
    make bench-ablation OPTIONS="--seeds 3 --sets hourly --changes 'from the newest state' 'from shifted states' --epochs 6"
    make bench-ablation OPTIONS="--seeds 3 --sets hourly --changes 'as it is' 'learnt at each cutoff alone' --epochs 6"
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from app.demo.service import OwnService
from bench.accuracy import PANELS, Panel, panel, run_panel
from bench.shifted import resolved, run_here

Change = dict[str, Any]


def document(counted: str, lags: str, decoder: str = "forking", **training: object) -> Change:
    """The default's document, counted from a baseline, with lags of the `input`, of the `decoder` or of `none`."""
    return {
        "inputs": {"target": {"columns": ["y"], **({"lags": "season"} if lags == "input" else {})}},
        "scaling": {"target": "standard", "baseline": counted},
        "network": {"kind": "lstm", "units": 64},
        "decoder": {"kind": decoder, **({"lags": "season"} if lags == "decoder" else {})},
        "training": {"epochs": 20, "steps_per_epoch": 100, "batch_size": 32, "lr": 0.004, "patience": 5, "refit": True} | training,
    }


HERE = {"from the newest state": False, "from shifted states": True}
"""What is trained without a service, learnt at each cutoff alone, and whether its states are shifted; see bench/shifted.py."""

DEFAULTS = {"hourly": ("season", "input"), "weekly": ("last", "input"), "hospital": ("none", "decoder")}


def changes(name: str) -> dict[str, Change]:
    """What is tried on a panel, by its name in the table."""
    counted, lags = DEFAULTS[name]
    said = {"none": "the window's mean", "last": "the newest value", "season": "the last season"}
    found = {"as it is": document(counted, lags)}
    for other in said:
        if other != counted:
            found[f"counted from {said[other]}"] = document(other, lags)
    for other in ("none", "decoder", "input"):
        if other != lags:
            found[f"lags of {'nothing' if other == 'none' else f'the {other}'}"] = document(counted, other)
    found["counted from the window's mean, without lags"] = document("none", "none")
    found["learnt at each cutoff alone"] = document(counted, lags, "direct")
    found["without a refit"] = document(counted, lags, refit=False)
    found |= dict.fromkeys(HERE, found["learnt at each cutoff alone"])
    return found


def run(http: httpx.Client, case: Panel, context: int, what: str, change: Change, training: Change) -> dict[str, float]:
    """One training and its scores: by the API, or in this process what nobody can ask a service for."""
    seasons = SEASONS[case.title]
    if what in HERE:
        spec = resolved(case, change, context, seasons, training)
        return run_here(case, spec, seasons[0], is_shifted=HERE[what])
    return run_panel(http, case, training, {"architecture": change, "context": context, "season": list(seasons)})


def row(http: httpx.Client, case: Panel, context: int, what: str, change: Change, trainings: Sequence[Change]) -> str:
    """The mean of a change's scores over trainings that differ by their seeds."""
    runs = [run(http, case, context, what, change, training) for training in trainings]
    name = "OWA" if "OWA" in runs[0] else "MASE"
    scores = [run[name] for run in runs]
    spread = f" ({statistics.stdev(scores):.3f})" if len(scores) > 1 else ""
    seconds = statistics.mean(run["seconds"] for run in runs)
    return f"| {case.title} | {what} | {name} {statistics.mean(scores):.3f}{spread} | {seconds:.0f} s |"


SEASONS = {"M4 Hourly": (24, 168), "M4 Weekly": (52,), "hospital": (12,)}
CONTEXTS = {"hourly": 168, "weekly": 52, "hospital": 24}


def main() -> None:
    """The panels that are asked for."""
    said = argparse.ArgumentParser(description=__doc__)
    said.add_argument("--seeds", type=int, default=1)
    said.add_argument("--sets", nargs="*", default=list(PANELS))
    said.add_argument("--changes", nargs="*", help="by their names in the table; all where it is left out")
    said.add_argument("--epochs", type=int, help="at most, more than five; for a shorter run")
    asked = said.parse_args()
    trainings = [{"seed": seed, **({"epochs": asked.epochs} if asked.epochs else {})} for seed in range(asked.seeds)]
    with tempfile.TemporaryDirectory() as home, OwnService(Path(home)) as service, closing(service.client()) as http:
        for name in asked.sets:
            case = panel(*PANELS[name])
            for what, change in changes(name).items():
                if asked.changes is None or what in asked.changes:
                    print(row(http, case, CONTEXTS[name], what, change, trainings), flush=True)


if __name__ == "__main__":
    main()
