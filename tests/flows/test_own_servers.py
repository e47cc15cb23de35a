"""The same road on a PostgreSQL and a Redis of one's own, by environment variables alone."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.flows.service import running

ROOT = Path(__file__).parents[2]


@pytest.mark.services
@pytest.mark.slow
def test_the_road_runs_on_postgresql_and_redis_by_environment_alone(postgres_url: str, redis_url: str, tmp_path: Path) -> None:
    with running(tmp_path / "home", {"BRAIDCAST_DATABASE_URL": postgres_url, "BRAIDCAST_BROKER_URL": redis_url}) as service:
        dataset = service.upload((ROOT / "app" / "demo" / "air_passengers.csv").read_text(), "passengers")
        training = {"epochs": 3}
        request = {"name": "own", "dataset": dataset, "architecture": "gallery:stacked", "context": 24, "horizon": 6, "training": training}
        job = service.wait(service.train(request), status="succeeded")
        answer = service.http.post("/v1/models/own/forecasts", json={"unique_ids": ["series"], "levels": [80]})
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["forecasts"][0]["mean"]) == 6
        assert not list(service.home.glob("*.db*"))
        assert not (service.home / "redis").exists()
    engine = sa.create_engine(postgres_url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        assert connection.execute(sa.text("select status from jobs where id = :id"), {"id": job["id"]}).scalar_one() == "succeeded"
    engine.dispose()
