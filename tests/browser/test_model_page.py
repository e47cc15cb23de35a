"""A model in the browser: forecasts beside what came, under another future, its coverage, where it comes from, and sessions with it."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Stock, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.services, pytest.mark.slow]


def test_a_forecast_stands_beside_what_came_for_any_series(visitor: Visitor, stock: Stock) -> None:
    visitor.sign_in()
    visitor.open(f"#/models/{stock.ahead}")
    page = visitor.page
    expect(page.locator("[data-chart='forecast of hill']")).to_have_attribute("data-bands", "2")
    page.locator("input[name=series]").fill("valley")
    page.get_by_role("button", name="Forecast", exact=True).click()
    chart = page.locator("[data-chart='forecast of valley']")
    expect(chart).to_have_attribute("data-count", "6")
    expect(chart.locator("thead th")).to_have_count(7)
    page.get_by_label("From before the last steps").check()
    expect(chart.locator("thead th").last).to_have_text("what came")
    asked = {"unique_ids": ["valley"], "held_out": 6}
    (made,) = visitor.service.http.post(f"/v1/models/{stock.ahead}/forecasts", json=asked).json()["forecasts"]
    expect(chart).to_have_attribute("data-last", str(made["mean"][-1]))
    expect(page.locator("[data-part=inside]")).to_contain_text("Of 6 values that came")
    page.reload()
    expect(chart.locator("thead th").last).to_have_text("what came")


def test_what_would_come_under_another_future(visitor: Visitor, stock: Stock) -> None:
    visitor.sign_in()
    visitor.open(f"#/models/{stock.ahead}?series=valley")
    page = visitor.page
    values = page.get_by_label("Values of x")
    expect(values).to_have_value("0 1 2 3 4 0")
    values.fill("10 20 30")
    page.get_by_role("button", name="Forecast with these").click()
    expect(page.get_by_role("alert").filter(has_text="6 numbers are wanted")).to_be_visible()
    values.fill("10 20 30 40 50 60")
    page.get_by_role("button", name="+10 %").click()
    expect(values).to_have_value("11 22 33 44 55 66")
    page.get_by_role("button", name="Forecast with these").click()
    chart = page.locator("[data-chart='forecast of valley']")
    expect(chart.locator("thead th").last).to_have_text("what if")
    asked = {"unique_ids": ["valley"], "future": {"valley": {"x": [11, 22, 33, 44, 55, 66]}}}
    (made,) = visitor.service.http.post(f"/v1/models/{stock.ahead}/forecasts", json=asked).json()["forecasts"]
    cell = chart.locator("tbody tr").last.locator("td").last
    expect(cell).to_have_text(f"{made['mean'][-1]:.4g}")
    assert visitor.violations() == []
    page.reload()
    expect(page.get_by_label("Values of x")).to_have_value("11 22 33 44 55 66")
    expect(chart.locator("thead th").last).to_have_text("what if")
    page.get_by_role("button", name="As it is known").click()
    expect(chart.locator("thead th").last).to_have_text("0.025")


def test_how_far_its_intervals_are_to_be_trusted_and_where_it_comes_from(visitor: Visitor, stock: Stock) -> None:
    visitor.sign_in()
    visitor.open(f"#/models/{stock.model}")
    page = visitor.page
    told = visitor.service.http.get(f"/v1/jobs/{stock.backtest}/report").json()["backtest"]["intervals"]
    table = page.get_by_role("table", name="Coverage of the intervals")
    expect(table.locator("tbody tr")).to_have_count(len(told))
    covered = 100 * told[0]["coverage"]
    expect(table.locator("tbody tr").first).to_contain_text(f"{covered:.3g} %")
    model = visitor.service.http.get(f"/v1/models/{stock.model}").json()
    expect(page.get_by_text(model["lineage"]["dataset_digest"])).to_be_visible()
    expect(page.get_by_role("link", name="Its job")).to_have_attribute("href", f"#/jobs/{stock.job}")


def test_a_session_is_begun_moved_on_and_ended(visitor: Visitor, stock: Stock) -> None:
    visitor.sign_in()
    visitor.open(f"#/models/{stock.ahead}")
    page = visitor.page
    page.locator("input[name=stream]").fill("valley")
    page.get_by_role("button", name="Begin a session").click()
    expect(page.get_by_role("heading", name="The session of valley, after 0 values")).to_be_visible()
    chart = page.locator("[data-chart='forecast of valley in its session']")
    before = chart.get_attribute("data-last")
    page.get_by_label("Next value").fill("much")
    page.get_by_role("button", name="Fold it in").click()
    expect(page.get_by_role("alert").filter(has_text="is no number")).to_be_visible()
    page.get_by_label("Next value").fill("4")
    page.get_by_label("z", exact=True).fill("1")
    expect(page.get_by_label("x, from the step after on")).to_have_value("1 2 3 4 0 1")
    page.get_by_role("button", name="Fold it in").click()
    expect(page.get_by_role("heading", name="The session of valley, after 1 values")).to_be_visible()
    expect(chart).not_to_have_attribute("data-last", str(before))
    (session,) = visitor.service.http.get(f"/v1/models/{stock.ahead}/sessions").json()["data"]
    made = visitor.service.http.get(f"/v1/sessions/{session['id']}/forecast").json()
    expect(chart).to_have_attribute("data-last", str(made["mean"][-1]))
    assert visitor.violations() == []
    page.reload()
    expect(page.get_by_role("heading", name="The session of valley, after 1 values")).to_be_visible()
    page.get_by_role("button", name="End the session of valley").click()
    expect(page.get_by_text("A session keeps what the model has seen")).to_be_visible()
    assert visitor.service.http.get(f"/v1/models/{stock.ahead}/sessions").json()["data"] == []
