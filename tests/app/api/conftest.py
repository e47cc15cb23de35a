"""A service for the tests of the API: in this process, on SQLite, with a queue that nobody answers."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import event
from starlette.testclient import TestClient

from app.api.services import Services
from app.main import create_app
from app.settings import Settings
from app.store.database import Database
from app.store.keys import create_key, ensure_owner

WAVES = "ds,y,x\n" + "".join(f"2024-{1 + day // 28:02d}-{1 + day % 28:02d},{day % 7},{day % 5}\n" for day in range(28))
"""Four weeks of a daily series with a covariate."""


@dataclass(frozen=True)
class Api:
    """A service and somebody who asks.

    Attributes:
        app: the service.
        client: sends requests with a key for everything.
        services: what the service works with.
        owner: the id of the client's owner.
    """

    app: FastAPI
    client: TestClient
    services: Services
    owner: str

    def client_of(self, owner: str, *scopes: str) -> TestClient:
        """A client with a key of another owner, or of other scopes."""
        with self.services.database.begin() as db:
            _, token = create_key(db, ensure_owner(db, owner), "a test", scopes or ("read", "write", "admin"))
        return TestClient(self.app, headers={"Authorization": f"Bearer {token}"}, raise_server_exceptions=False)

    def upload(self, csv: str = WAVES, **parameters: str) -> str:
        """The id of a new dataset."""
        answer = self.client.post("/v1/datasets", params=parameters, content=csv.encode(), headers={"Content-Type": "text/csv"})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


def make_api(home: Path, migrated: Path, **settings: Any) -> Api:
    """A service on a copy of a migrated database."""
    shutil.copy(migrated, home / "api.db")
    app = create_app(
        Settings(home=home, database_url=f"sqlite:///{home / 'api.db'}", broker_url=f"redis+socket://{home / 'nobody.sock'}", **settings)
    )
    services = app.state.services
    assert isinstance(services, Services)
    with services.database.begin() as db:
        owner = ensure_owner(db, "somebody")
        _, token = create_key(db, owner, "a test", ("read", "write", "admin"))
    return Api(app, TestClient(app, headers={"Authorization": f"Bearer {token}"}, raise_server_exceptions=False), services, owner)


@pytest.fixture
def api(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Api]:
    made = make_api(tmp_path, migrated_sqlite)
    yield made
    made.services.queue.close()
    made.services.database.dispose()


@pytest.fixture
def count_queries() -> Iterator[Callable[[Database], list[str]]]:
    """Collects the statements that a database is sent from now on."""
    watched: list[tuple[Database, Callable[..., None]]] = []

    def watch(database: Database) -> list[str]:
        statements: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            statements.append(statement)

        event.listen(database.engine, "before_cursor_execute", note)
        watched.append((database, note))
        return statements

    yield watch
    for database, note in watched:
        event.remove(database.engine, "before_cursor_execute", note)


def refusal(answer: httpx2.Response) -> tuple[str, str]:
    """Pointer and sentence of the one fault that a request is refused for."""
    (fault,) = problem_of(answer, 422)["errors"]
    return fault["pointer"], fault["detail"]


def problem_of(answer: httpx2.Response, status: int) -> dict[str, Any]:
    """The problem that an answer is, proven to be a whole one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["request_id"] == answer.headers["x-request-id"]
    assert {"type", "title", "detail", "instance", "errors"} < set(body)
    return body
