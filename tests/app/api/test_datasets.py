"""What was uploaded is listed, renamed, drawn and forgotten, by its owner alone."""

from datetime import datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.series.thinning import FEWEST_POINTS, thinned
from app.store.jobs import NewJob, insert_job
from tests.app.api.conftest import WAVES, Api, problem_of

SHOPS = "shop,ds,y\n" + "".join(f"{shop},2024-01-{day:02d},{day}\n" for shop in ("b/c", "a", "d") for day in range(1, 11) if day != 5)
"""Three series of ten days, the fifth of which is missing."""


@pytest.fixture
def shops(api: Api) -> str:
    return api.upload(SHOPS, name="shops", id_column="shop")


def test_datasets_are_listed_newest_first_in_pages(api: Api) -> None:
    made = [api.upload(name=f"number {count}") for count in range(5)]
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        page = api.client.get("/v1/datasets", params={"limit": "2", **after}).json()
        seen += [body["id"] for body in page["data"]]
        if not page["has_more"]:
            break
        after = {"after": page["next_after"]}
    assert seen == made[::-1]
    assert page["next_after"] is None


def test_a_page_has_whole_datasets(api: Api) -> None:
    made = api.upload()
    assert api.client.get("/v1/datasets").json()["data"] == [api.client.get(f"/v1/datasets/{made}").json()]


def test_nothing_of_another_owner_is_listed(api: Api) -> None:
    api.upload()
    assert api.client_of("another", "read").get("/v1/datasets").json() == {"data": [], "has_more": False, "next_after": None}


@pytest.mark.parametrize("limit", ["0", "501", "-1", "many", "1.5"])
def test_a_page_of_another_size_is_refused(api: Api, limit: str) -> None:
    body = problem_of(api.client.get("/v1/datasets", params={"limit": limit}), 422)
    assert body["errors"][0]["pointer"] == "?limit"
    assert body["detail"].startswith("limit: input should be")


def test_a_dataset_is_renamed(api: Api) -> None:
    made = api.upload(name="before")
    assert api.client.patch(f"/v1/datasets/{made}", json={"name": "after"}).json()["name"] == "after"
    assert api.client.get(f"/v1/datasets/{made}").json()["name"] == "after"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({"name": "<b>"}, "#/name"), ({"name": 5}, "#/name"), ({}, "#/name"), ({"name": "a", "freq": "D"}, "#/freq"), ([], "#")],
)
def test_another_change_is_refused(api: Api, body: Any, pointer: str) -> None:
    made = api.upload(name="before")
    assert problem_of(api.client.patch(f"/v1/datasets/{made}", json=body), 422)["errors"][0]["pointer"] == pointer
    assert api.client.get(f"/v1/datasets/{made}").json()["name"] == "before"


