"""A real browser and a real service for the tests of the dashboard; a machine without Chromium says so and goes without them."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, sync_playwright

from tests.flows.service import Service, running

HERE = Path(__file__).parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
WAIT_MILLISECONDS = 60_000
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


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    code = str(HERE.parents[1])
    with running(tmp_path_factory.mktemp("dashboard") / "home", {"PYTHONPATH": code}) as ready:
        yield ready


@pytest.fixture
def visitor(browser: Browser, served: Service) -> Iterator[Visitor]:
    context = browser.new_context()
    context.set_default_timeout(WAIT_MILLISECONDS)
    made = Visitor(context.new_page(), served)
    made.watch()
    yield made
    context.close()
    assert made.errors == []
