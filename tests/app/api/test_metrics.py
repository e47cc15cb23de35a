"""Metrics are read by column from a cursor on, cost nothing where nothing is new, and keep their peaks when thinned."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from app.store.progress import Point, record_event, record_points
from tests.app.api.conftest import Api, problem_of
from tests.app.api.trained import add_job, start


def measured(api: Api, points: Sequence[Point]) -> str:
    """A running job that has measured something, with an event in the middle."""
    job = add_job(api)
    claimed = start(api, job)
    half = len(points) // 2
    with api.services.database.begin() as db:
        record_points(db, claimed.lease, points[:half], {})
        record_event(db, claimed.lease, "log", {"message": "half way"})
        record_points(db, claimed.lease, points[half:], {})
    return job


def metrics_of(api: Api, job: str, **parameters: Any) -> dict[str, Any]:
    found: dict[str, Any] = api.client.get(f"/v1/jobs/{job}/metrics", params=parameters).raise_for_status().json()
    return found


CURVE = [Point(step, {"loss": 1.0 / step, **({"val": 2.0 / step} if step % 2 == 0 else {})}) for step in range(1, 7)]


def test_columns_are_as_long_as_the_steps_and_null_where_nothing_was_measured(api: Api) -> None:
    found = metrics_of(api, measured(api, CURVE))
    assert found["step"] == [1, 2, 3, 4, 5, 6]
    assert found["series"] == {"loss": [1.0, 0.5, 1 / 3, 0.25, 0.2, 1 / 6], "val": [None, 1.0, None, 0.5, None, 1 / 3]}
    assert found["has_more"] is False


def test_named_columns_leave_out_the_steps_that_have_none_of_them(api: Api) -> None:
    job = measured(api, CURVE)
    found = metrics_of(api, job, names="val,unknown")
    assert found["step"] == [2, 4, 6]
    assert found["series"] == {"val": [1.0, 0.5, 1 / 3], "unknown": [None, None, None]}
    assert found["last_seq"] == metrics_of(api, job)["last_seq"]


def test_pages_from_a_cursor_on_join_to_the_whole(api: Api) -> None:
    job = measured(api, CURVE)
    whole, steps, after = metrics_of(api, job), [], 0
    while True:
        page = metrics_of(api, job, after=after, limit=4)
        steps += page["step"]
        after = page["last_seq"]
        if not page["has_more"]:
            break
    assert steps == whole["step"]
    assert after == whole["last_seq"]
    assert metrics_of(api, job, after=after) == {"last_seq": after, "has_more": False, "step": [], "series": {}}


def test_asking_again_for_nothing_new_does_not_touch_the_points(api: Api) -> None:
    job = measured(api, CURVE)
    first = api.client.get(f"/v1/jobs/{job}/metrics", params={"after": 3})
    statements: list[str] = []
    sa.event.listen(api.services.database.engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    again = api.client.get(f"/v1/jobs/{job}/metrics", params={"after": 3}, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert statements
    assert not any("metric_points" in statement for statement in statements)
    other = api.client.get(f"/v1/jobs/{job}/metrics", params={"after": 4}, headers={"If-None-Match": first.headers["etag"]})
    assert other.status_code == 200


def test_progress_without_a_new_point_leaves_the_answer_known(api: Api) -> None:
    job = add_job(api)
    claimed = start(api, job)
    first = api.client.get(f"/v1/jobs/{job}/metrics")
    with api.services.database.begin() as db:
        record_points(db, claimed.lease, [], {"phase": "train", "epoch": 1})
    again = api.client.get(f"/v1/jobs/{job}/metrics", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304
    assert api.client.get(f"/v1/jobs/{job}").json()["progress"]["epoch"] == 1


def test_a_cursor_beyond_the_end_stays_where_it_is(api: Api) -> None:
    found = metrics_of(api, measured(api, CURVE), after=1000)
    assert found == {"last_seq": 1000, "has_more": False, "step": [], "series": {}}


def test_a_value_that_was_no_number_is_null(api: Api) -> None:
    found = metrics_of(api, measured(api, [Point(1, {"loss": None}), Point(2, {"loss": 1.0})]))
    assert found["series"] == {"loss": [None, 1.0]}


def test_empty_names_name_nothing_and_doubled_ones_once(api: Api) -> None:
    job = measured(api, CURVE)
    assert metrics_of(api, job, names="") == metrics_of(api, job)
    assert list(metrics_of(api, job, names="val,,val")["series"]) == ["val"]


def test_thinning_keeps_the_ends_and_the_peaks(api: Api) -> None:
    values = [0.0] * 500
    values[123], values[400] = 100.0, -100.0
    job = measured(api, [Point(step, {"loss": value}) for step, value in enumerate(values, 1)])
    found = metrics_of(api, job, max_points=20)
    assert len(found["step"]) <= 20
    assert {1, 124, 401, 500} <= set(found["step"])
    assert {100.0, -100.0} <= set(found["series"]["loss"])


def test_a_cursor_below_zero_and_a_job_of_somebody_else_are_refused(api: Api) -> None:
    job = add_job(api)
    problem = problem_of(api.client.get(f"/v1/jobs/{job}/metrics", params={"after": -1}), 422)
    assert problem["errors"][0]["pointer"] == "?after"
    assert problem_of(api.client_of("somebody else").get(f"/v1/jobs/{job}/metrics"), 404)["detail"].startswith(job)
