"""The dashboard, the alarms and the page on operations name only what there is, and leave no alarm without advice."""

import json
import re
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.parser import text_string_to_metric_families
from ruamel.yaml import YAML

from tests.app.api.conftest import Api, api

__all__ = ["api"]

FOLDER = Path(__file__).parents[2] / "docs" / "operations"
PAGE = (FOLDER.parent / "operations.md").read_text()
ALARMS: list[dict[str, Any]] = YAML(typ="safe").load(FOLDER / "alarms.yml")["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "grafana.json").read_text())


def expressions() -> list[str]:
    return [rule["expr"] for rule in ALARMS] + [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def told(api: Api) -> dict[str, set[str]]:
    """The labels of every sample, by its name."""
    samples = [sample for family in text_string_to_metric_families(api.client.get("/metrics").text) for sample in family.samples]
    found: dict[str, set[str]] = {}
    for sample in samples:
        found.setdefault(sample.name, set()).update(sample.labels)
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return found | {sample.name: set() for family in registry.collect() for sample in family.samples}


def test_every_metric_that_is_asked_for_is_told(api: Api) -> None:
    api.client.get("/v1/limits")
    names = {name for text in expressions() for name in re.findall(r"\b(?:braidcast|process)_[a-z_]+", text)}
    assert names
    assert names <= set(told(api)) | {"braidcast_queue_oldest_wait_seconds"}


def test_every_metric_of_ours_is_on_the_dashboard_but_counts_beside_it(api: Api) -> None:
    shown = " ".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])
    ours = {name for name in told(api) if name.startswith("braidcast_") and not name.endswith(("_created", "_sum", "_count"))}
    assert {name for name in ours if name not in shown} <= {
        "braidcast_forecaster_cache_evictions_total",
        "braidcast_forecaster_cache_forecasters",
    }


def test_every_alarm_has_a_row_with_advice() -> None:
    rows = re.findall(r"^\| (Braidcast\w+) \| .{20,} \| .{20,} \|$", PAGE, re.MULTILINE)
    assert rows == [rule["alert"] for rule in ALARMS]


def test_panels_do_not_lie_upon_each_other() -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {"${source}"}
