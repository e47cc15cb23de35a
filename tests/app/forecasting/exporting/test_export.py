"""An exported graph forecasts what the forecaster does, from a history and from its state, for every kind that can be exported."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jaxtyping
import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from app.errors import ForecastError
from app.forecasting.carried import Carrier
from app.forecasting.exporting.contract import export_faults
from app.forecasting.exporting.graph import KEY, export
from app.forecasting.forecaster import Forecaster
from app.forecasting.stepping import last_observed
from app.series.calendar import calendar_features
from app.spec.blocks import ALL_KINDS, every
from app.spec.leaves import Smooth
from app.spec.parse import parse_spec
from tests.app.forecasting.test_carried import CANNOT, LEVELS, MORE, PLAIN, START, fed, forecaster_of, history_of, values_of
from tests.strategies_specs import CELLS, INPUTS, OPTIONS, WHOLES, documents, read_all, stack

Values = npt.NDArray[Any]


@pytest.fixture(autouse=True)
def _unchecked() -> Iterator[None]:
    """Shapes are not checked while a module is traced: each check would be traced too."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


class Exported:
    """A graph at work, as a program has it that knows the file alone."""

    def __init__(self, content: bytes) -> None:
        self.session = onnxruntime.InferenceSession(content)
        self.told = json.loads(self.session.get_modelmeta().custom_metadata_map[KEY])

    def begin(self, given: Mapping[str, Values]) -> dict[str, Values]:
        rows = len(given["y"])
        states = {
            name: np.zeros((rows, *shape), np.float64 if name == "last" else np.float32) for name, shape in self.told["states"].items()
        }
        return self._run({"begin": np.array(True), "shift": np.zeros(rows), "scale": np.ones(rows), **states, **given})

    def go_on(self, before: Mapping[str, Values], given: Mapping[str, Values]) -> dict[str, Values]:
        carried = {name.removeprefix("next/"): values for name, values in before.items() if name.startswith("next/")}
        return self._run({"begin": np.array(False), **carried, **given})

    def _run(self, given: Mapping[str, Values]) -> dict[str, Values]:
        read = {one.name for one in self.session.get_inputs()}
        names = [one.name for one in self.session.get_outputs()]
        return dict(zip(names, self.session.run(names, {name: values for name, values in given.items() if name in read}), strict=True))


def given_of(forecaster: Forecaster, series: list[dict[str, Any]], first: int, end: int) -> dict[str, Values]:
    """What a graph is given of the steps from `first` to `end`, and of the horizon behind them."""
    horizon = forecaster.horizon
    steps, ahead = np.arange(first, end), np.arange(end, end + horizon)
    target = np.stack([last_observed(one["y"]) for one in series])
    given: dict[str, Values] = {"y": np.stack([one["y"][steps] for one in series])}
    for name in ("x", "z"):
        given |= {
            f"past/{name}": np.stack([one[name][steps] for one in series]),
            f"future/{name}": np.stack([one[name][ahead] for one in series]),
        }
    for name in ("region", "size"):
        given[f"static/{name}"] = np.array([one[name][0] for one in series])
    for lag in range(1, 13):
        whole = ahead - lag * ((ahead - end) // lag + 1)
        given |= {f"lag/{lag}": target[:, np.maximum(steps - lag, 0)], f"future/lag/{lag}": target[:, whole]}
        if lag == forecaster.spec.scaling.baseline_lag:
            given["baseline"] = target[:, whole]
    features = tuple(dict.fromkeys(feature for group in forecaster.spec.inputs.values() for feature in group.features))
    for prefix, places in (("", steps), ("future/", ahead)):
        given[f"{prefix}age"] = np.tile(places.astype(np.float64), (len(series), 1))
        if features:
            turns = calendar_features(START + places * np.timedelta64(1, "D"), features)
            for place, name in enumerate(f"calendar/{feature}/{turn}" for feature in features for turn in ("sin", "cos")):
                given[f"{prefix}{name}"] = np.tile(turns[:, place], (len(series), 1))
    return given


def series_of(forecaster: Forecaster, seed: int) -> dict[str, Any]:
    columns = values_of(forecaster.reach + MORE + forecaster.horizon, seed)
    columns["y"][[0, forecaster.reach - 1]] = 6.0
    for name in ("x", "z"):  # what is known ahead is given whole
        columns[name][np.isnan(columns[name])] = 0.5
    columns["x"][forecaster.reach - 2] = np.nan
    return columns


def check_law(document: dict[str, Any]) -> set[type[object]]:
    forecaster = forecaster_of(document)
    exported = Exported(export(forecaster, LEVELS))
    carrier, reach = Carrier(forecaster), forecaster.reach
    # Fewer than the two sizes that it was traced with, and more.
    for count in (1, 4):
        series = [series_of(forecaster, seed) for seed in range(count)]
        begun = exported.begin(given_of(forecaster, series, reach - forecaster.context, reach))
        has_quantiles = forecaster.spec.head.kind in {"point", "quantiles", "normal"}
        histories = [history_of(one, reach, forecaster.horizon) for one in series]
        same(begun, forecaster.predict(histories, LEVELS), has_quantiles=has_quantiles)
        moved = exported.go_on(begun, given_of(forecaster, series, reach, reach + 1))
        moved = exported.go_on(moved, given_of(forecaster, series, reach + 1, reach + MORE))
        states = [fed(carrier, one, reach, [reach + MORE]) for one in series]
        same(moved, [carrier.forecast(state, ["a"], LEVELS)[0] for state in states], has_quantiles=has_quantiles)
    return {type(block) for block in every(forecaster.spec.network)}


def same(found: Mapping[str, Values], expected: Any, *, has_quantiles: bool) -> None:
    mean = np.stack([one.mean for one in expected])
    close(found["mean"], mean)
    if has_quantiles:
        close(found["quantiles"], np.stack([np.stack([one.quantiles[level] for level in LEVELS], axis=1) for one in expected]))


def close(found: Values, expected: Values) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(expected).max())))


