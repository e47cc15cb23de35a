"""A session is moved on by one who knows its number, is somebody's, and is gone when nobody used it; on both databases."""

import pytest

from app.errors import ConflictError, GoneError, NotFoundError
from app.store import sessions as sessions_module
from app.store.database import Database
from app.store.keys import ensure_owner
from app.store.models import delete_model
from app.store.sessions import create_session, delete_session, get_session, keep_session, move_session
from app.store.tables import ModelRow

MODEL = "mdl_01JD2V6W2Q7YH0S0V5S1G4Z8KX"
HOUR = 3600.0


def add_session(database: Database, idle_seconds: float = HOUR) -> tuple[str, str]:
    """The owner and the id of a new session."""
    with database.begin() as db:
        owner = ensure_owner(db, "one")
        facts = {"spec": {}, "scores": {}, "lineage": {}, "tags": [], "spec_digest": "1" * 64, "freq": "D", "parameters": 1}
        told = {"owner_id": owner, "digest": "0" * 64, "size_bytes": 1, "job_id": MODEL, "dataset_id": "ds"}
        if db.get(ModelRow, MODEL) is None:
            db.add(ModelRow(id=MODEL, name="a", **facts, **told))
            db.flush()
        return owner, create_session(db, owner, MODEL, "a", b"\x00state", idle_seconds).id


def test_a_state_comes_back_with_its_number_and_its_models_artifact(database: Database) -> None:
    owner, session_id = add_session(database)
    with database.read() as db:
        session = get_session(db, owner, session_id)
    assert (session.sequence, session.state, session.digest, session.unique_id) == (0, b"\x00state", "0" * 64, "a")
    assert not session.is_expired


def test_of_two_who_know_the_same_number_one_moves_it_on(database: Database) -> None:
    owner, session_id = add_session(database)
    with database.read() as db:
        session = get_session(db, owner, session_id)
    with database.begin() as db:
        assert move_session(db, session, 2, b"later", 2 * HOUR) > session.expires_at
    with pytest.raises(ConflictError, match="was moved on"), database.begin() as db:
        move_session(db, session, 1, b"other", HOUR)
    with database.read() as db:
        moved = get_session(db, owner, session_id)
    assert (moved.sequence, moved.state) == (2, b"later")


def test_a_session_that_is_used_no_more_is_gone_and_forgotten_in_the_end(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    owner, session_id = add_session(database, -1.0)
    with pytest.raises(GoneError, match="has expired"), database.read() as db:
        get_session(db, owner, session_id)
    monkeypatch.setattr(sessions_module, "REMEMBERED_SECONDS", 0.0)
    _, kept = add_session(database)
    with pytest.raises(NotFoundError), database.read() as db:
        get_session(db, owner, session_id)
    with database.read() as db:
        assert get_session(db, owner, kept).id == kept


def test_a_use_is_worth_a_write_once_a_tenth_of_its_time_has_gone(database: Database) -> None:
    owner, session_id = add_session(database)
    with database.read() as db:
        assert not get_session(db, owner, session_id, HOUR).is_fading
        fading = get_session(db, owner, session_id, 2 * HOUR)
    assert fading.is_fading
    with database.begin() as db:
        keep_session(db, fading, 2 * HOUR)
    with database.read() as db:
        assert not get_session(db, owner, session_id, 2 * HOUR).is_fading


def test_it_is_its_owners_alone_and_ends_with_its_model(database: Database) -> None:
    owner, session_id = add_session(database)
    with database.begin() as db:
        other = ensure_owner(db, "another")
    for ask in (get_session, delete_session):
        with pytest.raises(NotFoundError), database.begin() as db:
            ask(db, other, session_id)
    with database.begin() as db:
        delete_model(db, owner, MODEL)
    with pytest.raises(NotFoundError), database.begin() as db:
        delete_session(db, owner, session_id)
