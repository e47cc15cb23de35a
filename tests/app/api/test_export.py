"""A model leaves the service as a graph that forecasts what the service does; what cannot is refused with its place and the reason."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from app.api import export
from tests.app.api.conftest import WAVES, Api, problem_of
from tests.app.api.trained import add_model

PAGE = Path(__file__).parents[3] / "docs" / "forecasts.md"


@pytest.mark.no_cover
def test_the_file_forecasts_what_the_service_does(api: Api) -> None:
    model = add_model(api, name="weeks")
    answer = api.client.get("/v1/models/weeks/export", params={"format": "onnx", "levels": [50, 90]})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{model}.onnx"'
    session = onnxruntime.InferenceSession(answer.content)
    told = json.loads(session.get_modelmeta().custom_metadata_map["braidcast"])
    target = [float(row.split(",")[1]) for row in WAVES.splitlines()[1:]]
    newest = np.array([target[-told["context"] :]])
    given: dict[str, Any] = {"begin": np.array(True), "shift": np.zeros(1), "scale": np.ones(1), "y": newest}
    given |= {name: np.zeros((1, *shape), np.float64 if name == "last" else np.float32) for name, shape in told["states"].items()}
    mean, quantiles = session.run(["mean", "quantiles"], given)
    sent = {"series": [{"start": "2024-01-01T00:00:00", "target": target}], "levels": [50, 90]}
    (served,) = api.client.post(f"/v1/models/{model}/forecasts", json=sent).json()["forecasts"]
    assert mean[0].tolist() == pytest.approx(served["mean"], rel=1e-4)
    assert told["levels"] == [0.05, 0.25, 0.75, 0.95]
    assert quantiles[0, :, 0].tolist() == pytest.approx(served["quantiles"]["0.05"], rel=1e-4)


def test_a_block_that_cannot_be_exported_is_named_with_its_place(api: Api) -> None:
    attentive = {"network": {"kind": "stack", "blocks": [{"kind": "attention", "units": 4}, {"kind": "last"}]}, "head": {"kind": "point"}}
    model = add_model(api, architecture=attentive)
    (fault,) = problem_of(api.client.get(f"/v1/models/{model}/export"), 422)["errors"]
    assert fault["pointer"] == "#/network/blocks/0"
    assert "looks at the whole context again" in fault["detail"]


def test_one_export_is_at_work_at_a_time(api: Api) -> None:
    model = add_model(api)
    with export._at_work:
        answer = api.client.get(f"/v1/models/{model}/export")
    problem_of(answer, 503)
    assert answer.headers["Retry-After"] == "10"


def test_another_format_is_refused(api: Api) -> None:
    (fault,) = problem_of(api.client.get(f"/v1/models/{add_model(api)}/export", params={"format": "pickle"}), 422)["errors"]
    assert fault["pointer"] == "?format"


def test_the_documented_lines_go_on_from_a_state(api: Api, tmp_path: Path) -> None:
    model = add_model(api)
    (tmp_path / "model.onnx").write_bytes(api.client.get(f"/v1/models/{model}/export").content)
    code = next(code for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL) if "onnxruntime" in code)
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    target = [12.0, 15.0, 11.0, 14.0, 18.0, 21.0, 20.0]
    opened = api.client.post(f"/v1/models/{model}/sessions", json={"series": {"start": "2024-01-01T00:00:00", "target": target}}).json()
    served = [api.client.get(f"/v1/sessions/{opened['id']}/forecast").json()["mean"]]
    api.client.post(f"/v1/sessions/{opened['id']}/observations", json={"sequence": 1, "target": [22.0]})
    served.append(api.client.get(f"/v1/sessions/{opened['id']}/forecast").json()["mean"])
    found = json.loads(f"[{ran.stdout.replace('] [', '], [')}]")
    assert found[0][0] == pytest.approx(served[0], rel=1e-4)
    assert found[1][0] == pytest.approx(served[1], rel=1e-4)
