"""An ensemble's members are trained as if alone, and forecast as one by the median."""

from typing import Any

import numpy as np
import pytest
import torch

from app.forecasting.checkpoint import dump, load
from app.forecasting.forecaster import Forecaster
from app.spec.phases import plan, side_by_side
from tests.worker.training.lessons import SEASON, spec_of, training_of
from worker.training.aside import confine, take_over
from worker.training.comparison import members_of
from worker.training.first_weights import draw_first
from worker.training.fit import Training, fit
from worker.training.verdict import forecaster_of, score

TRAINING = {"epochs": 2, "batch_size": 32, "steps_per_epoch": 5, "patience": None}
THREE: dict[str, Any] = {"training": TRAINING | {"members": 3}}


def trained(training: Training) -> Training:
    for _ in fit(training):
        pass
    training.finish()
    return training


def forecaster_from(training: Training) -> Forecaster:
    _, final = members_of(training.spec, training)
    return forecaster_of(training.spec, final, training.material, freq="D", season=SEASON, time_kind="naive")


def test_the_first_member_is_the_network_of_a_training_without_others() -> None:
    alone = trained(training_of(spec_of(training=TRAINING))).network.state_dict()
    _, members = members_of((three := trained(training_of(spec_of(**THREE)))).spec, three)
    assert len(members) == 3
    for name, weight in members[0].state_dict().items():
        torch.testing.assert_close(weight, alone[name], rtol=0, atol=0)
    assert not torch.equal(members[1].state_dict()[name], members[2].state_dict()[name])


def test_each_is_scored_before_its_refit() -> None:
    training = trained(training_of(spec_of(training=TRAINING | {"members": 2, "refit": True})))
    assert [stage.name for stage in training.stages] == [f"{what}, member {one} of 2" for one in (1, 2) for what in ("all", "refit")]
    judged, final = members_of(training.spec, training)
    assert (len(judged), len(final), len({*training.kept})) == (2, 2, 4)
    scores = score(
        forecaster_of(training.spec, judged, training.material, freq="D", season=SEASON, time_kind="naive"), training.material, SEASON
    )
    assert np.isfinite(scores["model"]["mase"] or np.nan)


@pytest.mark.parametrize("head", [{"kind": "quantiles", "levels": [0.1, 0.5, 0.9]}, {"kind": "point"}, {"kind": "normal"}])
def test_a_forecast_is_the_median_of_theirs_and_comes_back_from_bytes(head: dict[str, object]) -> None:
    training = trained(training_of(spec_of(**THREE, head=head)))
    forecaster = forecaster_from(training)
    windows = training.material.source.batch(training.material.split.test.position)
    mean, quantiles = forecaster.forecast_windows(windows, (0.1, 0.5, 0.9))
    alone = [Forecaster(training.spec, one, "D", SEASON, "naive", training.material.scaling) for one in forecaster.members]
    np.testing.assert_allclose(mean, np.median([one.forecast_windows(windows, ())[0] for one in alone], axis=0), rtol=1e-6)
    assert (np.diff(quantiles, axis=2) >= 0).all()
    again = load(dump(forecaster))
    assert len(again.members) == 3
    np.testing.assert_array_equal(again.forecast_windows(windows, (0.1, 0.5, 0.9))[1], quantiles)
    assert forecaster.sample_windows(windows, 7).shape == (len(windows.scale), 7, 4)


def test_killed_and_resumed_equals_never_killed() -> None:
    straight = forecaster_from(trained(training_of(spec_of(**THREE))))
    killed = training_of(spec_of(**THREE))
    events = fit(killed)
    while killed.progress.stage < 1 or killed.progress.batch < 2:
        next(events)
    state = killed.capture()
    resumed = training_of(spec_of(**THREE))
    resumed.restore(*state)
    assert dump(forecaster_from(trained(resumed))) == dump(straight)


def test_members_of_shorter_contexts_are_told_apart_and_resumed_to_the_bit() -> None:
    training = {**THREE["training"], "contexts": [5]}
    lstm = {"kind": "lstm", "units": 6, "init": "chrono"}
    changes: dict[str, Any] = {"training": training, "network": lstm, "decoder": {"kind": "forking"}}
    straight = trained(training_of(spec_of(**changes)))
    assert [stage.name for stage in straight.stages] == [
        f"all, member {one} of 3{own}" for one, own in ((1, ""), (2, ", context 5"), (3, ""))
    ]
    alone = trained(training_of(spec_of(**changes | {"training": TRAINING}))).network.state_dict()
    _, members = members_of(straight.spec, straight)
    for name, weight in members[0].state_dict().items():
        torch.testing.assert_close(weight, alone[name], rtol=0, atol=0)
    killed = training_of(spec_of(**changes))
    events = fit(killed)
    while killed.progress.stage < 1 or killed.progress.batch < 2:
        next(events)
    state = killed.capture()
    resumed = training_of(spec_of(**changes))
    resumed.restore(*state)
    content = dump(forecaster_from(trained(resumed)))
    assert content == dump(forecaster_from(straight))
    assert load(content).unread == (0, 9, 0)


def test_members_of_shorter_contexts_are_the_same_where_others_learn_them() -> None:
    training = {**THREE["training"], "contexts": [5]}
    straight, shared = trained(training_of(spec_of(training=training))), training_of(spec_of(training=training))
    beginning, runs = shared.capture(), side_by_side(shared.spec, shared.stages, 0)
    assert len(runs) == 3
    for stages in runs:
        elsewhere = training_of(spec_of(training=training))
        confine(elsewhere, stages, *beginning)
        take_over(shared, stages, *trained(elsewhere).capture(), begun_at=0)
    assert dump(forecaster_from(trained(shared))) == dump(forecaster_from(straight))


def test_a_member_begins_with_the_weights_that_suit_its_context() -> None:
    training = training_of(
        spec_of(training=TRAINING | {"members": 2, "contexts": [3]}, network={"kind": "lstm", "units": 64, "init": "chrono"})
    )
    biases = {}
    for member in (0, 1):
        draw_first(training.spec, training.network, training.material, member)
        biases[member] = max(float(weight.abs().max()) for name, weight in training.network.state_dict().items() if "bias" in name)
    assert biases[1] <= np.log(2.0) < biases[0] <= np.log(13.0)


def test_members_of_an_origin_begin_with_its_weights() -> None:
    stages = plan(spec_of(**THREE), is_inherited=True)
    assert [(stage.drawn_as, stage.restarts) for stage in stages] == [(None, False), (None, True), (None, True)]
    assert [stage.draw for stage in stages] == [0, 1, 2]
