"""The key of whoever is on this machine."""

import stat
from pathlib import Path

from app.embedded.key import ensure_local_key, has_local_key
from app.store.database import Database
from app.store.keys import authenticate, list_keys, revoke_key


def test_the_local_key_is_made_once_and_only_its_user_can_read_it(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "key"
    assert not has_local_key(database)
    ensure_local_key(database, path)
    token = path.read_text().strip()
    path.chmod(0o644)
    ensure_local_key(database, path)
    assert path.read_text().strip() == token
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert has_local_key(database)


def test_a_revoked_local_key_is_replaced(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "key"
    ensure_local_key(database, path)
    with database.begin() as db:
        principal = authenticate(db, path.read_text().strip())
        assert principal is not None
        revoke_key(db, principal.owner, principal.key_id)
    ensure_local_key(database, path)
    with database.begin() as db:
        again = authenticate(db, path.read_text().strip())
        assert again is not None
        assert again.key_id != principal.key_id
        assert len(list_keys(db, principal.owner)) == 2
