"""How does the dashboard look? Every page, light, dark and narrow, of a service with real data: `make screenshots` writes docs/images."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Literal
from urllib.parse import urlencode

from playwright.sync_api import Browser, sync_playwright

from tests.browser.conftest import AHEAD, AIR, DOCUMENT, WAIT_MILLISECONDS, Visitor, launch, weather
from tests.flows.service import Service, running

LOOKS: dict[str, tuple[Literal["light", "dark"], int]] = {"light": ("light", 1280), "dark": ("dark", 1280), "narrow": ("light", 400)}
"""Colour scheme and width by the name of a look."""

TRAINING = {"epochs": 60, "batch_size": 16, "lr": 0.003}
STACKED = {"name": "passengers", "architecture": "gallery:stacked", "context": 24, "horizon": 12, "training": TRAINING, "seed": 1}
GRU = {**STACKED, "name": "one layer", "architecture": {"network": {"kind": "gru", "units": 32}}}


def places(service: Service) -> dict[str, str]:
    """The pages by name, once there is something on them."""
    dataset, panel = service.upload(AIR.read_text(), "passengers"), service.upload(weather(), "two places")
    ahead = {"architecture": {**DOCUMENT, "inputs": AHEAD}, "name": "with what is known", "horizon": 6, "training": TRAINING}
    asked = [{**STACKED, "dataset": dataset}, {**GRU, "dataset": dataset}, {**ahead, "dataset": panel}]
    jobs = [service.train(request) for request in asked]
    model, other, knowing = (service.wait(job, status="succeeded")["model"] for job in jobs)
    for name, tested in (("passengers", model), ("one layer", other)):
        sent = service.http.post(
            "/v1/jobs", json={"kind": "backtest", "model": tested, "windows": 4, "baselines": [], "name": f"backtest {name}"}
        )
        service.wait(sent.raise_for_status().json()["id"], status="succeeded")
    service.train({**GRU, "dataset": dataset, "name": "at work", "training": {"epochs": 5000, "patience": None}})
    future = {"x": [8, 8, 8, 8, 8, 8]}
    return {
        "datasets": "#/datasets",
        "dataset": f"#/datasets/{panel}?series=valley",
        "design": "#/design",
        "jobs": "#/jobs",
        "job": f"#/jobs/{jobs[0]}",
        "compare": f"#/compare?jobs={','.join(jobs[:2])}&metric=train_loss",
        "models": "#/models",
        "model": f"#/models/{model}?actuals=1",
        "what-if": f"#/models/{knowing}?{urlencode({'series': 'valley', 'future': json.dumps(future)})}",
    }


def shoot(browser: Browser, service: Service, folder: Path, look: str, pages: dict[str, str]) -> None:
    """One look of every page, whole, as PNG."""
    scheme, width = LOOKS[look]
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce")
    context.set_default_timeout(WAIT_MILLISECONDS)
    page = context.new_page()
    visitor = Visitor(page, service)
    page.goto(visitor.url)
    page.get_by_label("API key").wait_for()
    page.screenshot(path=folder / f"signin-{look}.png", full_page=True)
    page.goto("about:blank")  # or the address of the key would be another place of the page that is shown
    visitor.sign_in()
    for name, place in pages.items():
        visitor.open(place)
        page.wait_for_timeout(1500)
        page.screenshot(path=folder / f"{name}-{look}.png", full_page=True)
    context.close()


def main(folder: Path) -> None:
    """Writes all of them."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as home,
        running(Path(home) / "home") as service,
        sync_playwright() as playwright,
    ):
        pages = places(service)
        browser = launch(playwright)
        for look in LOOKS:
            shoot(browser, service, folder, look, pages)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
