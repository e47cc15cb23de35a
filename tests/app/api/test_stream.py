"""A stream tells everything in order, once, and ends with its job; it resumes exactly where it was left."""

import asyncio
import json
import threading
import time
from typing import Any

from fastapi.sse import ServerSentEvent

from app.api.stream import CHUNK, follow
from app.store.jobs import get_job
from app.store.leases import confirm_cancel
from app.store.progress import Point, record_checkpoint, record_event, record_points
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
    assert [name for name, _, _ in told if name not in {"phase", "finding", "gradients", "checkpoint"}] == [
        "state",
        "state",
        *["metric"] * 4,
        "state",
    ]
    assert [data["name"] for name, _, data in told if name == "phase"] == ["all"]
    assert end == ("end", len(told), {"status": "succeeded", "model": api.client.get(f"/v1/jobs/{job}").json()["model"]})
    assert all({"step", "train_loss", "val_loss"} <= set(data) for name, _, data in told if name == "metric")


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


def test_logs_and_checkpoints_come_between_the_points_with_their_times(api: Api) -> None:
    job = add_job(api)
    claimed = start(api, job)
    with api.services.database.begin() as db:
        record_points(db, claimed.lease, [Point(1, {"loss": 1.0})], {})
        record_event(db, claimed.lease, "log", {"message": "half way"})
        record_checkpoint(db, claimed.lease, "0" * 64, 10, 1, is_best=True)
        record_points(db, claimed.lease, [Point(2, {"loss": None})], {})
        confirm_cancel(db, claimed.lease)
    events = stream_of(api, job, 2)
    assert [(name, number) for name, number, _ in events] == [
        ("metric", 3),
        ("log", 4),
        ("checkpoint", 5),
        ("metric", 6),
        ("state", 7),
        ("end", 7),
    ]
    assert events[1][2]["message"] == "half way"
    assert events[1][2]["at"].endswith("Z")
    assert events[3][2] == {"step": 2, "loss": None}


def test_a_long_history_is_told_in_parts_without_gap_or_double(api: Api) -> None:
    job = add_job(api)
    claimed = start(api, job)
    points = [Point(step, {"loss": 1.0}) for step in range(1, 2 * CHUNK + 10)]
    with api.services.database.begin() as db:
        record_points(db, claimed.lease, points[:CHUNK], {})
        for number in range(CHUNK + 5):
            record_event(db, claimed.lease, "log", {"message": str(number)})
        record_points(db, claimed.lease, points[CHUNK:], {})
        confirm_cancel(db, claimed.lease)
    *told, end = stream_of(api, job, 0)
    assert [number for _, number, _ in told] == list(range(1, 3 * CHUNK + 18))
    assert end[:2] == ("end", 3 * CHUNK + 17)


def test_a_stream_ends_when_its_time_is_over_and_says_how_to_go_on(api: Api) -> None:
    job = add_job(api)

    async def followed() -> list[ServerSentEvent]:
        with api.services.database.read() as db:
            row = get_job(db, api.owner, job)
        return [event async for event in follow(api.services, row, 0, 0.1)]

    *told, last = asyncio.run(followed())
    assert [(event.event, event.id) for event in told] == [("state", "1")]
    assert last.comment == "the time of a stream is over; go on with after=1"


def test_a_stream_of_nothing_is_a_problem_and_no_stream(api: Api) -> None:
    assert problem_of(api.client.get("/v1/jobs/job_of_nobody/stream"), 404)["detail"].startswith("job_of_nobody is not a job of yours")
    job = add_job(api)
    assert (
        problem_of(api.client.get(f"/v1/jobs/{job}/stream", headers={"Last-Event-ID": "x"}), 422)["errors"][0]["pointer"]
        == "?last-event-id"
    )
