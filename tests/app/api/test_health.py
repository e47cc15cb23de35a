"""The service says whether it can work, what it allows, and what it offers."""

from pathlib import Path

import sqlalchemy as sa

from app.api.pages import MOST_ROWS
from app.settings import Settings
from app.store.database import Database
from tests.app.api.conftest import Api, make_api, problem_of


def test_a_service_with_its_database_is_live_and_can_work_without_a_key(api: Api) -> None:
    del api.client.headers["authorization"]
    assert api.client.get("/health/live").json()["status"] == "live"
    assert api.client.get("/health/ready").status_code == 200


def test_a_service_whose_schema_is_not_current_is_live_and_not_ready(api: Api) -> None:
    with api.services.database.begin() as db:
        db.execute(sa.text("update alembic_version set version_num = 'older'"))
    body = problem_of(api.client.get("/health/ready"), 503)
    assert body["detail"] == "the database has the schema of another version; run `braidcast migrate`"
    assert api.client.get("/health/live").status_code == 200


def test_a_service_without_its_database_is_live_and_not_ready(migrated_sqlite: Path, tmp_path: Path) -> None:
    api = make_api(tmp_path, migrated_sqlite)
    api.services.database.dispose()
    (tmp_path / "api.db").write_bytes(b"this is no database" * 100)
    answer = api.client.get("/health/ready")
    assert problem_of(answer, 503)["detail"] == "the database does not answer just now; ask again"
    assert answer.headers["retry-after"] == "2"
    assert api.client.get("/health/live").status_code == 200


def test_a_request_while_the_database_is_away_is_told_to_come_again(migrated_sqlite: Path, tmp_path: Path) -> None:
    api = make_api(tmp_path, migrated_sqlite)
    away = Database(f"sqlite:///{tmp_path / 'no such folder' / 'api.db'}")
    object.__setattr__(api.services, "database", away)
    answer = api.client.get("/v1/datasets")
    assert problem_of(answer, 503)["type"] == "/problems/unavailable"
    assert answer.headers["retry-after"] == "2"


def test_the_limits_are_the_deployments(migrated_sqlite: Path, tmp_path: Path) -> None:
    api = make_api(tmp_path, migrated_sqlite, max_rows=1234, max_units=77)
    known = Settings()
    assert api.client.get("/v1/limits").json() == {
        "body_bytes": known.max_body_bytes,
        "json_bytes": known.max_json_bytes,
        "expanded_bytes": known.max_expanded_bytes,
        "rows": 1234,
        "series": known.max_series,
        "columns": known.max_columns,
        "field_bytes": known.max_field_bytes,
        "parameters": known.max_parameters,
        "blocks": known.max_blocks,
        "depth": known.max_depth,
        "units": 77,
        "page_rows": MOST_ROWS,
    }
    api.services.database.dispose()


def test_every_limit_of_the_settings_is_told(api: Api) -> None:
    settings = {name.removeprefix("max_") for name in Settings.model_fields if name.startswith("max_")}
    assert settings <= set(api.client.get("/v1/limits").json())


def test_the_documentation_describes_every_path_and_is_shown(api: Api) -> None:
    described = api.client.get("/openapi.json").json()
    assert {"/v1/datasets", "/v1/architectures/validate", "/v1/keys", "/v1/limits", "/health/ready"} <= set(described["paths"])
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation["tags"], (method, path)
            (failure,) = operation["responses"]["default"]["content"].values()
            assert failure["schema"]["$ref"].endswith("/Problem"), (method, path)
    assert len(described["components"]["schemas"]) == len({name.rsplit("__", 1)[-1] for name in described["components"]["schemas"]})
    page = api.client.get("/docs")
    assert page.status_code == 200
    assert "https://" not in page.text
