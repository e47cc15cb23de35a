"""What was read a moment ago is known, until something is written here or the moment is over."""

from functools import partial

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from app.store import recent as recent_module
from app.store.database import Database
from app.store.keys import ensure_owner
from app.store.recent import Recent
from app.store.tables import OwnerRow


def owners(db: Session) -> int:
    return db.scalar(sa.select(sa.func.count()).select_from(OwnerRow)) or 0


def test_an_answer_is_known_until_this_process_writes(database: Database) -> None:
    recent = Recent(database)
    assert recent.known("owners") is None
    with database.begin() as db:
        ensure_owner(db, "one")
    assert recent.read("owners", owners) == recent.known("owners")
    with database.begin() as db:
        ensure_owner(db, "another")
    assert recent.known("owners") is None


def test_an_answer_is_forgotten_after_a_moment(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    recent = Recent(database)
    monkeypatch.setattr(recent_module, "SECONDS", -1.0)
    recent.read("a", lambda _: 3)
    assert recent.known("a") is None


def test_who_asks_first_reads_anew_and_others_go_on(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    recent = Recent(database)
    monkeypatch.setattr(recent_module, "RENEWED", -1.0)
    monkeypatch.setattr(recent_module, "SECONDS", 60.0)
    recent.read("a", lambda _: 3)
    assert [recent.known_still("a") for _ in range(3)] == [None, 3, 3]
    assert recent.known("a") is None
    monkeypatch.setattr(recent_module, "RENEWED", 1.0)
    recent.read("a", lambda _: 4)
    assert [recent.known_still("a"), recent.known("a")] == [4, 4]
    with database.begin() as db:
        ensure_owner(db, "one")
    assert [recent.known_still("a"), recent.known_still("a")] == [None, None]


def test_nothing_is_no_answer_and_the_oldest_go_first(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    recent = Recent(database)
    monkeypatch.setattr(recent_module, "MOST", 2)
    assert recent.read("none", lambda _: None) is None
    for number in range(1, 4):
        recent.read(number, partial(lambda answer, _: answer, number))
    assert [recent.known(key) for key in ("none", 1, 2, 3)] == [None, None, 2, 3]
