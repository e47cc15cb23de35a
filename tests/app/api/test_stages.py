"""A stage of a training is told as a job, and goes the way of its training."""

import pytest

from app.store.jobs import get_job
from app.store.leases import claim
from app.store.parts import Beginning, insert_parts
from app.store.sweep import fail_exhausted
from tests.app.api.conftest import Api, problem_of
from tests.app.api.trained import add_job


@pytest.mark.parametrize("order", ["cancel", "pause", "resume", "retry"])
def test_a_stage_names_its_training_which_is_asked_in_its_place(api: Api, order: str) -> None:
    training = add_job(api, name="mine")
    with api.services.database.begin() as db:
        claimed = claim(db, training, worker="w", lease_seconds=60)
        assert claimed is not None
        (part,) = insert_parts(db, claimed.lease, {range(1, 2): "branch demand"}, Beginning("a" * 64, 1, 0))
    body = api.client.get(f"/v1/jobs/{part.job_id}").json()
    assert (body["kind"], body["parent"], body["name"], body["status"]) == ("stage", training, "mine (branch demand)", "queued")
    answer = api.client.post(f"/v1/jobs/{part.job_id}/{order}")
    assert problem_of(answer, 409)["detail"] == f"{part.job_id} is a stage of {training}, and goes its way; ask that of {training}"
    assert api.client.get(f"/v1/jobs/{part.job_id}").json()["status"] == "queued"
    assert api.client.post(f"/v1/jobs/{training}/cancel").status_code == 202
    assert api.client.get(f"/v1/jobs/{part.job_id}").json()["status"] == "cancelled"


def test_the_stages_of_a_training_whose_workers_were_all_lost_end_with_it(api: Api) -> None:
    training = add_job(api)
    with api.services.database.begin() as db:
        claimed = claim(db, training, worker="w", lease_seconds=-1)
        assert claimed is not None
        (part,) = insert_parts(db, claimed.lease, {range(1): "branch 1"}, Beginning("a" * 64, 1, 0))
        get_job(db, api.owner, training).max_attempts = 1
        db.flush()
        assert fail_exhausted(db) == [training]
    assert api.client.get(f"/v1/jobs/{part.job_id}").json()["status"] == "cancelled"
