"""What every test stands on: one thread, checked tensor shapes, and the fixtures of the plugin modules named below."""

import os
from collections.abc import Generator

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported; two busy threads on a shared core are many times slower than one

import pytest
import torch
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

from tests import checking  # the hook below finds it by its name

install_import_hook(["app.nets", "app.forecasting", "worker.training"], f"{checking.__name__}.check")

torch.set_num_threads(1)

pytest_plugins = ["tests.services"]

COUNTING = "COVERAGE_PROCESS_CONFIG"
"""By it a process knows that it is to count lines."""

settings.register_profile("repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test sees only the settings that it makes."""
    for name in [name for name in os.environ if name.startswith("BRAIDCAST_")]:
        monkeypatch.delenv(name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is slow would take twice as long if its lines were counted; the others are to run through 95 % of them."""
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.no_cover)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Neither are shapes checked in it, nor lines counted in the processes that it starts."""
    if not item.get_closest_marker("slow"):
        return (yield)
    counting = os.environ.pop(COUNTING, None)
    try:
        with checking.unchecked():
            return (yield)
    finally:
        if counting is not None:
            os.environ[COUNTING] = counting
