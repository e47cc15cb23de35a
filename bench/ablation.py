"""What is each part of the default worth? `make bench-ablation`: the same network on three panels, with one thing changed.

The first row of each panel is the default as it is; the others change what is named alone, but for the two that differ by the states that
are decoded: they have one map for all steps and are learnt at each cutoff alone. OWA on M4, MASE on hospital, each with the seconds from
the upload to the last forecast.

    make bench-ablation OPTIONS="--seeds 3 --sets weekly"
    make bench-ablation OPTIONS="--seeds 3 --sets hourly --changes 'from the newest state' 'from shifted states' --epochs 6"
    make bench-ablation OPTIONS="--seeds 3 --sets hourly --changes 'as it is' 'learnt at many steps'"
"""

from __future__ import annotations

import argparse
import copy
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx

from app.demo.service import OwnService
from app.spec.defaults import default_spec
from bench.accuracy import PANELS, Panel, panel, run_panel
from bench.shifted import facts_of, resolved, run_here

Change = dict[str, Any]

HERE = {"from the newest state": False, "from shifted states": True}
"""What is trained without a service, learnt at each cutoff alone, and whether its states are shifted; see bench/shifted.py."""

COUNTED = {"none": "the window's mean", "last": "the newest value", "season": "the last season"}
LAGS = {"none": "nothing", "decoder": "the decoder", "input": "the input"}


def changed(default: Change, *, counted: str = "", lags: str = "", decoder: Change | None = None, **training: object) -> Change:
    """The default's document: counted from another baseline, with lags of the `input`, the `decoder` or `none`, or learnt otherwise."""
    found = copy.deepcopy(default)
    if counted:
        found["scaling"]["baseline"] = counted
    if lags:
        found["inputs"]["target"]["lags"] = "season" if lags == "input" else []
        found["decoder"]["lags"] = "season" if lags == "decoder" else []
    found["decoder"] |= decoder or {}
    found["training"] |= training
    return found


def changes(case: Panel) -> dict[str, Change]:
    """What is tried on a panel, by its name in the table."""
    default = default_spec(facts_of(case, SEASONS[case.title])).model_dump(mode="json", exclude_none=True)
    has = "input" if default["inputs"]["target"]["lags"] else "decoder" if default["decoder"]["lags"] else "none"
    found = {"as it is": default}
    for counted, name in COUNTED.items():
        if counted != default["scaling"]["baseline"]:
            found[f"counted from {name}"] = changed(default, counted=counted)
    for lags, name in LAGS.items():
        if lags != has:
            found[f"lags of {name}"] = changed(default, lags=lags)
    found["counted from the window's mean, without lags"] = changed(default, counted="none", lags="none")
    ends = default["decoder"]["kind"] == "direct"
    name, kind = ("learnt at many steps", "forking") if ends else ("learnt at each cutoff alone", "direct")
    found[name] = changed(default, decoder={"kind": kind})
    found["one map for all steps"] = changed(default, decoder={"units": None})
    found["without a refit"] = changed(default, refit=False)
    return found | dict.fromkeys(HERE, changed(default, decoder={"kind": "direct", "units": None}))


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
            for what, change in changes(case).items():
                if asked.changes is None or what in asked.changes:
                    print(row(http, case, CONTEXTS[name], what, change, trainings), flush=True)


if __name__ == "__main__":
    main()
