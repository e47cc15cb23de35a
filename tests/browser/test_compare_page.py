"""Jobs side by side in the browser: curves, a leaderboard with baselines, errors by step and by window, and what differs."""

import json
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import DOCUMENT, Stock, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.services, pytest.mark.slow]


def other_job(visitor: Visitor, stock: Stock) -> str:
    """A trained job of another width, without a backtest."""
    document: dict[str, Any] = {**DOCUMENT, "network": {"kind": "gru", "units": 6}}
    request = {"name": "large", "dataset": stock.dataset, "architecture": document, "horizon": 6, "training": {"epochs": 2}}
    job = visitor.service.train(request)
    visitor.service.wait(job, status="succeeded")
    return job


def test_jobs_are_laid_over_each_other_and_ranked_with_the_baseline(visitor: Visitor, stock: Stock) -> None:
    other = other_job(visitor, stock)
    visitor.sign_in()
    visitor.open("#/compare")
    page = visitor.page
    expect(page.get_by_role("heading", name="Nothing chosen")).to_be_visible()
    assert visitor.violations() == []
    page.locator(f"input[value={stock.job}]").check()
    page.locator(f"input[value={other}]").check()
    expect(page.locator("[data-chart=val_loss] th")).to_have_text(["step", "small", "large"])
    board = page.get_by_role("table", name="Jobs and baselines")
    expect(board.locator("tbody tr")).to_have_count(3)
    shown = [float(cell) for cell in board.locator("tbody td:nth-child(4)").all_inner_texts()]
    assert shown == sorted(shown)
    expect(board).to_contain_text("seasonal naive")
    difference = page.get_by_role("table", name="Values that differ")
    expect(difference.locator("tr").filter(has_text="/network/units")).to_contain_text("46")
    page.get_by_label("Metric").select_option("train_loss")
    page.get_by_label("Log scale").check()
    expect(page.locator("[data-chart=train_loss]")).to_be_visible()
    assert visitor.violations() == []
    page.reload()
    expect(page.locator("[data-chart=train_loss] th")).to_have_text(["step", "small", "large"])
    expect(page.get_by_label("Log scale")).to_be_checked()


def test_errors_by_step_and_by_window_come_from_a_backtest_that_can_be_asked_for_here(visitor: Visitor, stock: Stock) -> None:
    other = other_job(visitor, stock)
    visitor.sign_in()
    visitor.open(f"#/compare?jobs={stock.job},{other}")
    page = visitor.page
    by_step = page.locator("[data-chart='mean absolute error by horizon step']")
    expect(by_step).to_have_attribute("data-count", "6")
    expect(by_step.locator("thead th")).to_have_text(["horizon step", "small · model", "small · seasonal naive"])
    told = visitor.service.http.get(f"/v1/jobs/{stock.backtest}/report").json()["backtest"]
    assert float(by_step.get_attribute("data-last") or 0) == told["steps"][-1]["scores"]["model"]["mae"]
    expect(page.locator("[data-chart='mean absolute error by backtest window']")).to_have_attribute("data-count", "3")
    page.get_by_role("button", name="Backtest it").click()
    expect(by_step.locator("thead th")).to_have_count(5, timeout=120_000)
    expect(page.get_by_role("button", name="Backtest it")).to_have_count(0)


def test_ten_jobs_are_the_most(visitor: Visitor, stock: Stock) -> None:
    jobs = visitor.service.http.get("/v1/jobs", params={"limit": 500}).json()["data"]
    request = {"dataset": stock.dataset, "architecture": DOCUMENT, "horizon": 6, "training": {"epochs": 1}}
    names = [visitor.service.train({**request, "name": f"many {number}"}) for number in range(12 - len(jobs))]
    for name in names:
        visitor.service.http.post(f"/v1/jobs/{name}/cancel").raise_for_status()
    visitor.sign_in()
    visitor.open("#/compare")
    boxes = visitor.page.get_by_role("group", name="Jobs to compare").get_by_role("checkbox")
    for position in range(10):
        boxes.nth(position).check()
    expect(boxes.nth(10)).to_be_disabled()
    expect(visitor.page.locator("[data-chart=val_loss] th")).to_have_count(11)
    boxes.nth(0).uncheck()
    expect(boxes.nth(10)).to_be_enabled()


def test_a_backtest_and_a_search_show_what_they_came_to(visitor: Visitor, stock: Stock) -> None:
    search = {"kind": "search", "name": "seek", "dataset": stock.dataset, "architecture": DOCUMENT, "horizon": 6, "training": {"epochs": 1}}
    made = visitor.service.http.post("/v1/jobs", json=search | {"trials": 2, "windows": 1, "space": {"units": {"choices": [3, 4]}}})
    assert made.status_code == 201, json.dumps(made.json())
    visitor.sign_in()
    visitor.open(f"#/jobs/{stock.backtest}")
    page = visitor.page
    expect(page.locator("[data-chart='mean absolute error by horizon step']")).to_have_attribute("data-count", "6")
    expect(page.get_by_role("table", name="Coverage of the intervals")).to_contain_text("95 %")
    visitor.open(f"#/jobs/{made.json()['id']}")
    trials = page.get_by_role("table", name="Trials by")
    expect(trials).to_contain_text("(chosen)")
    expect(trials).to_contain_text("seasonal naive")
    expect(trials).to_contain_text("units = ")
    assert visitor.violations() == []
