"""The dashboard as somebody uses it: in a real browser, with a real worker behind it."""

import json
import re

import pytest
import safetensors
from playwright.sync_api import expect

from tests.browser.conftest import AIR, Stock, Visitor, long_job

pytestmark = [pytest.mark.browser, pytest.mark.services, pytest.mark.slow]


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
    page.get_by_role("button", name="Upload").click()
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


def test_the_page_recovers_when_the_service_has_been_away(visitor: Visitor, stock: Stock) -> None:
    visitor.sign_in()
    job = long_job(visitor.service, stock.dataset, "away")
    visitor.open(f"#/jobs/{job}")
    curve = visitor.page.locator("[data-part=curves] [data-chart]")
    curve.wait_for()
    visitor.page.context.set_offline(True)
    visitor.page.get_by_role("button", name="Cancel").click()
    expect(visitor.page.locator("#away")).to_be_visible()
    assert visitor.violations() == []
    seen = curve.get_attribute("data-count")
    visitor.page.context.set_offline(False)
    expect(visitor.page.locator("#away")).to_be_hidden()
    expect(curve).not_to_have_attribute("data-count", str(seen))
    visitor.page.get_by_role("button", name="Cancel").click()
    expect(visitor.page.locator(".title .status")).to_have_text("cancelled")
    visitor.errors = [error for error in visitor.errors if "ERR_INTERNET_DISCONNECTED" not in error]
