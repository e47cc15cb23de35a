"""Models say what they are, how they score beside seasonal naive, and where they come from."""

from tests.app.api.conftest import Api, problem_of
from tests.app.api.trained import add_model


def test_a_model_says_what_it_is_and_where_it_comes_from(api: Api) -> None:
    dataset = api.upload()
    body = api.client.get(f"/v1/models/{add_model(api, dataset, name='weeks', seed=3)}").json()
    assert (body["name"], body["dataset"], body["freq"], body["context"], body["horizon"]) == ("weeks", dataset, "D", 7, 2)
    assert set(body["scores"]) == {"model", "seasonal_naive"}
    assert set(body["scores"]["seasonal_naive"]) < set(body["scores"]["model"])
    assert {"job", "dataset_digest", "spec_digest", "code_version", "seed"} <= set(body["lineage"])
    assert body["lineage"]["seed"] == 3
    assert api.client.get(f"/v1/jobs/{body['job']}").json()["model"] == body["id"]
    assert api.client.get(body["urls"]["self"]).json() == body


def test_a_model_is_found_by_its_name_and_the_newest_of_several(api: Api) -> None:
    dataset = api.upload()
    first, second = add_model(api, dataset, name="weeks"), add_model(api, dataset, name="weeks")
    assert api.client.get("/v1/models/weeks").json()["id"] == second
    assert [model["id"] for model in api.client.get("/v1/models").json()["data"]] == [second, first]


def test_a_name_and_tags_can_be_changed(api: Api) -> None:
    model = add_model(api, name="weeks")
    assert api.client.patch(f"/v1/models/{model}", json={"tags": ["best", "v1"]}).json()["tags"] == ["best", "v1"]
    body = api.client.patch("/v1/models/weeks", json={"name": "months"}).json()
    assert (body["id"], body["name"], body["tags"]) == (model, "months", ["best", "v1"])
    assert problem_of(api.client.patch(f"/v1/models/{model}", json={"name": "<script>"}), 422)["errors"][0]["pointer"] == "#/name"
    assert problem_of(api.client.patch(f"/v1/models/{model}", json={"alias": "x"}), 422)["errors"][0]["pointer"] == "#/alias"


def test_a_deleted_model_is_gone_with_its_artifact(api: Api) -> None:
    model = add_model(api)
    before = set(api.services.artifacts.digests())
    deleted = api.client.delete(f"/v1/models/{model}")
    assert (deleted.status_code, deleted.content, "content-type" in deleted.headers) == (204, b"", False)
    assert problem_of(api.client.get(f"/v1/models/{model}"), 404)["detail"] == f"{model} is not a model of yours; GET /v1/models lists them"
    assert len(before - set(api.services.artifacts.digests())) == 1


def test_equal_models_share_an_artifact_until_the_last_is_deleted(api: Api) -> None:
    dataset = api.upload()
    first, second = add_model(api, dataset), add_model(api, dataset)
    api.client.delete(f"/v1/models/{first}")
    assert api.client.post(f"/v1/models/{second}/forecasts", json={"unique_ids": ["series"]}).status_code == 200


def test_a_model_of_somebody_else_does_not_exist(api: Api) -> None:
    model, other = add_model(api), api.client_of("somebody else")
    assert other.get("/v1/models").json()["data"] == []
    for answer in (
        other.get(f"/v1/models/{model}"),
        other.patch(f"/v1/models/{model}", json={"tags": []}),
        other.delete(f"/v1/models/{model}"),
        other.post(f"/v1/models/{model}/forecasts", json={"unique_ids": ["series"]}),
    ):
        assert problem_of(answer, 404)["detail"].startswith(model)
