"""How does a program on this machine sign in? With the key in `home/key`, which only its user can read."""

from __future__ import annotations

import os
from pathlib import Path

from app.store.database import Database
from app.store.keys import authenticate, create_key, ensure_owner, list_keys

LOCAL_OWNER = "local"
ALL_SCOPES = ("read", "write", "admin")


def ensure_local_key(database: Database, path: Path) -> None:
    """Makes the file with a key of the owner `local`, unless it holds one that is still valid.

    Args:
        database: whose keys they are, at the newest migration.
        path: the file; its mode becomes 0600.
    """
    if path.exists():
        path.chmod(0o600)
        if _is_valid(database, path.read_text(encoding="utf-8", errors="replace").strip()):
            return
    with database.begin() as db:
        _, token = create_key(db, ensure_owner(db, LOCAL_OWNER), LOCAL_OWNER, ALL_SCOPES)
        _write_private(path, token + "\n")  # before the commit: a file that cannot be written leaves no key behind


def _is_valid(database: Database, token: str) -> bool:
    with database.begin() as db:
        principal = authenticate(db, token)
    return principal is not None and principal.owner_name == LOCAL_OWNER and set(principal.scopes) >= set(ALL_SCOPES)


def _write_private(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def has_local_key(database: Database) -> bool:
    """Whether somebody has made a key for the owner `local` that was not revoked."""
    with database.begin() as db:
        return any(key.revoked_at is None for key in list_keys(db, ensure_owner(db, LOCAL_OWNER)))
