"""Degraded is told from dead: what ails a service that can still work stands in its answer, part by part."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.api.probes import SENTENCES, Probes
from app.queue import Queue
from app.store.workers import Presence, see_worker
from tests.app.api.conftest import Api, make_api, problem_of
from tests.worker.broker import running_broker
from tests.worker.stage import wait_until


@pytest.fixture(autouse=True)
def _always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.probes.FRESH_SECONDS", -1.0)
    monkeypatch.setattr("app.api.probes.PATIENCE_SECONDS", 20.0)


@pytest.fixture
def well(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Api]:
    """A service with a broker and a worker."""
    api = make_api(tmp_path, migrated_sqlite)
    with running_broker() as broker:
        api.services.queue.close()
        object.__setattr__(api.services, "queue", Queue(broker.url))
        api.app.state.probes = Probes(api.services)
        with api.services.database.begin() as db:
            see_worker(db, Presence("host:1", "host", ("cpu",), "cpu", 1, "0.1.0"))
        yield api
    api.app.state.probes.close()
    api.services.queue.close()
    api.services.database.dispose()


def health(api: Api) -> dict[str, Any]:
    answer = api.client.get("/health/ready")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def ails(*parts: str) -> dict[str, Any]:
    return {"status": "degraded", "degraded": [{"part": part, "detail": SENTENCES[part]} for part in parts]}


@pytest.mark.services
def test_a_service_with_all_its_parts_is_ready(well: Api) -> None:
    assert health(well) == {"status": "ready", "degraded": []}


@pytest.mark.services
def test_a_service_without_a_worker_is_degraded(well: Api) -> None:
    with well.services.database.begin() as db:
        db.connection().exec_driver_sql("delete from workers")
    assert health(well) == ails("workers")


@pytest.mark.services
def test_a_service_whose_artifacts_cannot_be_written_is_degraded(well: Api, tmp_path: Path) -> None:
    (tmp_path / "artifacts").rename(tmp_path / "elsewhere")
    (tmp_path / "artifacts").write_text("a file in the folder's place")
    assert health(well) == ails("artifacts")


def test_a_service_without_its_broker_is_degraded_and_takes_jobs(api: Api) -> None:
    assert health(api) == ails("broker", "workers")
    answer = api.client.post("/v1/jobs", json={"kind": "train", "dataset": api.upload(), "horizon": 2, "context": 4})
    assert answer.status_code == 201


@pytest.mark.services
def test_a_part_that_does_not_answer_is_waited_for_once_and_not_long(well: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.probes.PATIENCE_SECONDS", 0.5)
    may_answer, asked = threading.Event(), []

    def hang(_content: bytes) -> str:
        asked.append(1)
        may_answer.wait(60)
        return "0" * 64

    monkeypatch.setattr(well.services.artifacts, "put", hang)
    wait_until(lambda: health(well) == ails("artifacts"), 240)
    assert health(well) == ails("artifacts")
    assert len(asked) == 1
    may_answer.set()
    wait_until(lambda: health(well)["status"] == "ready", 240)


def test_parts_are_looked_at_once_for_many_who_ask(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.probes.FRESH_SECONDS", 1000.0)
    probes = Probes(api.services)
    assert probes.parts() is probes.parts()
    probes.close()


def test_a_service_whose_database_has_another_schema_is_dead_however_well_the_rest_is(api: Api) -> None:
    api.services.database.dispose()
    with api.services.database.begin() as db:
        db.connection().exec_driver_sql("update alembic_version set version_num = 'older'")
    problem_of(api.client.get("/health/ready"), 503)
