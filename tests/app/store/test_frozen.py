"""Whoever is frozen within a transaction keeps its rows from others for a while only."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.store import database as module
from app.store.database import Database
from app.store.migrate import migrate
from app.store.tables import OwnerRow

NAME = "somebody"


def rename(database: Database, to: str, meanwhile: Callable[[], None] = lambda: None) -> None:
    with database.begin() as db:
        db.execute(sa.update(OwnerRow).values(name=to))
        meanwhile()


@pytest.mark.services
def test_a_transaction_that_says_nothing_lets_go_of_its_rows(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE_SECONDS", 1)
    migrate(postgres_url)
    frozen, other = Database(postgres_url), Database(postgres_url)
    with frozen.begin() as db:
        db.add(OwnerRow(id="own_1", name=NAME))
    with pytest.raises(DBAPIError):
        rename(frozen, "written by the frozen", meanwhile=lambda: rename(other, "written by another"))
    with frozen.read() as db:
        assert db.scalar(sa.select(OwnerRow.name)) == "written by another"
    frozen.dispose()
    other.dispose()
