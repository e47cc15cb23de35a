"""A stream tells everything in order, once, and ends with its job; it resumes exactly where it was left."""

import json
import threading
import time
from typing import Any

from app.store.leases import confirm_cancel
from app.store.progress import Point, record_points
from tests.app.api.conftest import Api, problem_of
from tests.app.api.trained import add_job, run, start

Event = tuple[str, int, dict[str, Any]]


def events_of(text: str) -> list[Event]:
    """Name, id and data of each event; comments are left out."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
        if fields:
            found.append((fields["event"], int(fields["id"]), json.loads(fields["data"])))
    return found


def stream_of(api: Api, job: str, after: int | None = None, headers: dict[str, str] | None = None) -> list[Event]:
    parameters = {} if after is None else {"after": after}
    answer = api.client.get(f"/v1/jobs/{job}/stream", params=parameters, headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    return events_of(answer.text)


def test_from_the_beginning_every_number_comes_once_and_in_order(api: Api) -> None:
    job = add_job(api, training={"epochs": 4})
    run(api, job)
    events = stream_of(api, job, 0)
    *told, end = events
    assert [number for _, number, _ in told] == list(range(1, len(told) + 1))
    assert [name for name, _, _ in told] == ["state", "state", *["metric"] * 4, "state"]
    assert end == ("end", len(told), {"status": "succeeded", "model": api.client.get(f"/v1/jobs/{job}").json()["model"]})
    assert {"step", "train_loss", "val_loss"} <= set(told[2][2])


def test_a_stream_resumes_exactly_where_it_was_left(api: Api) -> None:
    job = add_job(api)
    run(api, job)
    whole = stream_of(api, job, 0)
    assert stream_of(api, job, 3) == whole[3:]
    assert stream_of(api, job, 0, {"Last-Event-ID": "3"}) == whole[3:]


def test_without_a_number_it_begins_with_a_snapshot(api: Api) -> None:
    job = add_job(api)
    run(api, job)
    (name, number, data), end = stream_of(api, job)
    assert (name, number) == ("snapshot", api.client.get(f"/v1/jobs/{job}/metrics").json()["last_seq"])
    assert data == api.client.get(f"/v1/jobs/{job}").json()
    assert end[0] == "end"


def test_what_happens_while_it_is_open_comes_through_it(api: Api) -> None:
    job = add_job(api)
    claimed = start(api, job)
    events: list[Event] = []
    watcher = threading.Thread(target=lambda: events.extend(stream_of(api, job, 0)))
    watcher.start()
    for step in (1, 2):
        time.sleep(0.2)
        with api.services.database.begin() as db:
            record_points(db, claimed.lease, [Point(step, {"loss": float(step)})], {})
    api.client.post(f"/v1/jobs/{job}/cancel")
    assert watcher.is_alive()
    with api.services.database.begin() as db:
        confirm_cancel(db, claimed.lease)
    watcher.join(20)
    assert not watcher.is_alive()
    assert [data["loss"] for name, _, data in events if name == "metric"] == [1.0, 2.0]
    assert [data.get("status") for name, _, data in events if name == "state"] == ["queued", "running", "cancelling", "cancelled"]
    assert [number for _, number, _ in events] == [*range(1, 7), 6]
    assert events[-1][2] == {"status": "cancelled", "model": None}


def test_a_stream_of_nothing_is_a_problem_and_no_stream(api: Api) -> None:
    assert problem_of(api.client.get("/v1/jobs/job_of_nobody/stream"), 404)["detail"].startswith("job_of_nobody is not a job of yours")
    job = add_job(api)
    assert (
        problem_of(api.client.get(f"/v1/jobs/{job}/stream", headers={"Last-Event-ID": "x"}), 422)["errors"][0]["pointer"]
        == "?last-event-id"
    )
