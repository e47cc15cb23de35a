"""`braidcast up` keeps everything under its home, ends cleanly, and goes on where it was when it is started again."""

import os
import pty
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.flows.service import Service, free_port, running

pytestmark = [pytest.mark.services, pytest.mark.slow]

ROOT = Path(__file__).parents[2]


def below(process: int) -> set[int]:
    """Every process that a process started, and those that they started."""
    children: dict[int, set[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        children.setdefault(parent, set()).add(int(entry.name))
    found: set[int] = set()
    waiting = {process}
    while waiting:
        waiting = set().union(*(children.get(one, set()) for one in waiting)) - found
        found |= waiting
    return found


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_everything_is_under_the_home_and_the_key_is_its_owners_alone(service: Service) -> None:
    kept = {path.name for path in service.home.iterdir()}
    assert {"braidcast.db", "artifacts", "logs", "key", "redis"} <= kept
    assert stat.S_IMODE((service.home / "key").stat().st_mode) == 0o600
    with sqlite3.connect(service.home / "braidcast.db") as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    keys = service.http.get("/v1/keys").json()["data"]
    assert [key["scopes"] for key in keys] == [["read", "write", "admin"]]


def test_a_terminal_is_shown_an_address_that_signs_in_and_a_log_is_not(service: Service, tmp_path: Path) -> None:
    log = (service.home.parent / f"{service.home.name}-up.log").read_text()
    assert f"Web  http://127.0.0.1:{service.port}/\n" in log
    assert (service.home / "key").read_text().strip() not in log
    home, port = tmp_path / "home", free_port()
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "app.cli", "up", "--home", str(home), "--port", str(port)]
    process = subprocess.Popen(command, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while b"Ctrl-C" not in shown:
        shown += os.read(ours, 65536)
    process.send_signal(signal.SIGTERM)
    with suppress(OSError):  # the other end is closed once all have ended
        while os.read(ours, 65536):
            pass
    assert process.wait(timeout=90) == 0
    assert f"http://127.0.0.1:{port}/#key={(home / 'key').read_text().strip()}" in shown.decode()


def test_the_documentation_needs_no_key_and_nothing_from_elsewhere(service: Service) -> None:
    page = httpx.get(f"http://127.0.0.1:{service.port}/docs")
    assert page.status_code == 200
    assert "https://" not in page.text
    assert httpx.get(f"http://127.0.0.1:{service.port}/v1/models").status_code == 401


def test_it_ends_with_all_its_processes_and_a_job_goes_on_at_the_next_start(tmp_path: Path) -> None:
    home, training = tmp_path / "home", {"epochs": 80, "patience": None, "batch_size": 8}
    with running(home) as service:
        dataset = service.upload((ROOT / "app" / "demo" / "air_passengers.csv").read_text(), "passengers")
        request = {"name": "on", "dataset": dataset, "architecture": "gallery:stacked", "context": 24, "horizon": 6, "training": training}
        job = service.train(request)
        end_while_it_trains(service, job, signal.SIGTERM)
    with running(home) as service:
        end_while_it_trains(service, job, signal.SIGINT)
    with running(home) as service:
        ended = service.wait(job, status="succeeded")
        assert service.http.get(f"/v1/models/{ended['model']}").json()["name"] == "on"
        outcomes = [attempt["outcome"] for attempt in service.http.get(f"/v1/jobs/{job}/attempts").json()["data"]]
        assert outcomes == ["released", "released", "succeeded"]


def end_while_it_trains(service: Service, job: str, ending: signal.Signals) -> None:
    service.wait(job, status="running")
    processes = below(service.process.pid)
    assert len(processes) >= 4
    os.kill(service.process.pid, ending)
    assert service.process.wait(60) == 0
    assert not [process for process in processes if is_running(process)]


def test_several_processes_answer_on_one_port_share_what_is_kept_and_end_together(tmp_path: Path) -> None:
    with running(tmp_path, {"BRAIDCAST_API_PROCESSES": "2"}) as service:
        before = below(service.process.pid)
        name = "a key that both know"
        made = service.http.post("/v1/keys", json={"name": name, "scopes": ["read"]})
        assert made.status_code == 201
        for _ in range(10):
            with httpx.Client(base_url=str(service.http.base_url), headers=service.http.headers) as another:
                assert name in {key["name"] for key in another.get("/v1/keys").json()["data"]}
        spawned = [one for one in before if b"multiprocessing" in Path(f"/proc/{one}/cmdline").read_bytes()]
        assert len(spawned) >= 2
    assert not [one for one in before if is_running(one)]
