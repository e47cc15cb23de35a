"""The unmodified client of Triton forecasts with models of this service, by the Open Inference Protocol."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton

from tests.app.api.conftest import WAVES, Api, problem_of
from tests.app.api.serving import served
from tests.app.api.trained import AHEAD, add_model

TARGET = [float(row.split(",")[1]) for row in WAVES.splitlines()[1:]]
START = "2024-01-01T00:00:00"


@pytest.fixture
def address(api: Api) -> Iterator[str]:
    with served(api.app) as found:
        yield found.removeprefix("http://")


def inputs_of(rows: list[list[float]], *, binary: bool) -> list[Any]:
    target = triton.InferInput("TARGET", [len(rows), len(rows[0])], "FP64")
    target.set_data_from_numpy(np.array(rows), binary_data=binary)
    start = triton.InferInput("START", [len(rows)], "BYTES")
    start.set_data_from_numpy(np.array([START] * len(rows), dtype=object), binary_data=binary)
    return [target, start]


@pytest.mark.parametrize("binary", [True, False])
def test_it_forecasts_what_the_service_does(binary: bool, api: Api, address: str) -> None:
    add_model(api, name="weeks")
    headers = {"Authorization": api.client.headers["authorization"]}
    rows = [TARGET, [value + 1.0 for value in TARGET]]
    client = triton.InferenceServerClient(address)
    outputs = [triton.InferRequestedOutput(name, binary_data=False) for name in ("MEAN", "QUANTILES")]
    found = client.infer(
        "weeks", inputs_of(rows, binary=binary), outputs=outputs, headers=headers, request_id="7", parameters={"levels": [90]}
    )
    sent = {"series": [{"start": START, "target": row} for row in rows], "levels": [90]}
    expected = api.client.post("/v1/models/weeks/forecasts", json=sent).json()["forecasts"]
    np.testing.assert_allclose(found.as_numpy("MEAN"), [one["mean"] for one in expected], rtol=1e-6)
    np.testing.assert_allclose(found.as_numpy("QUANTILES")[..., 1], [one["quantiles"]["0.95"] for one in expected], rtol=1e-6)
    assert found.get_response()["id"] == "7"
    client.close()


def test_servers_and_models_say_whether_they_are_ready(api: Api, address: str) -> None:
    add_model(api, name="weeks")
    headers = {"Authorization": api.client.headers["authorization"]}
    client = triton.InferenceServerClient(address)
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("weeks", headers=headers)
    assert not client.is_model_ready("nobody", headers=headers)
    told = client.get_model_metadata("weeks", headers=headers)
    assert told["outputs"][0] == {"name": "MEAN", "datatype": "FP64", "shape": [-1, 2]}
    client.close()


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"inputs": []}, 422, "#/inputs"),
        ({"inputs": [{"name": "TARGET", "shape": [1, 3], "datatype": "FP64", "data": [1.0, 2.0]}]}, 400, "#/inputs/0"),
        ({"inputs": [{"name": "TARGET", "shape": [1], "datatype": "FP16", "data": [1.0]}]}, 400, "#/inputs/0/datatype"),
        ({"inputs": "none"}, 400, "#/inputs"),
    ],
)
def test_what_is_no_request_is_refused_at_its_place(body: dict[str, Any], status: int, pointer: str, api: Api) -> None:
    model = add_model(api)
    problem = problem_of(api.client.post(f"/v2/models/{model}/infer", json=body), status)
    assert [fault["pointer"] for fault in problem["errors"]] == [pointer]


def test_a_model_that_reads_covariates_is_forecast_elsewhere(api: Api) -> None:
    model = add_model(api, **AHEAD)
    body = {
        "inputs": [
            {"name": "TARGET", "shape": [1, 28], "datatype": "FP64", "data": TARGET},
            {"name": "START", "shape": [1], "datatype": "BYTES", "data": [START]},
        ]
    }
    (fault,) = problem_of(api.client.post(f"/v2/models/{model}/infer", json=body), 422)["errors"]
    assert "the model reads x too" in fault["detail"]
