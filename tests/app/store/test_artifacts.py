"""One contract over every artifact store."""

import hashlib
import os
import time
from pathlib import Path

import pytest

from app.errors import NotFoundError
from app.store.artifacts import ArtifactStore, LocalArtifacts, open_artifacts

CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(params=["file", pytest.param("s3", marks=pytest.mark.services)])
def artifacts(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    if request.param == "file":
        return open_artifacts((tmp_path / "artifacts").as_uri())
    return open_artifacts(request.getfixturevalue("s3_url"))


def test_what_is_put_is_read_under_its_sha256(artifacts: ArtifactStore) -> None:
    assert artifacts.put(CONTENT) == DIGEST
    assert artifacts.read(DIGEST) == CONTENT
    assert artifacts.digests() == {DIGEST}


def test_a_file_is_stored_as_its_bytes_are(artifacts: ArtifactStore, tmp_path: Path) -> None:
    (tmp_path / "weights").write_bytes(CONTENT)
    assert artifacts.put(tmp_path / "weights") == DIGEST
    with artifacts.open_local(DIGEST) as path:
        assert path.read_bytes() == CONTENT


def test_putting_twice_stores_once_and_deleting_twice_is_fine(artifacts: ArtifactStore) -> None:
    assert artifacts.put(CONTENT) == artifacts.put(CONTENT)
    artifacts.delete(DIGEST)
    artifacts.delete(DIGEST)
    assert artifacts.digests() == set()


@pytest.mark.parametrize("digest", [DIGEST, "../../etc/passwd", DIGEST.upper(), ""])
def test_only_digests_of_what_is_stored_are_found(artifacts: ArtifactStore, digest: str) -> None:
    with pytest.raises(NotFoundError):
        artifacts.read(digest)


def test_a_failed_write_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        LocalArtifacts(tmp_path / "root").put(tmp_path / "missing")
    assert list((tmp_path / "root").iterdir()) == []


def test_temporary_files_that_a_crash_left_are_removed_once_they_are_old(tmp_path: Path) -> None:
    (tmp_path / ".tmp-old").touch()
    os.utime(tmp_path / ".tmp-old", (0, time.time() - 2 * 24 * 3600))
    (tmp_path / ".tmp-new").touch()
    LocalArtifacts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".tmp-new"]


def test_other_schemes_are_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match=r"must begin with file:/// or s3://"):
        open_artifacts("ftp://host/folder")
