"""A job starts from a model that is its owner's and shares something with it; the model stays as long as the job may need it."""

from typing import Any

import pytest

from app.store.jobs import cancel_job
from tests.app.api.conftest import Api, problem_of
from tests.app.api.trained import SMALL, add_job, add_model, run, train_request

NETWORK: dict[str, Any] = {"kind": "stack", "blocks": [{"kind": "lstm", "units": 3, "name": "memory"}, {"kind": "gru", "units": 2}]}
BRANCHES: dict[str, Any] = {"kind": "connect", "branches": [{"kind": "lstm", "units": 3}, {"kind": "gru", "units": 2}]}


def document(network: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {**SMALL, "network": network, **changes}


def body_of(api: Api, job: str) -> dict[str, Any]:
    body: dict[str, Any] = api.client.get(f"/v1/jobs/{job}").json()
    return body


def refused(api: Api, status: int = 422, **changes: Any) -> dict[str, Any]:
    """The one fault of a request."""
    (fault,) = problem_of(api.client.post("/v1/jobs", json=train_request(api.upload(), **changes)), status)["errors"]
    return dict(fault)


def test_without_a_document_a_job_trains_that_of_the_model_it_starts_from(api: Api) -> None:
    origin = add_model(api, name="weeks", architecture=document(NETWORK))
    answer = api.client.post(
        "/v1/jobs", json={"kind": "train", "dataset": api.upload(name="more"), "init_from": "weeks", "training": {"lr": 1e-4}}
    )
    body = answer.json()
    assert answer.status_code == 201, body
    assert (body["name"], body["init_from"]) == ("more from weeks", origin)
    known = api.client.get(f"/v1/models/{origin}").json()["architecture"]
    assert body["architecture"] == {**known, "training": {**known["training"], "lr": 1e-4}}


def test_the_report_says_what_was_taken_over_and_what_was_not(api: Api) -> None:
    origin = add_model(api, architecture=document(NETWORK))
    wider = document({**NETWORK, "blocks": [NETWORK["blocks"][0], {"kind": "gru", "units": 4}]})
    job = add_job(api, architecture=wider, init_from=origin)
    assert api.client.get(f"/v1/jobs/{job}/report").json()["inherited"] is None
    run(api, job)
    told = api.client.get(f"/v1/jobs/{job}/report").json()["inherited"]
    assert told["model"] == origin
    assert told["taken"] == [{"place": "network.0", "origin": "network.0"}]
    assert [left["place"] for left in told["left"]] == ["network.1", "decoder"]
    assert told["left"][0]["reason"] == "cell.bias is 12 here and 6 in the origin"
    kinds = [event["kind"] for event in api.client.get(f"/v1/jobs/{job}/events").json()["data"]]
    assert kinds.index("inherited") < kinds.index("phase")
    lineage = api.client.get(f"/v1/models/{body_of(api, job)['model']}").json()["lineage"]
    assert lineage["init_from"]["model"] == origin
    assert lineage["init_from"]["digest"]


def test_a_model_that_is_nobodys_or_somebody_elses_is_a_fault(api: Api) -> None:
    fault = refused(api, 404, init_from="mdl_nobody")
    assert (fault["pointer"], "mdl_nobody is not a model of yours" in fault["detail"]) == ("#/init_from", True)
    origin, other = add_model(api), api.client_of("somebody else")
    dataset = other.post("/v1/datasets", content=b"ds,y\n2024-01-01,1\n2024-01-02,2\n", headers={"Content-Type": "text/csv"}).json()["id"]
    answer = other.post("/v1/jobs", json=train_request(dataset, init_from=origin))
    assert problem_of(answer, 404)["errors"][0]["pointer"] == "#/init_from"


def test_a_model_that_shares_nothing_is_a_fault_as_it_would_do_nothing(api: Api) -> None:
    fault = refused(api, init_from=add_model(api, architecture=document({"kind": "gru", "units": 4})))
    assert (fault["pointer"], fault["code"]) == ("#/init_from", "nothing_shared")
    assert "network: is 'lstm' here and 'gru' in the origin" in fault["detail"]
    assert "leave init_from out" in fault["detail"]


def test_a_model_that_has_learnt_from_the_windows_of_all_folds_is_a_fault(api: Api) -> None:
    dataset, training = api.upload(), {"phases": [{"learn": "each branch", "folds": 2}], "epochs": 1}
    origin = add_model(api, dataset, architecture=document(BRANCHES))
    request = train_request(dataset, architecture=document(BRANCHES), training=training, init_from=origin)
    (fault,) = problem_of(api.client.post("/v1/jobs", json=request), 422)["errors"]
    assert (fault["pointer"], fault["code"]) == ("#/init_from", "inert")
    assert api.client.post("/v1/jobs", json={**request, "dataset": api.upload()}).status_code == 201


def test_columns_that_the_model_reads_and_the_data_lack_are_a_fault_of_the_model(api: Api) -> None:
    inputs = {"both": {"columns": ["y", "x"]}}
    origin = add_model(api, architecture=document(SMALL["network"], inputs=inputs))
    rows = "ds,y\n" + "".join(f"2024-01-{day:02d},{day % 7}\n" for day in range(1, 29))
    answer = api.client.post("/v1/jobs", json={"kind": "train", "dataset": api.upload(rows), "init_from": origin})
    (fault,) = problem_of(answer, 422)["errors"]
    assert (fault["pointer"], "'x' is not a numeric column" in fault["detail"]) == ("#/init_from", True)


def test_a_model_stays_until_the_jobs_that_start_from_it_have_ended(api: Api) -> None:
    origin = add_model(api)
    job = add_job(api, init_from=origin)
    problem = problem_of(api.client.delete(f"/v1/models/{origin}"), 409)
    assert problem["detail"] == f"{job} starts from {origin}; cancel it first, or wait until it has ended"
    with api.services.database.begin() as db:
        cancel_job(db, api.owner, job)
    assert api.client.delete(f"/v1/models/{origin}").status_code == 204


def test_a_job_that_is_tried_again_after_its_model_is_gone_says_so(api: Api) -> None:
    origin = add_model(api)
    job = add_job(api, init_from=origin)
    api.client.post(f"/v1/jobs/{job}/cancel")
    api.client.delete(f"/v1/models/{origin}")
    assert api.client.post(f"/v1/jobs/{job}/retry").status_code == 202
    run(api, job)
    error = body_of(api, job)["error"]
    assert (error["code"], error["pointer"]) == ("origin_gone", "#/init_from")
    assert error["message"].startswith(f"{origin}, which the job starts from, was deleted")


@pytest.mark.parametrize("training", [{}, {"phases": [{"learn": "all", "lr": 0.1}]}])
def test_a_comparison_of_joint_training_with_itself_is_a_fault(api: Api, training: dict[str, Any]) -> None:
    fault = refused(api, compare="joint", training=training)
    assert (fault["pointer"], fault["code"]) == ("#/compare", "inert")


def test_the_report_compares_the_phases_with_joint_training(api: Api) -> None:
    training = {"phases": [{"learn": "layer by layer"}, {"learn": "all"}], "epochs": 2}
    job = add_job(api, architecture=document(NETWORK), training=training, compare="joint")
    assert api.client.get(f"/v1/jobs/{job}/report").json()["comparison"] is None
    run(api, job)
    report = api.client.get(f"/v1/jobs/{job}/report").json()
    joint, *phases = report["phases"]
    assert [phase["is_reference"] for phase in report["phases"]] == [True, False, False, False]
    assert all(phase["val_loss_before"] is not None and phase["cpu_seconds"] >= 0 for phase in report["phases"])
    comparison = report["comparison"]
    assert comparison["joint"]["val_loss"] == joint["val_loss"]
    assert comparison["phases"]["val_loss"] == phases[-1]["val_loss"]
    assert comparison["phases"]["scores"] == report["scores"]["model"]
    assert comparison["phases"]["epochs"] == sum(phase["epochs"] for phase in phases)
    assert "of the joint accuracy by validation loss" in comparison["sentence"]
