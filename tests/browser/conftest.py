"""A real browser and a real service for the tests of the dashboard; a machine without Chromium says so and goes without them."""

import datetime
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, expect, sync_playwright

from tests.flows.service import Service, running

HERE = Path(__file__).parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WAIT_MILLISECONDS = 60_000
ROOT = HERE.parents[1]
AIR = ROOT / "app" / "demo" / "air_passengers.csv"
DOCUMENT = {"context": 24, "horizon": 6, "network": {"kind": "gru", "units": 4}}
AHEAD = {"target": {"columns": ["y"]}, "ahead": {"columns": ["x"], "known": "future"}, "seen": {"columns": ["z"]}}
"""Inputs of a network that knows the column x ahead."""

expect.set_options(timeout=WAIT_MILLISECONDS)
AXE = "async () => (await axe.run(document)).violations.map(one => `${one.id}: ${one.nodes.map(node => node.html).slice(0, 3)}`)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips the tests of the browser where there is none; with CI set they run, and fail."""
    if CHROMIUM or os.environ.get("CI"):
        return
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="no chromium here: install it to test the dashboard"))


@dataclass
class Visitor:
    """Somebody with a browser.

    Attributes:
        page: the tab.
        service: what it looks at.
        errors: what the console and the network complained of.
    """

    page: Page
    service: Service
    errors: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.service.port}/"

    def watch(self) -> None:
        """Notes what goes wrong from now on."""
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("response", lambda answer: self.errors.append(f"{answer.status} {answer.url}") if answer.status >= 500 else None)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def sign_in(self) -> None:
        self.page.goto(f"{self.url}#key={(self.service.home / 'key').read_text().strip()}")
        self.page.get_by_role("heading", name="Jobs", exact=True).wait_for()

    def open(self, place: str) -> None:
        """Another page of the dashboard, once it has loaded."""
        self.page.goto(f"{self.url}{place}")
        self.page.locator("main:not([aria-busy]) .page").wait_for()

    def violations(self) -> list[str]:
        """What axe finds wrong with the page as it is."""
        self.page.evaluate((HERE / "vendor" / "axe.min.js").read_text())
        found = self.page.evaluate(AXE)
        return list(found)


def launch(playwright: Playwright) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM or "/usr/bin/chromium", args=["--no-sandbox"])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = launch(playwright)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running(tmp_path_factory.mktemp("dashboard") / "home", {"PYTHONPATH": str(ROOT)}) as ready:
        yield ready


MISSING = range(60, 63)


def weather() -> str:
    """Two daily series with MISSING days, a column x that is known for ten days more, a column z that is not, and a word."""
    rows = ["place,ds,y,x,z,kind"]
    for place in ("hill", "valley"):
        for day in range(160):
            date = datetime.date(2024, 1, 1) + datetime.timedelta(days=day)
            target = "" if day >= 150 or day in MISSING else str(day % 7 + (3 if place == "hill" else 0))
            rows.append(f"{place},{date},{target},{day % 5},{'' if day >= 150 else day % 3},inland")
    return "\n".join(rows) + "\n"


@dataclass(frozen=True)
class Stock:
    """What is there to be looked at, by its ids.

    Attributes:
        dataset: of one series.
        job: trained on it.
        model: that it made.
        backtest: of the model.
        panel: a dataset of two series with covariates.
        ahead: a model of that, which knows the column x ahead.
    """

    dataset: str
    job: str
    model: str
    backtest: str
    panel: str
    ahead: str


@pytest.fixture(scope="session")
def stock(served: Service) -> Stock:
    dataset, panel = served.upload(AIR.read_text(), "passengers"), served.upload(weather(), "weather")
    job = served.train({"name": "small", "dataset": dataset, "architecture": DOCUMENT, "horizon": 6, "training": {"epochs": 3}})
    document = {**DOCUMENT, "inputs": AHEAD}
    other = served.train({"name": "ahead", "dataset": panel, "architecture": document, "horizon": 6, "training": {"epochs": 2}})
    model = str(served.wait(job, status="succeeded")["model"])
    asked = {"kind": "backtest", "model": model, "windows": 3, "baselines": [], "name": "backtest small"}
    backtest = str(served.http.post("/v1/jobs", json=asked).raise_for_status().json()["id"])
    served.wait(backtest, status="succeeded")
    return Stock(dataset, job, model, backtest, panel, str(served.wait(other, status="succeeded")["model"]))


def long_job(service: Service, dataset: str, name: str) -> str:
    """A job that runs until it is ended."""
    training = {"epochs": 5000, "patience": None, "batch_size": 8}
    return service.train({"name": name, "dataset": dataset, "architecture": DOCUMENT, "horizon": 6, "training": training})


@pytest.fixture
def visitor(browser: Browser, served: Service) -> Iterator[Visitor]:
    context = browser.new_context()
    context.set_default_timeout(WAIT_MILLISECONDS)
    made = Visitor(context.new_page(), served)
    made.watch()
    yield made
    context.close()
    assert made.errors == []
