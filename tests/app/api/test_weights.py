"""A model's weights leave the service, whole or in parts, and forecast elsewhere what they forecast here."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import safetensors

from tests.app.api.conftest import WAVES, Api, problem_of
from tests.app.api.trained import SMALL, add_model

PAGE = Path(__file__).parents[3] / "docs" / "forecasts.md"


def test_weights_are_safetensors_with_the_document_in_their_header(api: Api, tmp_path: Path) -> None:
    model = add_model(api)
    answer = api.client.get(f"/v1/models/{model}/weights")
    assert answer.status_code == 200
    assert answer.headers["ETag"] == f'"{hashlib.sha256(answer.content).hexdigest()}"'
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{model}.safetensors"'
    path = tmp_path / "model.safetensors"
    path.write_bytes(answer.content)
    with safetensors.safe_open(path, framework="numpy") as weights:
        document = json.loads(weights.metadata()["braidcast"])
        count = sum(weights.get_tensor(name).size for name in weights.keys() if name not in {"residuals", "widths"})  # noqa: SIM118
    assert document["spec"]["network"]["units"] == SMALL["network"]["units"]
    assert count == api.client.get(f"/v1/models/{model}").json()["parameters"]


def test_a_download_that_broke_off_goes_on_where_it_was(api: Api) -> None:
    address = f"/v1/models/{add_model(api, name='weeks')}/weights"
    whole = api.client.get(address)
    tag = whole.headers["ETag"]
    rest = api.client.get(address, headers={"Range": "bytes=100-", "If-Range": tag})
    assert (rest.status_code, rest.content) == (206, whole.content[100:])
    assert rest.headers["Content-Range"] == f"bytes 100-{len(whole.content) - 1}/{len(whole.content)}"
    other = api.client.get(address, headers={"Range": "bytes=100-", "If-Range": '"another"'})
    assert (other.status_code, other.content) == (200, whole.content)
    known = api.client.get(address, headers={"If-None-Match": tag})
    assert (known.status_code, known.content) == (304, b"")
    assert api.client.get("/v1/models/weeks/weights").content == whole.content


def test_weights_of_somebody_else_do_not_exist(api: Api) -> None:
    model = add_model(api)
    assert problem_of(api.client_of("somebody else").get(f"/v1/models/{model}/weights"), 404)["detail"].startswith(model)


def test_the_documented_lines_forecast_what_the_service_does(api: Api, tmp_path: Path) -> None:
    model = add_model(api)
    target = [float(row.split(",")[1]) for row in WAVES.splitlines()[1:]]
    sent = {"series": [{"start": "2024-01-01T00:00:00", "target": target}], "levels": [80]}
    (served,) = api.client.post(f"/v1/models/{model}/forecasts", json=sent).json()["forecasts"]
    (tmp_path / "model.safetensors").write_bytes(api.client.get(f"/v1/models/{model}/weights").content)
    code = next(code for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL) if "checkpoint" in code)
    assert len([line for line in code.splitlines() if line]) <= 10
    given = code.replace("[12.0, 15.0, 11.0, 14.0, 18.0, 21.0, 20.0]", repr(target)).replace("2026-03-01", "2024-01-01")
    ran = subprocess.run([sys.executable, "-c", given], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == served["mean"]
