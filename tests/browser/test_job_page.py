"""A job in the browser while a real worker is at it, and what came of it."""

import csv
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import DOCUMENT, Stock, Visitor, long_job

pytestmark = [pytest.mark.browser, pytest.mark.services, pytest.mark.slow]

PNG = b"\x89PNG\r\n\x1a\n"


def points_of(page: Page, *, other_than: str) -> int:
    """How many points the curve has, once it is another number than these."""
    curve = page.locator("[data-part=curves] [data-chart]")
    expect(curve).not_to_have_attribute("data-count", re.compile(f"^({other_than})$"))
    return int(curve.get_attribute("data-count") or 0)


def taken(page: Page, button: str) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name=button).first.click()
    return Path(download.value.path())


def test_curves_grow_while_it_runs_and_cancel_ends_it(visitor: Visitor, stock: Stock) -> None:
    visitor.sign_in()
    page = visitor.page
    job = long_job(visitor.service, stock.dataset, "long")
    visitor.open(f"#/jobs/{job}")
    seen = points_of(page, other_than="0|1|2")
    assert points_of(page, other_than=str(seen)) > seen > 2
    expect(page.locator("[data-part=facts] .progress")).to_contain_text("left")
    expect(page.locator("[data-part=facts]")).to_contain_text(re.compile(r"Steps a second\d"))
    page.get_by_label("Log scale").check()
    page.get_by_label("Smoothing").select_option("0.9")
    page.get_by_role("checkbox", name="grad_norm", exact=True).check()
    expect(page.locator("[data-chart='train_loss, val_loss, grad_norm'] th")).to_contain_text(
        ["step", "train_loss", "val_loss", "grad_norm"]
    )
    page.get_by_role("button", name="Cancel").focus()
    page.wait_for_timeout(2000)
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".title .status")).to_have_text("cancelled", timeout=10_000)
    expect(page.get_by_role("button", name="Retry")).to_be_visible()
    page.reload()
    expect(page.get_by_label("Log scale")).to_be_checked()
    expect(page.get_by_label("Smoothing")).to_have_value("0.9")
    expect(page.locator("[data-chart='train_loss, val_loss, grad_norm']")).to_be_visible()
    expect(page.get_by_role("table", name="Attempts")).to_contain_text("It was cancelled.")
    expect(page.get_by_role("table", name="Checkpoints")).to_contain_text("kB")


def test_a_job_is_paused_resumed_cancelled_and_retried(visitor: Visitor, stock: Stock) -> None:
    visitor.sign_in()
    page = visitor.page
    job = long_job(visitor.service, stock.dataset, "to and fro")
    visitor.open("#/jobs?status=running")
    row = page.get_by_role("row", name="to and fro")
    expect(row).to_contain_text("running")
    row.get_by_role("button", name="Pause to and fro").click()
    visitor.service.wait(job, status="paused")
    visitor.open(f"#/jobs/{job}")
    status = page.locator(".title .status")
    expect(status).to_have_text("paused")
    assert visitor.violations() == []
    page.get_by_role("button", name="Resume").click()
    expect(status).to_have_text("running")
    expect(page.get_by_role("table", name="Attempts")).to_contain_text("It was paused.")
    seen = points_of(page, other_than="0")
    assert points_of(page, other_than=str(seen)) > seen
    page.get_by_role("button", name="Cancel").click()
    expect(status).to_have_text("cancelled")
    page.get_by_role("button", name="Retry").click()
    expect(status).to_have_text("running")
    page.get_by_role("button", name="Cancel").click()
    expect(status).to_have_text("cancelled")
    expect(page.get_by_role("table", name="Attempts").locator("tbody tr")).to_have_count(3)


def test_why_an_attempt_failed_is_told(visitor: Visitor, stock: Stock) -> None:
    visitor.sign_in()
    request: dict[str, Any] = {"name": "too long", "dataset": stock.dataset, "architecture": DOCUMENT, "horizon": 6}
    slow = {"training": {"epochs": 5000, "patience": None, "batch_size": 8}, "resources": {"max_runtime_seconds": 1}}
    job = visitor.service.train(request | slow)
    visitor.open(f"#/jobs/{job}")
    expect(visitor.page.locator(".title .status")).to_have_text("failed")
    said = visitor.service.job(job)["error"]["message"]
    expect(visitor.page.get_by_role("alert").filter(has_text=said)).to_be_visible()
    expect(visitor.page.get_by_role("table", name="Attempts")).to_contain_text(said)
    assert visitor.violations() == []


def test_what_came_of_a_job_is_shown_and_taken_along(visitor: Visitor, stock: Stock) -> None:
    visitor.sign_in()
    page = visitor.page
    visitor.open(f"#/jobs/{stock.job}")
    report = visitor.service.http.get(f"/v1/jobs/{stock.job}/report").json()
    finding = report["findings"][0]
    expect(page.locator(".findings")).to_contain_text(finding["sentence"])
    expect(page.locator(".findings")).to_contain_text(finding["remedy"])
    expect(page.get_by_role("table", name="Phases")).to_contain_text(str(report["phases"][0]["parameters"]))
    expect(page.get_by_role("table", name="Scores beside baselines")).to_contain_text("seasonal naive")
    (layer,) = report["gradients"]["layers"]
    expect(page.locator("[data-chart^='gradient flow'] rect")).to_have_count(len(layer["lags"]))
    expect(page.locator("[data-chart='gradient norm by lag']")).to_have_attribute("data-count", str(len(layer["lags"])))
    events = visitor.service.http.get(f"/v1/jobs/{stock.job}/events").json()["data"]
    expect(page.get_by_role("table", name="Events").locator("tbody tr")).to_have_count(len(events))
    rows = list(csv.reader(taken(page, "gradient flow by layer and lag as CSV").read_text().splitlines()))
    assert rows[0] == ["layer", "lag", "norm"]
    assert [(place, int(lag), float(norm)) for place, lag, norm in rows[1:]] == [
        (layer["place"], lag, norm) for lag, norm in zip(layer["lags"], layer["norms"], strict=True)
    ]
    curves = list(csv.reader(taken(page, "train_loss, val_loss as CSV").read_text().splitlines()))
    assert (curves[0], len(curves)) == (["step", "train_loss", "val_loss"], 4)
    for button in ("gradient flow by layer and lag as PNG", "train_loss, val_loss as PNG"):
        assert taken(page, button).read_bytes().startswith(PNG)


def test_the_list_says_what_waits_and_who_works(visitor: Visitor, stock: Stock) -> None:
    visitor.sign_in()
    visitor.open("#/jobs")
    page = visitor.page
    expect(page.get_by_role("row", name=re.compile("^small"))).to_contain_text("succeeded")
    expect(page.get_by_role("table", name="Queues")).to_contain_text("cpu")
    worker = visitor.service.http.get("/v1/workers").json()["data"][0]
    expect(page.get_by_role("table", name="Workers")).to_contain_text(worker["host"])
    page.get_by_label("Kind").select_option("backtest")
    expect(page.get_by_role("link", name="small", exact=True)).to_have_count(0)
    page.reload()
    expect(page.get_by_role("link", name="backtest small").first).to_be_visible()
    expect(page.get_by_role("link", name="small", exact=True)).to_have_count(0)
    page.get_by_label("Status").select_option("failed")
    expect(page.get_by_role("heading", name="No such job")).to_be_visible()
