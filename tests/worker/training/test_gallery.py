"""Every document of the gallery can be built as it is, learns, and beats repeating the last season where there is something to learn."""

from math import inf

import numpy as np
import pytest
import torch

from app.forecasting.checkpoint import dump, load
from app.forecasting.forecaster import Forecaster
from app.nets.build import build
from app.spec.blocks import every
from app.spec.compile import compile_spec
from app.spec.facts import PanelFacts
from app.spec.gallery import GALLERY
from app.spec.leaves import InstanceNorm
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec
from app.spec.resolve import resolve_spec
from tests.worker.training.lessons import CPU, SEASON, training_of, waves
from worker.training.fit import fit
from worker.training.verdict import score

SERIES = 4
FACTS = PanelFacts("D", SEASON, ("x",), "y", SERIES, 200, 200)
CONTEXTS = {"segrnn": 16}
"""Of the documents that do not look back two seasons."""

each_document = pytest.mark.parametrize("name", GALLERY)


@each_document
def test_it_is_filled_in_from_the_data_and_builds_what_was_counted(name: str) -> None:
    spec = resolve_spec(GALLERY[name].spec, FACTS, horizon=4)
    compiled = compile_spec(spec, NetworkLimits())
    assert sum(parameter.numel() for parameter in build(spec).parameters()) == compiled.parameters
    assert parse_spec(spec.model_dump(mode="json", by_alias=True)) == spec


@pytest.mark.slow
@each_document
def test_it_learns_a_noisy_wave_better_than_by_repeating_it(name: str) -> None:
    training = {"epochs": 12, "lr": 0.005, "schedule": "cosine", "clip_norm": 1.0, "seed": 1}
    spec = resolve_spec(GALLERY[name].spec, FACTS, horizon=4, context=CONTEXTS.get(name, 14), training=training)
    run = training_of(spec, waves(series=SERIES, length=170, noise=0.4))
    for _ in fit(run):
        pass
    run.finish()
    forecaster = Forecaster(spec, run.network, "D", SEASON, "naive", run.material.scaling, series=run.material.panel.ids)
    scores = score(forecaster, run.material, SEASON)
    assert (scores["model"]["mase"] or inf) < (scores["seasonal_naive"]["mase"] or 0.0)
    windows = run.material.source.batch(run.material.split.test.position)
    mean, _ = forecaster.forecast_windows(windows, (0.5,))
    again, _ = load(dump(forecaster)).forecast_windows(windows, (0.5,))
    assert np.array_equal(mean, again)


@each_document
def test_the_newest_observation_moves_every_step_and_a_later_one_none(name: str) -> None:
    spec = resolve_spec(GALLERY[name].spec, FACTS, horizon=4, context=CONTEXTS.get(name, 14))
    torch.manual_seed(0)
    network = build(spec)
    network.initialise()
    network.eval()
    source = training_of(spec, waves(series=SERIES)).material.source
    windows = source.batch(np.array([60]))
    changed = {column: values.clone() for column, values in windows.inputs.items()}
    for values in changed.values():
        values[:, -1] += 1.0
    assert ((network(changed, windows.future) - network(windows.inputs, windows.future)).abs() > 1e-7).all()
    if any(isinstance(block, InstanceNorm) for block in every(spec.network)):
        # Its level is that of the whole window.
        return
    before, after = network.encode(windows.inputs)[0], network.encode(changed)[0]
    torch.testing.assert_close(before[:, :-1], after[:, :-1])
    assert before.device == CPU
