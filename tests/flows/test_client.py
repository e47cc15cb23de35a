"""The README's second example, run as it is written; a client against a real service."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from app.client import Client, JobFailedError, RefusedError
from tests.flows.service import Service

pytestmark = [pytest.mark.services, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
FAST = {"architecture": "gallery:stacked", "context": 12, "training": {"epochs": 2}}


@pytest.fixture
def passengers() -> pl.DataFrame:
    frame = pl.read_csv(ROOT / "app" / "demo" / "air_passengers.csv", try_parse_dates=True)
    return frame.rename({"month": "ds", "passengers": "y"})


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(f"http://127.0.0.1:{service.port}", (service.home / "key").read_text().strip()) as made:
        yield made


def test_the_second_example_runs_as_written(service: Service, tmp_path: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    (tmp_path / "var").symlink_to(service.home)
    (tmp_path / "app" / "demo").mkdir(parents=True)
    (tmp_path / "app" / "demo" / "air_passengers.csv").symlink_to(ROOT / "app" / "demo" / "air_passengers.csv")
    example = tmp_path / "reader" / "example.py"
    example.parent.mkdir()
    example.write_text(code.replace("127.0.0.1:8123", f"127.0.0.1:{service.port}"))
    ran = subprocess.run([sys.executable, str(example)], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "succeeded" in ran.stdout
    assert "q0.975" in ran.stdout
    assert len(ran.stdout.strip().splitlines()[-1].split(",")) == 6


def test_frames_of_either_library_are_trained_on_and_forecast_alike(client: Client, passengers: pl.DataFrame, tmp_path: Path) -> None:
    model = client.train(client.upload(passengers, "polars"), 3, **FAST).wait()
    assert client.job(client.submit({"kind": "backtest", "model": model, "windows": 1}).id).wait() == ""
    ours = client.forecast(model, passengers, levels=[80])
    theirs = client.forecast(model, pd.DataFrame(passengers.to_dict(as_series=False)), levels=[80])
    stored = client.forecast(model, unique_ids=["series"], levels=[80])
    assert isinstance(theirs, pd.DataFrame)
    assert ours.columns == list(theirs.columns) == ["unique_id", "ds", "mean", "q0.1", "q0.9"]
    assert ours["mean"].to_list() == theirs["mean"].tolist() == stored["mean"].to_list()
    all_of_it = client.forecast_all(model, levels=[80])
    assert all_of_it.wait() == ""
    assert pl.read_parquet(all_of_it.download(tmp_path / "all.parquet"))["mean"].to_list() == pytest.approx(
        ours["mean"].to_list(), rel=1e-5
    )
    assert ours["ds"].to_list() == [moment.to_pydatetime() for moment in theirs["ds"]]


def test_a_session_forecasts_what_the_longer_history_does(client: Client, passengers: pl.DataFrame) -> None:
    model = client.train(client.upload(passengers, "carried"), 3, **FAST).wait()
    session = client.session(model, passengers[:-2])
    session.observe(passengers["y"][-2:].to_list())
    assert session.sequence == 2
    fresh = client.session(model, passengers).forecast()
    assert session.forecast()["mean"] == pytest.approx(fresh["mean"], rel=0.05)
    session.close()
    with pytest.raises(RefusedError, match=session.id):
        session.forecast()
    two = pl.concat([passengers.with_columns(unique_id=pl.lit(name)) for name in "ab"])
    with pytest.raises(ValueError, match="the history has 2"):
        client.session(model, two)


def test_a_job_that_does_not_succeed_says_why(client: Client, passengers: pl.DataFrame) -> None:
    job = client.train(client.upload(passengers, "long"), 3, **FAST | {"training": {"epochs": 10_000, "patience": None}})
    job.cancel()
    with pytest.raises(JobFailedError, match=f"job {job.id} is cancelled"):
        job.wait()
    with pytest.raises(RefusedError, match="#/horizon"):
        client.train("ds_nothing", -1)
