"""Where do bytes lie? Under the sha256 of their content, written once: in a folder, or in S3-compatible storage (docs/decisions/0005).

ArtifactStore ─┬─ LocalArtifacts    a folder; temporary name, fsync, rename, fsync of the folder
               └─ ObjectArtifacts   s3://bucket/prefix, through obstore
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from app.errors import NotFoundError

CHUNK_BYTES = 1 << 20
STALE_SECONDS = 24 * 3600
"""A temporary file of this age was left by a crash."""

STORAGE_REFUSES = (OSError, BaseError)
"""What is raised where bytes cannot be stored: a full disk, a quota, an object storage that is away."""

_DIGEST = re.compile(r"^[0-9a-f]{64}$")


class ArtifactStore(Protocol):
    """Bytes by digest."""

    def put(self, content: bytes | Path) -> str:
        """Store bytes, or a file's; their digest. What is already there is left."""
        ...

    def read(self, digest: str) -> bytes:
        """All bytes of an artifact; NotFoundError where there are none."""
        ...

    def open_local(self, digest: str) -> AbstractContextManager[Path]:
        """A context manager: the artifact as a local file that can be mapped into memory; NotFoundError where there is none."""
        ...

    def delete(self, digest: str) -> None:
        """Forget an artifact; nothing happens where there is none."""
        ...

    def digests(self, older_than_seconds: float = 0.0) -> set[str]:
        """All that is stored, or what was last stored so long ago."""
        ...


def open_artifacts(url: str) -> LocalArtifacts | ObjectArtifacts:
    """The store at `file:///folder` or `s3://bucket/prefix`.

    Raises:
        ValueError: another scheme.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return LocalArtifacts(Path(unquote(parts.path)))
    if parts.scheme == "s3":
        return ObjectArtifacts(url)
    raise ValueError(f"BRAIDCAST_ARTIFACTS_URL is {url!r}; it must begin with file:/// or s3://")


class LocalArtifacts:
    """Artifacts in a folder.

    Args:
        root: made if it is missing; temporary files that a crash left in it are removed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)
        for left in root.glob(".tmp-*"):
            if left.stat().st_mtime < time.time() - STALE_SECONDS:
                left.unlink(missing_ok=True)

    def put(self, content: bytes | Path) -> str:
        """See `ArtifactStore.put`."""
        descriptor, name = tempfile.mkstemp(prefix=".tmp-", dir=self._root)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file:
                hasher = hashlib.sha256()
                for chunk in _chunks(content):
                    hasher.update(chunk)
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
            digest = hasher.hexdigest()
            target = self._path(digest)
            target.parent.mkdir(exist_ok=True)
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
        _sync_folder(self._root)
        return digest

    def read(self, digest: str) -> bytes:
        """See `ArtifactStore.read`."""
        with self.open_local(digest) as path:
            return path.read_bytes()

    @contextmanager
    def open_local(self, digest: str) -> Iterator[Path]:
        """See `ArtifactStore.open_local`.

        Raises:
            NotFoundError: there is no such artifact.
        """
        path = self._path(digest)
        if not path.exists():
            raise NotFoundError(f"artifact {digest} is not stored")
        yield path

    def delete(self, digest: str) -> None:
        """See `ArtifactStore.delete`."""
        self._path(digest).unlink(missing_ok=True)

    def digests(self, older_than_seconds: float = 0.0) -> set[str]:
        """See `ArtifactStore.digests`."""
        until, found = time.time() - older_than_seconds, set()
        for path in self._root.glob("??/*"):
            with suppress(FileNotFoundError):  # deleted meanwhile
                if older_than_seconds <= 0.0 or path.stat().st_mtime < until:
                    found.add(path.name)
        return found

    def _path(self, digest: str) -> Path:
        return self._root / checked(digest)[:2] / digest


class ObjectArtifacts:
    """Artifacts in S3-compatible storage; endpoint and credentials by the usual AWS environment variables.

    Args:
        url: `s3://bucket/prefix`.
    """

    def __init__(self, url: str) -> None:
        plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
        self._store = S3Store.from_url(url, client_options={"allow_http": plain})

    def put(self, content: bytes | Path) -> str:
        """See `ArtifactStore.put`."""
        hasher = hashlib.sha256()
        for chunk in _chunks(content):
            hasher.update(chunk)
        digest = hasher.hexdigest()
        obstore.put(self._store, digest, content)
        return digest

    def read(self, digest: str) -> bytes:
        """See `ArtifactStore.read`.

        Raises:
            NotFoundError: there is no such artifact.
        """
        try:
            return bytes(obstore.get(self._store, checked(digest)).bytes())
        except FileNotFoundError as error:
            raise NotFoundError(f"artifact {digest} is not stored") from error

    @contextmanager
    def open_local(self, digest: str) -> Iterator[Path]:
        """See `ArtifactStore.open_local`; the file lives as long as the block."""
        with tempfile.NamedTemporaryFile(prefix="braidcast-") as file:
            file.write(self.read(digest))
            file.flush()
            yield Path(file.name)

    def delete(self, digest: str) -> None:
        """See `ArtifactStore.delete`."""
        try:
            obstore.delete(self._store, checked(digest))
        except FileNotFoundError:
            return

    def digests(self, older_than_seconds: float = 0.0) -> set[str]:
        """See `ArtifactStore.digests`."""
        until = time.time() - older_than_seconds
        entries = (entry for batch in obstore.list(self._store) for entry in batch)
        return {str(entry["path"]) for entry in entries if older_than_seconds <= 0.0 or entry["last_modified"].timestamp() < until}


def checked(digest: str) -> str:
    """The digest, once it is known to be one: nothing else becomes a path.

    Raises:
        NotFoundError: it is none.
    """
    if not _DIGEST.match(digest):
        raise NotFoundError(f"{digest[:80]!r} is not the digest of an artifact")
    return digest


def _chunks(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
