"""A state that is fed one value at a time forecasts what one pass over all values does, of every kind of block that can carry one."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings

from app.errors import ForecastError
from app.forecasting.carried import Carrier
from app.forecasting.forecaster import Forecaster
from app.forecasting.forecasts import Forecast
from app.forecasting.histories import History, whole_units
from app.forecasting.observations import Observation
from app.forecasting.states import Arrays, dump_state, join, load_state, part
from app.forecasting.windows import WindowSource
from app.nets.build import build
from app.nets.heads import RESIDUAL_LEVELS
from app.series.frequency import parse_frequency
from app.series.panel import TARGET, Panel
from app.series.scaling import CovariateScaling
from app.spec.blocks import ALL_KINDS, Model, every
from app.spec.leaves import Attention, InstanceNorm, Segment
from app.spec.parse import parse_spec
from tests.app.forecasting.examples import widths_of
from tests.strategies_specs import CELLS, INPUTS, OPTIONS, WHOLES, documents, read_all, stack

START = np.datetime64("2024-01-01", "us")
LEVELS = (0.1, 0.5, 0.9)
BEFORE, MORE = 4, 7
CANNOT = {Attention, InstanceNorm, Segment, Model}
"""Kinds without a state; what a stored model is made of is looked at as if it stood there itself."""


PLAIN: dict[str, Any] = {
    "context": 6,
    "horizon": 3,
    "inputs": INPUTS,
    "network": {"kind": "gru", "units": 4},
    "head": {"kind": "normal"},
}


def forecaster_of(document: dict[str, Any], series: tuple[str, ...] = ()) -> Forecaster:
    spec = parse_spec(read_all(document))
    torch.manual_seed(0)
    networks = [build(spec).eval() for _ in range(spec.training.members)]
    for network in networks:
        network.initialise()
        network.requires_grad_(requires_grad=False)
    residuals = torch.linspace(-1, 1, len(RESIDUAL_LEVELS)).expand(spec.horizon or 1, -1).clone() if spec.head.kind == "point" else None
    scaling = CovariateScaling({"x": 1.0, "z": -2.0}, {"x": 2.0, "z": 0.5})
    return Forecaster(spec, networks[0], "D", 7, "naive", scaling, residuals, series, tuple(networks[1:]), widths_of(spec))


def values_of(steps: int, seed: int = 0) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    """A target above zero and covariates, some of them missing."""
    generator = np.random.default_rng(seed)
    columns = {"y": 5 + generator.random(steps), "x": generator.normal(size=steps), "z": generator.normal(size=steps)}
    columns["y"][generator.random(steps) < 0.2] = np.nan
    columns["x"][generator.random(steps) < 0.2] = np.nan
    return columns | {"region": np.full(steps, 2.0), "size": np.full(steps, 1.0)}


def history_of(columns: dict[str, Any], end: int, horizon: int) -> History:
    return History("a", START, {name: values[:end] for name, values in columns.items()}, ahead_of(columns, end, horizon))


def ahead_of(columns: dict[str, Any], end: int, horizon: int) -> dict[str, Any]:
    return {name: columns[name][end : end + horizon] for name in ("x", "z")}


def fed(carrier: Carrier, columns: dict[str, Any], begin: int, cuts: list[int]) -> Arrays:
    """The state of a history that ends at `begin`, and was then told of the values up to each cut."""
    horizon = carrier.forecaster.horizon
    state = carrier.open([history_of(columns, begin, horizon)])
    for first, last in zip([begin, *cuts], cuts, strict=False):
        past = {name: columns[name][first:last] for name in ("x", "z")}
        state = carrier.observe(state, [Observation(columns["y"][first:last], past, ahead_of(columns, last, horizon))])
    return state


def in_one_pass(forecaster: Forecaster, columns: dict[str, Any], begin: int, end: int) -> tuple[Any, Any]:
    """Mean and quantiles of one pass from the context before `begin` to `end`, in the units of that context."""
    anchor = history_of(columns, begin, forecaster.horizon)
    ahead = {name: columns[name][end : end + forecaster.horizon] for name in columns}
    ahead["y"] = np.full(forecaster.horizon, np.nan)
    whole = {name: np.concatenate([columns[name][:end], ahead[name]]) for name in columns}
    long = Panel(("a",), parse_frequency("D"), np.array([START]), np.array([0, end + forecaster.horizon]), whole)
    known = forecaster._known([anchor], whole_units(forecaster.spec, [anchor]))
    source = WindowSource(forecaster.spec, long, forecaster.scaling, forecaster.device, known)
    at = torch.arange(begin - forecaster.context, end)[None]
    target = source._columns[TARGET]
    past = at[:, : forecaster.context]
    measured = source._measure(past, *target.windows(past))
    windows = source._windows(at, *target.windows(at), measured, None, has_inputs=True)
    return forecaster.forecast_windows(windows, LEVELS)


def check_law(document: dict[str, Any], series: tuple[str, ...] = ()) -> set[type[object]]:
    forecaster = forecaster_of(document, series)
    carrier, begin = Carrier(forecaster), BEFORE + forecaster.reach
    columns = values_of(begin + MORE + forecaster.horizon)
    for name in ("y", "x"):
        # Fillers before the first observed value are measured when a session begins, and by a pass over all of it.
        columns[name][begin - forecaster.context :][:2] = 6.0
    opened = carrier.forecast(carrier.open([history_of(columns, begin, forecaster.horizon)]), ["a"], LEVELS)[0]
    (alone,) = forecaster.predict([history_of(columns, begin, forecaster.horizon)], LEVELS)
    same(opened, alone)
    one_by_one = fed(carrier, columns, begin, list(range(begin + 1, begin + MORE + 1)))
    found = carrier.forecast(one_by_one, ["a"], LEVELS)[0]
    same(carrier.forecast(fed(carrier, columns, begin, [begin + 2, begin + MORE]), ["a"], LEVELS)[0], found)
    mean, quantiles = in_one_pass(forecaster, columns, begin, begin + MORE)
    close(found.mean, mean[0])
    close(np.stack([found.quantiles[level] for level in LEVELS], axis=1), quantiles[0])
    assert found.times[0] == START + np.timedelta64(begin + MORE, "D")
    return {type(block) for block in every(forecaster.spec.network)}


def same(one: Forecast, other: Forecast) -> None:
    assert (one.times == other.times).all()
    close(one.mean, other.mean)
    for level, values in other.quantiles.items():
        close(one.quantiles[level], values)


def close(found: Any, expected: Any) -> None:
    """Equal but for the rounding of numbers as large as the largest of them."""
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * max(1.0, float(np.abs(expected).max())))


@pytest.mark.no_cover
def test_a_state_fed_one_by_one_forecasts_as_one_pass_over_every_kind_of_block() -> None:
    met: set[type[object]] = set()

    @settings(max_examples=60)
    @given(documents(carries_state=True))
    def law(document: dict[str, Any]) -> None:
        met.update(check_law(document))

    law()
    cells = [*CELLS, *({**CELLS[2], **option} for option in OPTIONS if "direction" not in option)]
    begun = [stack({"kind": "conv", "units": 3}, block) for block in [*({**cell, "units": 3} for cell in cells), *WHOLES]]
    for network in [*begun, stack({"kind": "smooth", "from": "target"}, {"kind": "lstm", "units": 3})]:
        met.update(check_law({"context": 6, "horizon": 2, "inputs": INPUTS, "network": network}))
    assert met == set(ALL_KINDS) - CANNOT


@pytest.mark.parametrize("seasons", [[], [2], [2, 3]])
@pytest.mark.parametrize("series", [("a",), ("b",)])
def test_level_and_seasons_are_carried_of_series_that_were_learnt_and_of_others(seasons: list[int], series: tuple[str, ...]) -> None:
    smooth = {"kind": "smooth", "form": "multiplicative", "seasons": seasons, "series": 1, "from": "target"}
    check_law({"context": 9, "horizon": 3, "inputs": INPUTS, "network": stack(smooth, {"kind": "gru", "units": 3})}, series)


def test_members_of_an_ensemble_carry_states_of_their_own() -> None:
    network = {"kind": "lstm", "units": 3}
    for training in ({"members": 3}, {"members": 3, "contexts": [2, 4]}):
        check_law({"context": 6, "horizon": 3, "inputs": INPUTS, "network": network, "training": training})


@pytest.mark.parametrize("decoder", ["forking", "recursive"])
def test_members_of_shorter_contexts_carry_their_seasons_and_samples(decoder: str) -> None:
    smooth = {"kind": "smooth", "form": "additive", "seasons": [2, 3], "series": 1, "from": "target"}
    blocks = [smooth] if decoder == "forking" else []
    document = {"context": 9, "horizon": 3, "inputs": INPUTS, "network": stack(*blocks, {"kind": "gru", "units": 3})}
    check_law({**document, "decoder": {"kind": decoder}, "training": {"members": 2, "contexts": [4]}}, ("a",))


@pytest.mark.parametrize("decoder", ["direct", "recursive"])
def test_many_states_move_on_together_as_each_alone(decoder: str) -> None:
    carrier = Carrier(forecaster_of({**PLAIN, "decoder": {"kind": decoder}}))
    series = [values_of(30, seed) for seed in range(4)]
    states = [fed(carrier, one, 15, []) for one in series]
    told = [Observation(one["y"][15:18], {"x": one["x"][15:18], "z": one["z"][15:18]}, ahead_of(one, 18, 3)) for one in series]
    together = carrier.observe(join(states), told)
    forecasts = carrier.forecast(together, list("abcd"), LEVELS)
    for row, one in enumerate(series):
        alone = fed(carrier, one, 15, [18])
        same(forecasts[row], carrier.forecast(alone, ["a"], LEVELS)[0])
        same(carrier.forecast(part(together, row), ["a"], LEVELS)[0], forecasts[row])


def test_a_state_comes_back_from_its_bytes() -> None:
    carrier = Carrier(forecaster_of({**PLAIN, "network": {"kind": "slstm", "units": 4}}))
    columns = values_of(30)
    state = fed(carrier, columns, 15, [18])
    again = load_state(dump_state(dict(reversed(list(state.items())))))
    assert again.keys() == state.keys()
    assert all((values == again[name]).all() or np.isnan(values).any() for name, values in state.items())
    same(carrier.forecast(again, ["a"], LEVELS)[0], carrier.forecast(state, ["a"], LEVELS)[0])
    told = [Observation(columns["y"][18:20])]
    same(
        carrier.forecast(carrier.observe(again, told), ["a"], horizon=1)[0],
        carrier.forecast(carrier.observe(state, told), ["a"], horizon=1)[0],
    )


def test_a_state_does_not_grow_with_what_it_has_seen() -> None:
    carrier = Carrier(forecaster_of(PLAIN))
    columns = values_of(600)
    short, long = fed(carrier, columns, 20, [21]), fed(carrier, columns, 20, list(range(21, 500, 40)))
    assert {name: values.shape for name, values in short.items()} == {name: values.shape for name, values in long.items()}
    assert {name: values.dtype for name, values in short.items()} == {name: values.dtype for name, values in long.items()}


GRU = {"kind": "gru", "units": 2}
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "backward": ({"kind": "lstm", "units": 2, "direction": "both"}, "#/network/blocks/0", "'lstm' reads 'both'"),
    "attention": ({"kind": "attention", "units": 2}, "#/network/blocks/0", "looks at the whole context again"),
    "a convolution ahead": ({"kind": "conv", "units": 2, "causal": False}, "#/network/blocks/0", "waits for values that come later"),
    "a level of the context": ({"kind": "instance_norm"}, "#/network/blocks/0", "out of the whole context"),
    "pieces": ({"kind": "segment", "width": 2}, "#/network/blocks/0", "a single new value is no piece"),
    "inside a code": (
        {
            "kind": "autoencoder",
            "encoder": {"kind": "gru", "units": 2, "direction": "both"},
            "code": 2,
            "decoder": {"kind": "gru", "units": 2},
        },
        "#/network/blocks/0/encoder",
        "'gru' reads 'both'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_state_is_refused_by_its_name_and_place(case: str) -> None:
    block, pointer, sentence = REFUSED[case]
    forecaster = forecaster_of(
        {**PLAIN, "inputs": {"target": {"columns": ["y"]}}, "network": stack({**block, "from": "target"}, {"kind": "last"})}
    )
    with pytest.raises(ForecastError) as caught:
        Carrier(forecaster)
    (fault,) = caught.value.faults
    assert fault.pointer == pointer
    assert sentence in fault.detail


@pytest.mark.parametrize(
    ("observation", "pointer", "sentence"),
    [
        (Observation(np.empty(0)), "#/target", "at least one value"),
        (Observation(np.ones(2), {"x": np.ones(1)}), "#/past/x", "has 1 values and the target 2"),
        (Observation(np.ones(4), {"x": np.ones(4)}), "#/past", "'z', which the model reads, is missing; send 4 values"),
    ],
)
def test_an_observation_that_lacks_something_is_refused_at_its_place(observation: Observation, pointer: str, sentence: str) -> None:
    carrier = Carrier(forecaster_of(PLAIN))
    state = fed(carrier, values_of(30), 15, [])
    with pytest.raises(ForecastError) as caught:
        carrier.observe(state, [observation])
    assert caught.value.pointer == pointer
    assert sentence in caught.value.detail


def test_what_was_said_ahead_is_taken_until_it_is_used_up() -> None:
    carrier, columns = Carrier(forecaster_of(PLAIN)), values_of(30)
    said = carrier.observe(fed(carrier, columns, 15, []), [Observation(columns["y"][15:17])])
    with pytest.raises(ForecastError, match="is known for 1 steps; a horizon of 3 needs as many"):
        carrier.forecast(said, ["a"])
    assert len(carrier.forecast(said, ["a"], horizon=1)[0].mean) == 1
    again = {name: columns[name][15:17] for name in ("x", "z")}
    told = carrier.observe(fed(carrier, columns, 15, []), [Observation(columns["y"][15:17], again, ahead_of(columns, 17, 1))])
    same(carrier.forecast(said, ["a"], LEVELS, 1)[0], carrier.forecast(told, ["a"], LEVELS, 1)[0])
