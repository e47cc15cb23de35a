"""Lines of the log: for people or for programs, with the ids of whose work they tell of."""

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

from app.logs import LIBRARIES, bound, bound_ids, configure_logs
from tests.app.api.conftest import Api, api

__all__ = ["api"]

log = logging.getLogger("tests.logs")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_for_programs_is_an_object_with_the_ids_that_are_bound(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "info")
    with bound(request_id="req_1"), bound(job_id="job_1", attempt=2, trace_id=None):
        log.warning("Not %s:\n%s", "written", "ü")
    log.info("later")
    first, second = lines(capsys)
    assert first.pop("time").endswith("Z")
    assert isinstance(first.pop("process"), int)
    assert first == {
        "level": "warning",
        "logger": "tests.logs",
        "message": "Not written:\nü",
        "request_id": "req_1",
        "job_id": "job_1",
        "attempt": 2,
    }
    assert "job_id" not in second


def test_a_line_for_people_ends_with_the_ids(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("lines", "info")
    with bound(job_id="job_1", attempt=2):
        log.info("A sentence.")
    line = capsys.readouterr().err
    assert line.partition(" ")[2] == "INFO tests.logs: A sentence.  job_id=job_1  attempt=2\n"


@pytest.mark.parametrize("log_format", ["lines", "json"])
def test_a_traceback_comes_along(capsys: pytest.CaptureFixture[str], log_format: Any) -> None:
    configure_logs(log_format, "info")
    try:
        int("a bug")
    except ValueError:
        log.exception("It failed.")
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "ValueError: invalid literal" in told
    if log_format == "json":
        assert json.loads(told)["exception"].endswith("'a bug'")


def test_the_level_and_the_form_that_were_asked_for_last_count(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("lines", "debug")
    configure_logs("json", "warning")
    log.info("not serious")
    log.error("serious")
    assert [line["message"] for line in lines(capsys)] == ["serious"]


@pytest.mark.parametrize("name", LIBRARIES)
def test_lines_of_libraries_have_the_same_form(capsys: pytest.CaptureFixture[str], name: str) -> None:
    library = logging.getLogger(name)
    library.addHandler(logging.StreamHandler(sys.stderr))
    configure_logs("json", "warning")
    with bound(request_id="req_1"):
        library.error("theirs")
    (line,) = lines(capsys)
    assert (line["logger"], line["request_id"]) == (name, "req_1")


def test_a_standard_error_that_is_gone_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    configure_logs("lines", "info")
    monkeypatch.setattr(sys, "stderr", None)
    log.info("nobody reads this")


def test_a_thread_has_no_ids_but_those_it_is_given() -> None:
    seen: list[object] = []
    with bound(job_id="job_1"):
        given = copy_context()
        for target in (lambda: seen.append(dict(bound_ids())), lambda: given.run(lambda: seen.append(dict(bound_ids())))):
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    assert seen == [{}, {"job_id": "job_1"}]


def test_what_a_request_logs_bears_its_id_and_its_jobs(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("json", "info")
    answer = api.client.post("/v1/jobs", json={"kind": "train", "dataset": api.upload(), "horizon": 2, "context": 4})
    (line,) = [line for line in lines(capsys) if line["logger"] == "app.api.jobs"]
    assert line["message"].startswith("Not announced")
    assert (line["request_id"], line["job_id"]) == (answer.headers["x-request-id"], answer.json()["id"])


def test_a_process_of_the_service_writes_its_own_log(tmp_path: Path) -> None:
    program = "import logging; from app.main import create_app; create_app(); logging.getLogger('uvicorn').warning('theirs')"
    environment = {"BRAIDCAST_HOME": str(tmp_path), "BRAIDCAST_LOG_FORMAT": "json", "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert json.loads(ended.stderr)["message"] == "theirs"