@pytest.mark.no_cover
def test_a_graph_forecasts_what_the_forecaster_does_over_every_kind_of_block() -> None:
    met: set[type[object]] = set()

    @settings(max_examples=4, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])  # to shrink takes a minute
    @given(documents(carries_state=True))
    def law(document: dict[str, Any]) -> None:
        document = {**document, "scaling": {**document["scaling"], "over": "window"}}
        if not list(export_faults(parse_spec(read_all(document)))):
            met.update(check_law(document))

    law()
    cells = [{**cell, "units": 3} for cell in CELLS]
    cells += [{**CELLS[2], **option, "units": 3} for option in OPTIONS[2:] if "direction" not in option]
    maps = [
        {"kind": "norm"},
        {"kind": "activation", "function": "gelu"},
        {"kind": "dropout", "rate": 0.2},
        {"kind": "lags", "steps": [1, 2]},
        {"kind": "connect", "merge": "gate", "branches": [{"kind": "gru", "units": 3, "name": "one"}, {"kind": "share", "of": "one"}]},
    ]
    for several in (cells[:6], cells[6:], maps, WHOLES):
        side_by_side = {"kind": "connect", "branches": several}
        network = stack({"kind": "conv", "units": 3, "causal": True}, {"kind": "dense", "units": 3}, side_by_side)
        met.update(check_law({"context": 6, "horizon": 2, "inputs": INPUTS, "network": network}))
    assert met == set(ALL_KINDS) - CANNOT - {Smooth}


@pytest.mark.parametrize(
    ("head", "scaling"),
    [("point", {"target": "standard"}), ("quantiles", {"target": "none"}), ("normal", {"baseline": "season", "season": 3})],
)
def test_units_and_quantiles_are_inside(head: str, scaling: dict[str, Any]) -> None:
    check_law({**PLAIN, "head": {"kind": head}, "scaling": scaling})


@pytest.mark.parametrize("head", ["point", "quantiles", "normal", "mixture"])
@pytest.mark.parametrize("scaling", [{"target": "log"}, {"target": "standard_log", "baseline": "season", "season": 3}])
def test_logarithms_are_inside(head: str, scaling: dict[str, Any]) -> None:
    inputs = {"target": {"columns": ["y"], "scale": True, "lags": [3]}, "known": {"columns": ["x"], "known": "future"}}
    check_law({**PLAIN, "inputs": inputs, "head": {"kind": head}, "scaling": scaling, "decoder": {"kind": "direct", "lags": [2]}})


@pytest.mark.parametrize("head", ["student_t", "mixture"])
def test_a_head_whose_quantiles_no_graph_can_have_gives_its_mean(head: str) -> None:
    content = export(forecaster_of({**PLAIN, "head": {"kind": head}}), LEVELS)
    assert Exported(content).told["levels"] == []
    assert "quantiles" not in {one.name for one in onnx.load_from_string(content).graph.output}
    check_law({**PLAIN, "head": {"kind": head}})


@pytest.mark.parametrize("decoder", [{"kind": "forking", "units": 4}, {"kind": "segments", "width": 2}, {"kind": "sequence", "units": 3}])
def test_decoders_are_inside(decoder: dict[str, Any]) -> None:
    check_law({**PLAIN, "decoder": decoder})


def test_members_of_an_ensemble_are_combined_inside() -> None:
    check_law({**PLAIN, "training": {"members": 2}})


def test_age_scale_and_lags_are_read_as_in_training() -> None:
    inputs = {"target": {"columns": ["y"], "age": True, "scale": True, "lags": [3]}}
    check_law({**PLAIN, "inputs": inputs, "decoder": {"kind": "direct", "lags": [2]}})


def test_weights_stand_in_the_file_once() -> None:
    forecaster = forecaster_of({**PLAIN, "network": {"kind": "gru", "units": 64}})
    parameters = sum(parameter.numel() for parameter in forecaster.network.parameters())
    assert len(export(forecaster, LEVELS)) < 4 * parameters * 1.3 + 50_000


@pytest.mark.parametrize(
    ("change", "pointer", "sentence"),
    [
        ({"network": stack({"kind": "gru", "units": 2, "direction": "both"})}, "#/network/branches/0/blocks/0", "'gru' reads 'both'"),
        (
            {"network": stack({"kind": "smooth", "from": "target"}, {"kind": "gru", "units": 2})},
            "#/network/branches/0/blocks/0",
            "parameters of each series",
        ),
        ({"decoder": {"kind": "recursive"}}, "#/decoder", "train one with another decoder"),
        ({"scaling": {"over": "series"}}, "#/scaling/over", "train one with 'window'"),
        ({"training": {"members": 2, "contexts": [2]}}, "#/training/contexts", "train one with 'members' alone"),
    ],
)
def test_what_cannot_be_exported_is_refused_by_its_name_and_place(change: dict[str, Any], pointer: str, sentence: str) -> None:
    with pytest.raises(ForecastError) as caught:
        export(forecaster_of({**PLAIN, **change}), LEVELS)
    assert caught.value.fault_code == "not_exportable"
    (fault,) = caught.value.faults
    assert fault.pointer == pointer
    assert sentence in fault.detail
