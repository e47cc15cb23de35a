"""Services for the flows."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.service import Service, running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One embedded service for the flows of a module."""
    home: Path = tmp_path_factory.mktemp("service") / "home"
    with running(home) as ready:
        yield ready
