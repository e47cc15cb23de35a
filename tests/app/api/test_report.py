"""A report says what each phase came to, how the model does beside the baseline, and what to change."""

import pytest

from app.api import report as report_module
from app.store.progress import record_event
from tests.app.api.conftest import Api, problem_of
from tests.app.api.trained import add_job, run, start

NETWORK = {"kind": "stack", "blocks": [{"kind": "lstm", "units": 3}, {"kind": "gru", "units": 3}]}


def test_a_report_has_the_phases_and_the_scores_beside_the_baseline(api: Api) -> None:
    training = {"phases": [{"learn": "layer by layer"}, {"learn": "all"}], "epochs": 2}
    job = add_job(api, architecture={"network": NETWORK}, training=training)
    run(api, job)
    body = api.client.get(f"/v1/jobs/{job}").json()
    report = api.client.get(body["urls"]["report"]).json()
    assert [phase["name"] for phase in report["phases"]] == ["layer 1 of 2", "layer 2 of 2", "all"]
    assert report["phases"][2]["parameters"] > report["phases"][0]["parameters"]
    assert report["model"] == body["model"]
    assert report["scores"] == api.client.get(f"/v1/models/{body['model']}").json()["scores"]


def test_a_report_has_what_the_gradients_say_of_every_layer_of_every_phase(api: Api) -> None:
    training = {"phases": [{"learn": "layer by layer"}], "epochs": 2}
    job = add_job(api, architecture={"network": NETWORK}, training=training)
    assert api.client.get(f"/v1/jobs/{job}/report").json()["gradients"] is None
    run(api, job)
    gradients = api.client.get(f"/v1/jobs/{job}/report").json()["gradients"]
    first, second = gradients["layers"]
    assert (first["place"], second["place"]) == ("network.0", "network.1")
    assert first["steps"] == len(first["lags"]) == len(first["norms"]) == 7
    assert set(first["gate_norms"]) == set(first["gate_saturation"]) == {"input", "forget", "candidate", "output"}
    assert set(second["gate_norms"]) == {"reset", "update", "candidate"}
    assert first["grad_norm"] > 0.0
    assert 0 <= first["memory"] < 7


def test_a_model_that_is_no_better_than_the_last_season_says_so(api: Api) -> None:
    job = add_job(api)
    run(api, job)
    (finding,) = api.client.get(f"/v1/jobs/{job}/report").json()["findings"]
    assert finding["code"] == "no_better_than_naive"
    assert "repeating the last season has 0" in finding["sentence"]


def test_a_running_job_tells_what_was_found_so_far(api: Api) -> None:
    job = add_job(api)
    assert api.client.get(f"/v1/jobs/{job}/report").json()["findings"] == []
    claimed = start(api, job)
    found = {"code": "overfitting", "severity": "warning", "place": "training", "sentence": "a sentence", "remedy": "a remedy"}
    with api.services.database.begin() as db:
        record_event(db, claimed.lease, "finding", found)
        record_event(db, claimed.lease, "log", {"level": "warning", "message": "the loss was inf at batch 3"})
    report = api.client.get(f"/v1/jobs/{job}/report").json()
    assert (report["status"], report["model"], report["scores"]) == ("running", None, None)
    assert report["findings"][0] == found
    assert report["findings"][1]["sentence"] == "the loss was inf at batch 3"


def test_the_rates_that_were_found_are_told_by_their_phases(api: Api) -> None:
    job = add_job(api)
    claimed = start(api, job)
    with api.services.database.begin() as db:
        for stage, lr in ((2, 0.5), (1, 0.25), (1, 0.125)):
            test = {"stage": stage, "lr": lr, "rates": [1e-6, 1e-5], "losses": [1.0, None]}
            record_event(db, claimed.lease, "range_test", test)
    report = api.client.get(f"/v1/jobs/{job}/report").json()
    assert [(test["stage"], test["lr"]) for test in report["range_tests"]] == [(1, 0.125), (2, 0.5)]
    assert report["range_tests"][0]["losses"] == [1.0, None]


def test_what_a_lost_attempt_said_and_the_next_one_says_again_is_told_once(api: Api) -> None:
    job = add_job(api)
    claimed = start(api, job)
    phase = {"stage": 1, "name": "all", "parameters": 5, "epochs": 2, "best_epoch": 1, "val_loss": 0.5, "seconds": 1.0}
    found = {"code": "overfitting", "severity": "warning", "place": "training", "sentence": "a sentence", "remedy": "a remedy"}
    with api.services.database.begin() as db:
        for seconds in (1.0, 2.0):
            record_event(db, claimed.lease, "phase", {**phase, "seconds": seconds})
            record_event(db, claimed.lease, "finding", found)
    report = api.client.get(f"/v1/jobs/{job}/report").json()
    assert [phase["seconds"] for phase in report["phases"]] == [2.0]
    assert report["findings"] == [found]


def test_what_is_told_after_many_checkpoints_is_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_module, "MOST_EVENTS", 2)
    job = add_job(api)
    claimed = start(api, job)
    found = {"code": "overfitting", "severity": "warning", "place": "training", "sentence": "a sentence", "remedy": "a remedy"}
    with api.services.database.begin() as db:
        for step in range(5):
            record_event(db, claimed.lease, "checkpoint", {"step": step})
        record_event(db, claimed.lease, "finding", found)
    assert api.client.get(f"/v1/jobs/{job}/report").json()["findings"] == [found]


def test_a_job_whose_model_was_deleted_still_has_a_report(api: Api) -> None:
    job = add_job(api)
    run(api, job)
    model = api.client.get(f"/v1/jobs/{job}").json()["model"]
    assert api.client.delete(f"/v1/models/{model}").status_code == 204
    report = api.client.get(f"/v1/jobs/{job}/report").json()
    assert (report["status"], report["model"], report["scores"]) == ("succeeded", model, None)
    assert len(report["phases"]) == 1


def test_a_report_of_somebody_elses_job_does_not_exist(api: Api) -> None:
    assert problem_of(api.client_of("somebody else").get(f"/v1/jobs/{add_job(api)}/report"), 404)
