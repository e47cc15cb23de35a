"""What Prometheus reads: counted where it happens, without a single id."""

import re
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.api.exposition import RowsCollector
from app.store.database import Database
from app.store.leases import claim
from app.store.measures import Counter, add_counts, wait_counts
from app.store.workers import Presence, see_worker
from tests.app.api.conftest import Api, problem_of

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(api: Api) -> Samples:
    answer = api.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = text_string_to_metric_families(answer.text)
    return {(sample.name, frozenset(sample.labels.items())): sample.value for family in families for sample in family.samples}


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def queue_job(api: Api) -> str:
    answer = api.client.post("/v1/jobs", json={"kind": "train", "dataset": api.upload(), "horizon": 2, "context": 4})
    return str(answer.json()["id"])


@pytest.fixture
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.api.exposition.ROWS_SECONDS", -1.0)


def test_requests_are_counted_by_template_and_status(api: Api) -> None:
    for path in ("/v1/jobs/job_a", "/v1/jobs/job_b", "/nowhere/at/all", "/v1/limits"):
        api.client.get(path)
    api.client.request("BREW", "/v1/limits")
    samples = scrape(api)
    count = "braidcast_http_request_seconds_count"
    assert value(samples, count, method="GET", route="/v1/jobs/{job_id}", status="404") == 2
    assert value(samples, count, method="GET", route="/v1/limits", status="200") == 1
    assert value(samples, count, method="GET", route="none", status="404") == 1
    assert {dict(labels)["method"] for name, labels in samples if name == count} == {"GET", "other"}


def test_no_label_is_an_id(api: Api) -> None:
    job = queue_job(api)
    for path in ("", "/events", "/metrics", "/report", "/attempts"):
        api.client.get(f"/v1/jobs/{job}{path}")
    with api.services.database.begin() as db:
        assert claim(db, job, worker="host:1:2", lease_seconds=60) is not None
        see_worker(db, Presence("host:1", "host", ("cpu",), "cpu", 1, "0.1.0"))
    for _, labels in scrape(api):
        for _, text in labels:
            assert not re.search(r"(job|ds|mdl|key|own)_[0-9A-Za-z]{8}|host", text), text


@pytest.mark.usefixtures("always_fresh")
def test_jobs_queues_and_workers_are_told_from_the_rows(api: Api) -> None:
    assert value(scrape(api), "braidcast_jobs", queue="cpu", status="queued") == 0
    waiting, running = queue_job(api), queue_job(api)
    with api.services.database.begin() as db:
        assert claim(db, running, worker="host:1:2", lease_seconds=60) is not None
        see_worker(db, Presence("host:1", "host", ("cpu",), "cpu", 3, "0.1.0"))
    samples = scrape(api)
    assert waiting != running
    assert value(samples, "braidcast_database_up") == 1
    assert value(samples, "braidcast_jobs", queue="cpu", status="queued") == 1
    assert value(samples, "braidcast_jobs", queue="cpu", status="running") == 1
    assert value(samples, "braidcast_queue_oldest_wait_seconds", queue="cpu", priority="3") >= 0
    assert value(samples, "braidcast_workers", state="active") == 1
    assert value(samples, "braidcast_workers", state="silent") == 0
    assert value(samples, "braidcast_queue_places", queue="cpu") == 3
    assert value(samples, "braidcast_queue_places", queue="gpu") == 0


@pytest.mark.usefixtures("always_fresh")
def test_what_workers_have_counted_is_summed(api: Api) -> None:
    assert value(scrape(api), "braidcast_heartbeats_total") == 0
    beat = Counter("heartbeats", "outcome=renewed")
    with api.services.database.begin() as db:
        add_counts(db, "a:1", {beat: 2.0, Counter("training_steps"): 100.0} | wait_counts("cpu", 0.3))
        add_counts(db, "b:1", {beat: 3.0, Counter("heartbeats", "outcome=lost"): 1.0} | wait_counts("cpu", 100.0))
    samples = scrape(api)
    assert value(samples, "braidcast_heartbeats_total", outcome="renewed") == 5
    assert value(samples, "braidcast_heartbeats_total", outcome="lost") == 1
    assert value(samples, "braidcast_training_steps_total") == 100
    assert value(samples, "braidcast_redispatches_total") == 0
    buckets = [
        value(samples, "braidcast_queue_wait_seconds_bucket", queue="cpu", le=bound) for bound in ("0.1", "0.5", "60", "300", "+Inf")
    ]
    assert buckets == [0, 1, 1, 2, 2]
    assert value(samples, "braidcast_queue_wait_seconds_sum", queue="cpu") == pytest.approx(100.3)
    assert value(samples, "braidcast_queue_wait_seconds_count", queue="cpu") == 2


def test_rows_are_read_once_for_many_scrapes(api: Api, count_queries: Callable[[Database], list[str]]) -> None:
    collector = RowsCollector(api.services.database)
    queries = count_queries(api.services.database)
    assert list(collector.collect())
    read = len(queries)
    assert read > 0
    assert list(collector.collect())
    assert len(queries) == read


def test_a_database_that_is_away_is_told_and_nothing_else_is_lost() -> None:
    (family,) = RowsCollector(Database("postgresql://nobody@127.0.0.1:1/none")).collect()
    assert (family.name, [sample.value for sample in family.samples]) == ("braidcast_database_up", [0.0])


def test_the_cache_counts_a_missing_model(api: Api) -> None:
    samples = scrape(api)
    assert value(samples, "braidcast_forecaster_cache_misses_total") == 0
    with pytest.raises(Exception, match="artifact"):
        api.services.forecasters.get("0" * 64)
    samples = scrape(api)
    assert value(samples, "braidcast_forecaster_cache_misses_total") == 1
    assert value(samples, "braidcast_forecaster_cache_hits_total") == 0
    assert value(samples, "braidcast_forecaster_cache_bytes") == 0


def test_a_part_that_is_away_is_told(api: Api) -> None:
    samples = scrape(api)
    assert value(samples, "braidcast_part_up", part="broker") == 0
    assert value(samples, "braidcast_part_up", part="workers") == 0
    assert value(samples, "braidcast_part_up", part="artifacts") == 1


def test_metrics_want_a_key(api: Api) -> None:
    api.client.headers.pop("Authorization")
    problem_of(api.client.get("/metrics"), 401)
