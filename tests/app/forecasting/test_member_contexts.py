"""Members of an ensemble may look back less far: they read the newest part of the same windows, in units of the whole."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from app.forecasting.forecaster import Forecaster
from app.forecasting.windows import WindowSource
from app.nets.build import build
from app.series.frequency import parse_frequency
from app.series.panel import Panel
from app.series.scaling import CovariateScaling
from app.spec.forecaster import ForecasterSpec
from app.spec.parse import parse_spec
from tests.app.forecasting.examples import HORIZON, START, history_of

SHORT = 3
INPUTS: dict[str, Any] = {"target": {"columns": ["y"], "lags": [2, 9]}, "calendar": {"features": ["day_of_week"], "age": True}}


def spec_of(context: int = 30, **changes: Any) -> ForecasterSpec:
    document = {"context": context, "horizon": HORIZON, "network": {"kind": "lstm", "units": 4}, "scaling": {"target": "none"}}
    return parse_spec({**document, **changes})


def source_of(spec: ForecasterSpec) -> WindowSource:
    y = np.random.default_rng(0).normal(size=80)
    panel = Panel(("a", "b"), parse_frequency("D"), np.full(2, START), np.array([0, 40, 80]), {"y": y})
    return WindowSource(spec, panel, CovariateScaling({}, {}), torch.device("cpu"))


@pytest.mark.parametrize("decoder", ["direct", "forking", "recursive"])
@pytest.mark.parametrize("is_whole", [False, True])
def test_the_newest_part_of_a_window_is_a_window_of_that_context(decoder: str, is_whole: bool) -> None:
    changes: dict[str, Any] = {"inputs": INPUTS, "decoder": {"kind": decoder}, "head": {"kind": "normal"}}
    baseline = {} if decoder == "recursive" else {"baseline": "season", "season": 4}
    changes["scaling"] = {"target": "none", **baseline}
    cutoffs = np.array([32, 37, 75])
    part = source_of(spec_of(**changes)).reading(SHORT).lesson(cutoffs, is_whole=is_whole)
    alone = source_of(spec_of(SHORT, **changes)).lesson(cutoffs, is_whole=is_whole)
    for name, values in alone.inputs.items():
        torch.testing.assert_close(part.inputs[name], values)
    for field in ("future", "target", "observed", "seen", "steps"):
        torch.testing.assert_close(getattr(part, field), getattr(alone, field), msg=field)


def ensemble_of(**changes: Any) -> Forecaster:
    spec = spec_of(6, training={"members": 2, "contexts": [SHORT]}, **changes)
    torch.manual_seed(0)
    networks = [build(spec).eval() for _ in range(2)]
    for network in networks:
        network.initialise()
        network.requires_grad_(requires_grad=False)
    return Forecaster(spec, networks[0], "D", 7, "naive", CovariateScaling({}, {}), others=(networks[1],))


@pytest.mark.parametrize("decoder", ["direct", "recursive"])
def test_what_is_older_than_a_members_context_moves_the_others_alone(decoder: str) -> None:
    forecaster = ensemble_of(decoder={"kind": decoder}, head={"kind": "normal"})
    history = history_of(length=6)
    changed = history.columns["y"].copy()
    changed[: 6 - SHORT] += 1.0
    windows = [forecaster.gather([one])[1] for one in (history, replace(history, columns={**history.columns, "y": changed}))]
    paths = [forecaster.sample_windows(one, 4) for one in windows]
    assert not np.allclose(paths[0][:, :2], paths[1][:, :2])
    np.testing.assert_allclose(paths[0][:, 2:], paths[1][:, 2:])
