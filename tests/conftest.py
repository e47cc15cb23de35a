"""What every test stands on: one thread, checked tensor shapes, and the fixtures of the plugin modules named below."""

import os
from collections.abc import Iterator
from contextlib import nullcontext

os.environ["OMP_NUM_THREADS"] = "1"  # before torch is imported; two busy threads on a shared core are many times slower than one

import pytest
import torch
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

from tests import checking  # the hook below finds it by its name

install_import_hook(["app.nets", "app.forecasting", "worker.training"], f"{checking.__name__}.check")

torch.set_num_threads(1)

pytest_plugins = ["tests.services"]

settings.register_profile("repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test sees only the settings that it makes."""
    for name in [name for name in os.environ if name.startswith("BRAIDCAST_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_checks_where_training_is_long(request: pytest.FixtureRequest) -> Iterator[None]:
    with checking.unchecked() if request.node.get_closest_marker("slow") else nullcontext():
        yield
