"""A request, its announcement, the job's wait and each of its attempts are one trace; without a collector nothing is made."""

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import app.traces
from app.api.services import Services
from app.collected_traces import CollectedTraces
from app.errors import UnavailableError
from app.logs import bound_ids
from app.store.leases import claim
from app.traces import NO_TRACES, open_traces
from tests.app.api.conftest import Api, make_api
from worker.attempt import Workplace
from worker.runner import run_job

SENDER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def spans() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def traces(spans: InMemorySpanExporter) -> Iterator[CollectedTraces]:
    made = CollectedTraces("api", SimpleSpanProcessor(spans))
    yield made
    made.close()


@pytest.fixture
def traced(traces: CollectedTraces, monkeypatch: pytest.MonkeyPatch, migrated_sqlite: Path, tmp_path: Path) -> Iterator[Api]:
    monkeypatch.setattr("app.main.open_traces", lambda _url, _part: traces)
    made = make_api(tmp_path, migrated_sqlite)
    yield made
    made.services.queue.close()
    made.services.database.dispose()


def queue_job(api: Api, **headers: str) -> str:
    body = {"kind": "train", "dataset": api.upload(), "horizon": 2, "context": 4, "training": {"epochs": 1}}
    answer = api.client.post("/v1/jobs", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def of_job(spans: InMemorySpanExporter, job: str) -> dict[str, ReadableSpan]:
    return {span.name: span for span in spans.get_finished_spans() if (span.attributes or {}).get("braidcast.job_id") == job}


def run(services: Services, job: str, traces: CollectedTraces) -> None:
    run_job(job, Workplace(services.database, services.artifacts, 30, 1, traces=traces), threading.Event())


def test_a_job_is_one_trace_from_its_senders_request_to_its_attempt(
    traced: Api, traces: CollectedTraces, spans: InMemorySpanExporter
) -> None:
    job = queue_job(traced, traceparent=SENDER)
    run(traced.services, job, traces)
    (request,) = [span for span in spans.get_finished_spans() if span.name == "POST /v1/jobs"]
    assert request.parent is not None
    assert (request.attributes or {})["http.response.status_code"] == 201
    found = of_job(spans, job)
    assert set(found) == {"announce", "wait", "job train"}
    assert f"{request.parent.trace_id:032x}" in SENDER
    for span in found.values():
        assert span.parent is not None
        assert span.parent.span_id == request.context.span_id
        assert span.context.trace_id == request.parent.trace_id


def test_an_attempt_after_a_lost_one_is_in_the_same_trace_and_has_not_waited(
    traced: Api, traces: CollectedTraces, spans: InMemorySpanExporter
) -> None:
    job = queue_job(traced)
    with traced.services.database.begin() as db:
        assert claim(db, job, worker="w", lease_seconds=0) is not None
    run(traced.services, job, traces)
    found = of_job(spans, job)
    assert set(found) == {"announce", "job train"}
    assert found["job train"].context.trace_id == found["announce"].context.trace_id
    assert (found["job train"].attributes or {})["braidcast.attempt"] == 2


def test_a_wait_is_as_long_as_it_was(traces: CollectedTraces, spans: InMemorySpanExporter) -> None:
    traces.past("wait", "consumer", {}, None, 12.5)
    (span,) = spans.get_finished_spans()
    assert span.end_time is not None
    assert span.start_time is not None
    assert span.end_time - span.start_time == 12_500_000_000
    assert span.parent is None


def test_lines_within_a_span_bear_its_trace(traces: CollectedTraces) -> None:
    with traces.span("x", "server", {}, SENDER):
        assert bound_ids() == {"trace_id": SENDER.split("-")[1]}
        assert str(traces.current()).startswith(SENDER[:36])
    assert bound_ids() == {}
    assert traces.current() is None


def test_a_traceparent_that_is_none_begins_a_trace(traced: Api, spans: InMemorySpanExporter) -> None:
    traced.client.get("/v1/limits", headers={"traceparent": "nonsense"})
    (span,) = spans.get_finished_spans()
    assert span.parent is None
    assert span.name == "GET /v1/limits"


def test_without_a_collector_nothing_is_made_and_nothing_imported(tmp_path: Path) -> None:
    assert open_traces(None, "api") is NO_TRACES
    program = (
        "import sys; from app.main import create_app; create_app(); print([n for n in sys.modules if n.startswith('opentelemetry.sdk')])"
    )
    environment = {"BRAIDCAST_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_the_extra_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "app.collected_traces", None)
    with pytest.raises(UnavailableError, match=r"pip install 'braidcast\[otel\]'"):
        open_traces("http://127.0.0.1:1", "api")


def test_spans_reach_a_collector() -> None:
    paths: list[str] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            paths.append(self.path)
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            logging.getLogger("collector").debug("asked")

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        traces = open_traces(f"http://127.0.0.1:{server.server_port}/", "worker")
        assert isinstance(traces, app.traces.Traces)
        with traces.span("x", "consumer", {}):
            pass
        traces.flush()
        traces.close()
        server.shutdown()
        thread.join()
    assert paths == ["/v1/traces"]
