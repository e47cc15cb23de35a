"""Can everybody use the dashboard? By keyboard, unseen, in the dark, on a narrow screen, from another zone, with nothing there."""

import subprocess
import sys
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import WAIT_MILLISECONDS, Stock, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.services, pytest.mark.slow]

FOCUS = """() => {
    const one = document.activeElement;
    const {outlineStyle, outlineWidth} = getComputedStyle(one);
    const words = (one.getAttribute("aria-label") ?? one.innerText ?? "").trim() || one.name;
    return {words, isVisible: outlineStyle !== "none" && outlineWidth !== "0px"};
}"""
TOO_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def places_of(stock: Stock) -> list[str]:
    return [
        "jobs", f"jobs/{stock.job}", f"jobs/{stock.backtest}", "datasets", f"datasets/{stock.panel}", "design", "models",
        f"models/{stock.ahead}", f"models/{stock.model}?actuals=1", f"compare?jobs={stock.job},{stock.backtest}", "compare", "jobs/nothing",
    ]  # fmt: skip


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("dark", 360)])
def test_no_page_has_a_barrier_or_is_wider_than_the_screen(visitor: Visitor, stock: Stock, scheme: str, width: int) -> None:
    visitor.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of its literals
    visitor.page.set_viewport_size({"width": width, "height": 800})
    visitor.sign_in()
    found = {}
    for place in places_of(stock):
        visitor.open(f"#/{place}")
        visitor.page.wait_for_timeout(300)
        found[place] = [*visitor.violations(), *(["too wide"] if visitor.page.evaluate(TOO_WIDE) > 0 else [])]
    assert {place: one for place, one in found.items() if one} == {}
    visitor.errors = [error for error in visitor.errors if "404" not in error]


def test_every_page_says_what_to_do_where_there_is_nothing_yet(visitor: Visitor) -> None:
    command = [sys.executable, "-m", "app.cli", "key", "create", "empty", "--owner", "newcomer", "--home", str(visitor.service.home)]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    key = next(word for word in made.split() if word.startswith("bc_"))
    visitor.page.goto(f"{visitor.url}#key={key}")
    empty = {"jobs": "No jobs yet", "datasets": "No data sets yet", "models": "No models yet", "compare": "No jobs to compare"}
    for place, words in empty.items():
        visitor.open(f"#/{place}")
        expect(visitor.page.get_by_role("heading", name=words)).to_be_visible()
        assert visitor.violations() == []
    visitor.open("#/design")
    expect(visitor.page.get_by_role("link", name="upload a data set")).to_have_attribute("href", "#/datasets")


def test_a_job_is_reached_and_its_controls_used_by_the_keyboard_alone(visitor: Visitor, stock: Stock) -> None:
    visitor.sign_in()
    visitor.open(f"#/jobs/{stock.job}")
    page = visitor.page
    page.evaluate("document.activeElement.blur()")
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        assert focus["isVisible"], focus
        seen.append(focus["words"])
        if focus["words"] == "log":
            break
    wanted = ["Skip to content", "Jobs", "Theme: system", "Compare", "Model", "log"]
    assert [word for word in wanted if word in seen] == wanted
    page.keyboard.press("Space")
    expect(page.get_by_label("Log scale")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Smoothing")).to_have_value("0.6")
    page.reload()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_charts_have_a_table_behind_them(visitor: Visitor, stock: Stock) -> None:
    visitor.sign_in()
    visitor.open(f"#/models/{stock.model}?actuals=1")
    figure = visitor.page.locator("[data-chart='forecast of series']")
    expect(figure.get_by_role("table", name="forecast of series: the last")).to_be_attached()
    expect(figure.locator("tbody tr").last).to_contain_text("1960-12-01T00:00:00")


def test_times_are_in_the_zone_of_who_looks_and_in_utc_on_hover(browser: Browser, visitor: Visitor, stock: Stock) -> None:
    context = browser.new_context(timezone_id="Asia/Tokyo", locale="en-US")
    context.set_default_timeout(WAIT_MILLISECONDS)
    other = Visitor(context.new_page(), visitor.service)
    other.sign_in()
    other.open(f"#/jobs/{stock.job}")
    made = datetime.fromisoformat(visitor.service.job(stock.job)["created_at"])
    shown = other.page.locator("time").first
    local = made.astimezone(ZoneInfo("Asia/Tokyo"))
    expect(shown).to_contain_text(f"{local:%b} {local.day}, {local.year}")
    expect(shown).to_contain_text(f"{local:%I:%M}".lstrip("0"))
    expect(shown).to_have_attribute("title", f"{made:%Y-%m-%dT%H:%M:%S}Z (UTC)")
    context.close()


def test_the_theme_is_switched_and_kept(visitor: Visitor) -> None:
    visitor.sign_in()
    visitor.page.get_by_role("button", name="Theme: system").click()
    visitor.page.reload()
    expect(visitor.page.locator("html")).to_have_attribute("data-theme", "dark")
    assert visitor.violations() == []
