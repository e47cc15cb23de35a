"""The container image, the compose file and the task list, checked by their own tools."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from app.settings import Settings

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
COMPOSE: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def run(*command: str, **given: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **given)


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    found = run(str(BIN / "hadolint"), "--failure-threshold", "style", "Dockerfile")
    assert (found.returncode, found.stdout) == (0, "")


def test_hadolint_would_have_found_something(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN pip install torch\n")
    assert "DL3006" in run(str(BIN / "hadolint"), str(bad)).stdout


def test_the_compose_file_follows_the_compose_specification() -> None:
    found = run(str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")
    assert found.returncode == 0, found.stdout


def test_the_image_has_a_target_for_each_device_and_runs_as_nobody_in_particular() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    bases = {name: base for base, name in re.findall(r"^FROM (\S+) AS (\S+)$", dockerfile, re.MULTILINE)}
    assert bases["cuda"] == bases["cpu"] == "runtime"
    assert re.findall(r"^USER (\S+)$", dockerfile, re.MULTILINE) == ["10001:10001"]
    assert "HEALTHCHECK" in dockerfile


def test_everything_the_image_copies_is_let_in() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE):
        assert [name for name in line.split() if f"!{name}" not in ignored or not (ROOT / name).exists()] == []


def test_the_compose_file_has_every_part_of_the_service() -> None:
    assert set(SERVICES) == {"postgres", "redis", "migrate", "api", "worker"}


@pytest.mark.parametrize("name", ["migrate", "api", "worker"])
def test_our_parts_have_no_rights_and_nothing_to_write_to_but_their_home(name: str) -> None:
    part = SERVICES[name]
    assert part["read_only"] is True
    assert part["cap_drop"] == ["ALL"]
    assert part["volumes"] == ["home:/var/lib/braidcast"]


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_servers_are_reached_from_inside_alone(name: str) -> None:
    assert SERVICES[name]["networks"] == ["inside"]
    assert "ports" not in SERVICES[name]
    assert COMPOSE["networks"]["inside"] == {"internal": True}


@pytest.mark.parametrize("name", ["postgres", "redis", "worker"])
def test_every_part_that_stays_says_whether_it_is_well(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"]


def test_redis_keeps_every_change_evicts_nothing_and_asks_for_a_password() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "appendonly yes" in command
    assert "maxmemory-policy noeviction" in command
    assert "requirepass" in command


def test_the_api_starts_once_the_migrations_are_done() -> None:
    assert SERVICES["api"]["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}


def test_passwords_have_no_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    assert set(re.findall(r"\$\{(BRAIDCAST_[A-Z]+_PASSWORD)([^}]*)\}", text)) == {
        ("BRAIDCAST_POSTGRES_PASSWORD", ":?set it in .env"),
        ("BRAIDCAST_REDIS_PASSWORD", ":?set it in .env"),
    }


def test_the_compose_file_sets_only_what_is_a_setting() -> None:
    known = {f"BRAIDCAST_{name.upper()}" for name in Settings.model_fields}
    given = {name for name in SERVICES["api"]["environment"] if name.startswith("BRAIDCAST_")}
    assert given <= known


def test_the_worker_gets_longer_to_end_than_it_takes_to_put_its_jobs_back() -> None:
    assert int(SERVICES["worker"]["stop_grace_period"].removesuffix("s")) > Settings().drain_seconds


@pytest.mark.parametrize("target", ["demo", "test", "check", "fix", "up", "bench", "bench-peers", "clean"])
def test_every_target_of_the_makefile_can_be_planned(target: str) -> None:
    plan = run("make", "--dry-run", target)
    assert plan.returncode == 0, plan.stderr


def test_the_ci_script_is_one_that_can_be_run() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert run("bash", "-n", str(script)).returncode == 0
    assert "set -euo pipefail" in script.read_text()
    assert "make check" in script.read_text()


def test_everything_that_is_no_python_is_installed_too() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    left_out = []
    for package in ("app", "worker", "migrations"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and path.suffix not in {".py", ".pyc"}:
                place = path.relative_to(ROOT)
                patterns = [pattern for above in place.parents for pattern in told.get(".".join(above.parts), [])]
                left_out += [] if any(place.match(pattern) for pattern in patterns) else [str(place)]
    assert left_out == []
