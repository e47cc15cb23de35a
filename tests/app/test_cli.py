"""The command line, as a user sees it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.store.artifacts import LocalArtifacts


def braidcast(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "app.cli", *arguments]
    variables = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=variables, cwd=Path(__file__).parents[2])


def test_help_names_every_command() -> None:
    shown = braidcast("--help").stdout
    assert all(name in shown for name in ("up", "demo", "worker", "migrate", "sweep", "key"))


def test_a_key_is_made_shown_once_listed_and_revoked(tmp_path: Path) -> None:
    made = braidcast("key", "create", "laptop", "--scope", "read", "--home", str(tmp_path))
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("bc_")
    key = made.stderr.split()[1]
    assert "laptop" in braidcast("key", "list", "--home", str(tmp_path), COLUMNS="200").stdout
    assert "is revoked" in braidcast("key", "revoke", key, "--home", str(tmp_path)).stdout
    again = braidcast("key", "revoke", key, "--home", str(tmp_path))
    assert again.returncode == 1
    assert "is not a key of yours" in again.stderr


def test_migrate_brings_the_embedded_database_to_the_newest_schema(tmp_path: Path) -> None:
    done = braidcast("migrate", "--home", str(tmp_path / "home"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "home" / "braidcast.db").exists()


def test_sweep_removes_what_a_killed_process_has_left_and_nothing_else(tmp_path: Path) -> None:
    assert braidcast("migrate", "--home", str(tmp_path)).returncode == 0
    artifacts = LocalArtifacts(tmp_path / "artifacts")
    left, fresh = artifacts.put(b"left behind"), artifacts.put(b"its row is on its way")
    long_ago = time.time() - 2 * 24 * 3600
    os.utime(tmp_path / "artifacts" / left[:2] / left, (long_ago, long_ago))
    done = braidcast("sweep", "--home", str(tmp_path))
    assert (done.returncode, done.stdout) == (0, "1 removed.\n"), done.stderr
    assert artifacts.digests() == {fresh}


@pytest.mark.services
def test_a_database_of_ones_own_is_migrated_by_its_owner_only(postgres_url: str, tmp_path: Path) -> None:
    refused = braidcast("key", "list", "--home", str(tmp_path), BRAIDCAST_DATABASE_URL=postgres_url)
    assert refused.returncode == 3
    assert "run `braidcast migrate` first" in refused.stderr


def test_a_setting_that_cannot_be_used_is_said_with_its_name() -> None:
    refused = braidcast("migrate", BRAIDCAST_WORKERS="many")
    assert refused.returncode == 2
    assert "BRAIDCAST_WORKERS is 'many'" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_version_is_said() -> None:
    assert braidcast("--version").stdout.startswith("braidcast 0.1")
