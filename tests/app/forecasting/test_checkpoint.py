"""A forecaster becomes bytes and comes back the same; other bytes are refused before a tensor is read."""

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given

from app.errors import BraidcastError
from app.forecasting.checkpoint import dump, load, pack, unpack
from app.forecasting.forecaster import Forecaster
from app.nets.build import build
from app.series.scaling import CovariateScaling
from app.spec.parse import parse_spec
from tests.app.forecasting.examples import forecaster_of, history_of
from tests.strategies_specs import documents


@pytest.mark.parametrize("head", [{"kind": "point"}, {"kind": "quantiles", "levels": [0.2, 0.8]}])
def test_what_comes_back_forecasts_the_same(head: dict[str, Any]) -> None:
    forecaster = forecaster_of(head=head)
    loaded = load(dump(forecaster))
    assert (loaded.spec, loaded.freq, loaded.season, loaded.time_kind) == (forecaster.spec, "D", 7, "zoned")
    (before,), (after,) = forecaster.predict([history_of()], (0.1, 0.9)), loaded.predict([history_of()], (0.1, 0.9))
    assert np.array_equal(before.mean, after.mean)
    assert np.array_equal(before.quantiles[0.9], after.quantiles[0.9])
    assert dump(loaded) == dump(forecaster)


@given(documents())
def test_any_network_comes_back_with_the_same_weights(document: dict[str, Any]) -> None:
    spec = parse_spec(document)
    network = build(spec)
    network.initialise()
    loaded = load(dump(Forecaster(spec, network, "h", 24, "naive", CovariateScaling({}, {}))))
    assert not loaded.network.training
    assert all(torch.equal(weight, loaded.network.state_dict()[name]) for name, weight in network.state_dict().items())


def test_tensors_and_a_document_come_back_to_the_bit() -> None:
    tensors = {"a": torch.randn(3), "state": torch.get_rng_state()}
    found, document = unpack(pack(tensors, {"loss": 0.1 + 0.2, "none": None}))
    assert document == {"loss": 0.1 + 0.2, "none": None}
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())


def with_document(**changes: Any) -> bytes:
    tensors, document = unpack(dump(forecaster_of()))
    return pack(tensors, document | changes)


def with_tensors(**changes: torch.Tensor | None) -> bytes:
    tensors, document = unpack(dump(forecaster_of()))
    return pack({name: tensor for name, tensor in (tensors | changes).items() if tensor is not None}, document)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "cut off"),
        (dump(forecaster_of())[:100], "cut off"),
        ((2**60).to_bytes(8, "little") + b"{}", "cut off"),
        ((4).to_bytes(8, "little") + b"abcd", "no JSON"),
        ((2).to_bytes(8, "little") + b"[]", "no JSON object"),
        (with_document(format="another"), "'another'"),
        (with_tensors(**{"decoder.bias": None}), "decoder.bias"),
        (with_tensors(**{"decoder.bias": torch.zeros(5)}), "decoder.bias"),
        (with_tensors(**{"decoder.bias": torch.zeros(27, dtype=torch.float64)}), "decoder.bias"),
        (with_tensors(more=torch.zeros(1)), "more"),
    ],
)
def test_bytes_that_are_no_forecaster_are_refused(content: bytes, sentence: str) -> None:
    with pytest.raises(BraidcastError, match=sentence):
        load(content)


def test_bytes_of_somebody_else_have_no_document() -> None:
    header = json.dumps({"__metadata__": {"format": "pt"}}).encode()
    with pytest.raises(BraidcastError, match="no document"):
        unpack(len(header).to_bytes(8, "little") + header)