def test_a_deleted_dataset_takes_its_bytes_along(api: Api) -> None:
    made = api.upload()
    answer = api.client.delete(f"/v1/datasets/{made}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert api.services.artifacts.digests() == set()
    problem_of(api.client.get(f"/v1/datasets/{made}"), 404)


def test_equal_uploads_share_their_bytes_until_the_last_is_deleted(api: Api) -> None:
    first, second = api.upload(), api.upload()
    assert len(api.services.artifacts.digests()) == 1
    api.client.delete(f"/v1/datasets/{first}")
    assert len(api.client.get(f"/v1/datasets/{second}/series/series/points").json()["timestamps"]) == 28
    api.client.delete(f"/v1/datasets/{second}")
    assert api.services.artifacts.digests() == set()


def test_a_dataset_that_a_live_job_needs_is_not_deleted(api: Api) -> None:
    made = api.upload()
    with api.services.database.begin() as db:
        job = insert_job(db, api.owner, NewJob("train", "a job", {}, {}, made, 1))
    body = problem_of(api.client.delete(f"/v1/datasets/{made}"), 409)
    assert body["detail"] == f"{job.id} still needs {made}; cancel it first, or wait until it has ended"
    assert len(api.services.artifacts.digests()) == 1


def test_the_audit_says_what_was_found_and_inferred(api: Api, shops: str) -> None:
    body = api.client.get(f"/v1/datasets/{shops}/audit").json()
    assert set(body) == {"dataset", "version", "file", "inferred", "changed", "values", "series"}
    assert (body["dataset"], body["version"], body["file"]["format"]) == (shops, 1, "csv")
    assert body["inferred"]["freq"]["freq"] == "D"
    assert body["changed"]["gaps"]["count"] == 3


def test_series_are_listed_by_their_ids(api: Api, shops: str) -> None:
    page = api.client.get(f"/v1/datasets/{shops}/series").json()
    ends = {"start": "2024-01-01T00:00:00", "end": "2024-01-10T00:00:00", "length": 10, "missing": 1}
    assert page == {"data": [{"unique_id": name, **ends} for name in ("a", "b/c", "d")], "has_more": False, "next_after": None}


def test_pages_of_series_follow_each_other(api: Api, shops: str) -> None:
    path = f"/v1/datasets/{shops}/series"
    first = api.client.get(path, params={"limit": 2}).json()
    assert ([body["unique_id"] for body in first["data"]], first["has_more"], first["next_after"]) == (["a", "b/c"], True, "b/c")
    rest = api.client.get(path, params={"limit": 2, "after": "b/c"}).json()
    assert ([body["unique_id"] for body in rest["data"]], rest["has_more"], rest["next_after"]) == (["d"], False, None)
    assert api.client.get(path, params={"after": "z"}).json()["data"] == []


def test_a_series_is_answered_by_column(api: Api) -> None:
    made = api.upload()
    body = api.client.get(f"/v1/datasets/{made}/series/series/points").json()
    assert (body["unique_id"], body["length"], len(body["timestamps"])) == ("series", 28, 28)
    assert body["timestamps"][:2] == ["2024-01-01T00:00:00", "2024-01-02T00:00:00"]
    assert body["values"] == {"y": [day % 7 for day in range(28)], "x": [day % 5 for day in range(28)]}


def test_a_missing_value_is_null(api: Api, shops: str) -> None:
    body = api.client.get(f"/v1/datasets/{shops}/series/a/points").json()
    assert body["values"]["y"] == [1, 2, 3, 4, None, 6, 7, 8, 9, 10]


def test_a_series_whose_id_is_a_path_is_found(api: Api, shops: str) -> None:
    assert api.client.get(f"/v1/datasets/{shops}/series/b/c/points").json()["unique_id"] == "b/c"
    assert api.client.get(f"/v1/datasets/{shops}/series/b%2Fc/points").json()["unique_id"] == "b/c"


def test_a_series_of_another_name_is_not_found(api: Api, shops: str) -> None:
    body = problem_of(api.client.get(f"/v1/datasets/{shops}/series/q/points"), 404)
    assert body["detail"] == f"'q' is not a series of {shops}; GET /v1/datasets/{shops}/series lists them"


def test_steps_are_answered_as_numbers_and_zoned_times_with_z(api: Api) -> None:
    steps = api.upload("ds,y\n1,5\n2,6\n3,7\n")
    assert api.client.get(f"/v1/datasets/{steps}/series/series/points").json()["timestamps"] == [1, 2, 3]
    assert api.client.get(f"/v1/datasets/{steps}").json()["last"] == 3
    zoned = api.upload("ds,y\n2024-01-01T00:00:00+01:00,5\n2024-01-01T01:00:00+01:00,6\n2024-01-01T02:00:00+01:00,7\n")
    assert api.client.get(f"/v1/datasets/{zoned}/series").json()["data"][0]["start"] == "2023-12-31T23:00:00Z"


def test_a_peak_survives_thinning(api: Api) -> None:
    made = api.upload("ds,y\n" + "".join(f"{step},{9999 if step == 4321 else step % 3}\n" for step in range(10_000)))
    body = api.client.get(f"/v1/datasets/{made}/series/series/points", params={"max_points": 50}).json()
    assert (body["length"], max(body["values"]["y"])) == (10_000, 9999)
    assert len(body["timestamps"]) <= 50
    assert body["timestamps"][body["values"]["y"].index(9999)] == 4321


def test_a_gap_survives_thinning(api: Api) -> None:
    made = api.upload("ds,y\n" + "".join(f"{step},{'' if step == 4321 else step % 3}\n" for step in range(10_000)))
    body = api.client.get(f"/v1/datasets/{made}/series/series/points", params={"max_points": 50}).json()
    assert body["values"]["y"][body["timestamps"].index(4321)] is None


def test_the_end_of_a_series_is_answered_alone(api: Api) -> None:
    made = api.upload("ds,y\n" + "".join(f"{step},{step % 3}\n" for step in range(1000)))
    body = api.client.get(f"/v1/datasets/{made}/series/series/points", params={"last": 5}).json()
    assert (body["length"], body["timestamps"]) == (1000, [995, 996, 997, 998, 999])
    assert body["values"]["y"] == [2, 0, 1, 2, 0]


@pytest.mark.parametrize("points", ["3", "10001", "all"])
def test_another_number_of_points_is_refused(api: Api, shops: str, points: str) -> None:
    answer = api.client.get(f"/v1/datasets/{shops}/series/a/points", params={"max_points": points})
    assert problem_of(answer, 422)["errors"][0]["pointer"] == "?max_points"


numbers = st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=300)


@given(first=numbers, columns=st.integers(1, 4), most=st.integers(FEWEST_POINTS, 40))
def test_thinned_rows_rise_and_have_both_ends_and_every_extreme(first: list[float], columns: int, most: int) -> None:
    values = [np.roll(np.array(first), shift) for shift in range(columns)]
    rows = thinned(values, most)
    assert len(rows) <= most
    assert (np.diff(rows) > 0).all()
    assert (rows[0], rows[-1]) == (0, len(first) - 1)
    for column in values[: (most - 2) // 2]:
        if np.isfinite(column).any():
            assert np.nanmax(column[rows]) == np.nanmax(column)
            assert np.nanmin(column[rows]) == np.nanmin(column)


@pytest.mark.parametrize("path", ["", "/audit", "/series", "/series/series/points"])
def test_an_id_of_nobody_and_of_another_owner_are_the_same_to_see(api: Api, path: str) -> None:
    made, nobodys = api.upload(), "ds_01JD2V6W2Q7YH0S0V5S1G4Z8KX"
    another = api.client_of("another")
    for dataset, client in ((nobodys, api.client), (made, another)):
        body = problem_of(client.get(f"/v1/datasets/{dataset}{path}"), 404)
        assert body["detail"] == f"{dataset} is not a dataset of yours; GET /v1/datasets lists them"
    problem_of(another.patch(f"/v1/datasets/{made}", json={"name": "mine"}), 404)
    problem_of(another.delete(f"/v1/datasets/{made}"), 404)
    assert api.client.get(f"/v1/datasets/{made}").json()["name"] == "dataset"


@pytest.mark.parametrize("path", ["/v1/datasets/%00", "/v1/datasets?after=%00"])
def test_an_id_that_no_database_can_look_for_is_refused(api: Api, path: str) -> None:
    problem_of(api.client.get(path), 422)


def test_times_of_birth_are_utc(api: Api) -> None:
    written = api.client.get(f"/v1/datasets/{api.upload(WAVES)}").json()["created_at"]
    assert datetime.fromisoformat(written).utcoffset() is not None
    assert written.endswith("Z")
