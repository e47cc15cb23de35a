"""The dashboard as somebody uses it: in a real browser, with a real worker behind it."""

import json
import re
from pathlib import Path

import pytest
import safetensors
from playwright.sync_api import Page, expect

from tests.browser.conftest import WAIT_MILLISECONDS, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.services, pytest.mark.slow]

AIR = Path(__file__).parents[2] / "app" / "demo" / "air_passengers.csv"
DOCUMENT = {"context": 24, "horizon": 6, "network": {"kind": "gru", "units": 4}}

expect.set_options(timeout=WAIT_MILLISECONDS)


def trained(visitor: Visitor, name: str, units: int = 4, epochs: int = 3) -> tuple[str, str]:
    """A job that has ended, and its model."""
    dataset = visitor.service.upload(AIR.read_text(), name)
    document = {**DOCUMENT, "network": {"kind": "gru", "units": units}}
    job = visitor.service.train({"name": name, "dataset": dataset, "architecture": document, "horizon": 6, "training": {"epochs": epochs}})
    return job, str(visitor.service.wait(job, status="succeeded")["model"])


def start_long_job(visitor: Visitor, name: str) -> str:
    dataset = visitor.service.upload(AIR.read_text(), name)
    training = {"epochs": 5000, "patience": None, "batch_size": 8}
    return visitor.service.train({"name": name, "dataset": dataset, "architecture": DOCUMENT, "horizon": 6, "training": training})


def points_of(page: Page, *, other_than: str) -> int:
    """How many points the curve has, once it is another number than these."""
    curve = page.locator("[data-chart^=train_loss]")
    expect(curve).not_to_have_attribute("data-count", re.compile(f"^({other_than})$"))
    return int(curve.get_attribute("data-count") or 0)


def test_signing_in_by_hand_and_out_again(visitor: Visitor) -> None:
    page = visitor.page
    page.goto(visitor.url)
    page.get_by_label("API key").fill((visitor.service.home / "key").read_text().strip())
    assert visitor.violations() == []
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Jobs", exact=True).wait_for()
    page.reload()
    page.get_by_role("heading", name="Jobs", exact=True).wait_for()
    assert page.evaluate("document.cookie") == ""
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("API key").wait_for()
    page.reload()
    page.get_by_label("API key").wait_for()
    assert [error for error in visitor.errors if "401" not in error] == []
    visitor.errors.clear()  # the browser notes each 401, and they are meant


def test_from_a_dropped_file_to_a_forecast(visitor: Visitor) -> None:
    visitor.sign_in()
    page = visitor.page
    visitor.open("#/datasets")
    page.get_by_label("Drop a file here").set_input_files(AIR)
    page.get_by_role("heading", name="air passengers").or_(page.get_by_role("heading", name="air_passengers")).wait_for()
    expect(page.locator("[data-chart]")).to_have_attribute("data-count", "144")
    page.get_by_role("link", name="Design and train").click()
    page.get_by_role("button", name="stacked", exact=True).click()
    expect(page.locator("#faults")).to_contain_text("The document is valid.")
    page.get_by_label("Units").fill("7")
    page.get_by_role("button", name="Add layer").click()
    expect(page.get_by_label("Document")).to_have_value(re.compile(r'"units": 7'))
    expect(page.locator("#faults")).to_contain_text("The document is valid.")
    page.get_by_label("Name").fill("by hand")
    page.get_by_label("Context").fill("24")
    page.get_by_label("Horizon").fill("6")
    page.get_by_label("Epochs").fill("3")
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("heading", name="by hand").wait_for()
    page.get_by_role("link", name="Model", exact=True).click()
    expect(page.locator("[data-chart^=forecast]")).to_have_attribute("data-bands", "2")
    expect(page.locator("[data-chart^=forecast]")).to_have_attribute("data-count", "6")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download weights").click()
    with safetensors.safe_open(download.value.path(), framework="numpy") as weights:
        assert json.loads(weights.metadata()["braidcast"])["spec"]["horizon"] == 6


def test_a_fault_is_told_at_its_place_as_one_types(visitor: Visitor) -> None:
    visitor.sign_in()
    visitor.open("#/design")
    editor = visitor.page.get_by_label("Document")
    editor.fill('{\n  "horizon": 6,\n  "context": 24,\n  "network": {\n    "kind": "lstm",\n    "units": -1\n  }\n}')
    expect(visitor.page.get_by_role("button", name="Line 6")).to_be_visible()
    expect(editor).to_have_attribute("aria-invalid", "true")
    editor.fill("{")
    expect(visitor.page.locator("#faults")).to_contain_text("It is no JSON yet")
    visitor.errors = [error for error in visitor.errors if "422" not in error]


def test_curves_grow_while_it_runs_and_cancel_ends_it(visitor: Visitor) -> None:
    visitor.sign_in()
    job = start_long_job(visitor, "long")
    visitor.open(f"#/jobs/{job}")
    seen = points_of(visitor.page, other_than="0|1|2")
    assert points_of(visitor.page, other_than=str(seen)) > seen > 2
    visitor.page.get_by_label("Log scale").check()
    visitor.page.get_by_role("button", name="Cancel").click()
    expect(visitor.page.locator(".title .status")).to_have_text("cancelled")
    expect(visitor.page.get_by_role("button", name="Retry")).to_be_visible()
    visitor.page.reload()
    expect(visitor.page.get_by_label("Log scale")).to_be_checked()
    visitor.errors = [error for error in visitor.errors if "404" not in error]


def test_jobs_side_by_side(visitor: Visitor) -> None:
    first, _ = trained(visitor, "small", 2)
    second, _ = trained(visitor, "large", 6)
    visitor.sign_in()
    visitor.open("#/compare")
    for name in ("small", "large"):
        visitor.page.get_by_role("checkbox", name=name).check()
    expect(visitor.page.locator("[data-part], [data-chart=val_loss]").first).to_be_visible()
    expect(visitor.page.get_by_role("region", name="Values that differ")).to_contain_text("units")
    assert {first, second} == set(visitor.page.url.split("jobs=")[1].replace("%2C", ",").split(","))
    visitor.page.reload()
    expect(visitor.page.get_by_role("region", name="Jobs by MASE")).to_contain_text("small")


def test_the_page_recovers_when_the_service_has_been_away(visitor: Visitor) -> None:
    visitor.sign_in()
    visitor.page.context.set_offline(True)
    expect(visitor.page.locator("#away")).to_be_visible()
    visitor.page.context.set_offline(False)
    expect(visitor.page.locator("#away")).to_be_hidden()
    visitor.errors = [error for error in visitor.errors if "ERR_INTERNET_DISCONNECTED" not in error]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_barrier(visitor: Visitor, scheme: str) -> None:
    job, model = trained(visitor, f"seen {scheme}")
    dataset = visitor.service.job(job)["dataset"]
    visitor.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its literals
    visitor.sign_in()
    places = ["jobs", f"jobs/{job}", "datasets", f"datasets/{dataset}", "design", "models", f"models/{model}", f"compare?jobs={job}"]
    found = {}
    for place in places:
        visitor.open(f"#/{place}")
        visitor.page.wait_for_load_state("networkidle")
        found[place] = visitor.violations()
    assert {place: one for place, one in found.items() if one} == {}
