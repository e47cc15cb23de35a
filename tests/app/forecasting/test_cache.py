"""The cache loads once however many ask, holds what fits, and never makes one model wait for another."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from app.errors import NotFoundError
from app.forecasting import cache as cache_module
from app.forecasting.cache import ForecasterCache
from app.forecasting.checkpoint import dump, load
from app.nets.packed_cell import pack_cells
from app.nets.running import RunningOperators
from tests.app.forecasting.examples import forecaster_of, history_of

STACKED: dict[str, Any] = {"kind": "stack", "blocks": [{"kind": "lstm", "units": 4}, {"kind": "gru", "units": 4, "residual": "add"}]}
MEAN: dict[str, Any] = {"kind": "stack", "blocks": [{"kind": "gru", "units": 4}, {"kind": "mean"}]}

CONTENT = {str(seed): dump(forecaster_of(seed)) for seed in range(4)}
SIZE = len(CONTENT["0"]) + pack_cells(load(CONTENT["0"]).network)


class Shelf:
    """Artifacts, and how often each was read; reading one can be held up."""

    def __init__(self) -> None:
        self.reads: Counter[str] = Counter()
        self.gates: dict[str, threading.Event] = {}

    def read(self, digest: str) -> bytes:
        self.reads[digest] += 1
        if digest in self.gates:
            assert self.gates[digest].wait(20)
        if digest not in CONTENT:
            raise NotFoundError(f"{digest} is not here")
        return CONTENT[digest]


def test_a_forecaster_is_loaded_once_however_many_ask() -> None:
    shelf = Shelf()
    shelf.gates["0"] = threading.Event()
    cache = ForecasterCache(shelf.read, 10 * SIZE)
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(cache.get, "0") for _ in range(8)]
        shelf.gates["0"].set()
        found = {id(one.result(20)) for one in asked}
    assert len(found) == 1
    assert shelf.reads["0"] == 1
    counts = cache.counts()
    assert (counts.hits, counts.loads, counts.bytes, counts.forecasters) == (7, 1, SIZE, 1)


def test_a_model_that_loads_slowly_keeps_no_other_waiting() -> None:
    shelf = Shelf()
    shelf.gates["0"] = threading.Event()
    cache = ForecasterCache(shelf.read, 10 * SIZE)
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(cache.get, "0")
        assert cache.get("1").horizon == 3
        assert not slow.done()
        shelf.gates["0"].set()
        assert slow.result(20).horizon == 3


def test_what_was_used_longest_ago_goes_first() -> None:
    shelf = Shelf()
    cache = ForecasterCache(shelf.read, 2 * SIZE)
    for digest in ("0", "1", "0", "2", "0", "1"):
        cache.get(digest)
    assert shelf.reads == {"0": 1, "1": 2, "2": 1}
    assert cache.counts().evictions == 2
    assert cache.counts().bytes == 2 * SIZE


def test_a_forecaster_larger_than_the_cache_is_still_served() -> None:
    cache = ForecasterCache(Shelf().read, 1)
    assert cache.get("0").horizon == 3
    assert cache.get("1").horizon == 3
    assert cache.counts().forecasters == 1


def test_a_load_that_failed_is_remembered_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf()
    cache = ForecasterCache(shelf.read, 10 * SIZE)
    for _ in range(3):
        with pytest.raises(NotFoundError):
            cache.get("gone")
    assert shelf.reads["gone"] == 1
    monkeypatch.setattr(cache_module, "FAILURE_SECONDS", 0.0)
    with pytest.raises(NotFoundError):
        cache.get("gone")
    assert shelf.reads["gone"] == 2
    assert cache.counts().failures == 2


@pytest.mark.parametrize("network", [STACKED, MEAN], ids=["a program", "none"])
def test_who_loads_builds_what_forecasts_and_sessions_take(network: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    cache = ForecasterCache(lambda _: dump(forecaster_of(network=network)), 10 * SIZE)
    forecaster = cache.get("a")
    built: list[object] = []
    monkeypatch.setattr(RunningOperators, "__init__", lambda self, *_: built.append(self))
    forecaster.predict([history_of()], (0.1,))
    assert not built
    assert any(program is None for program in forecaster._programs) == (network is MEAN)
    monkeypatch.undo()
    carrier = cache.carrier("a")
    monkeypatch.setattr(RunningOperators, "__init__", lambda self, *_: built.append(self))
    carrier.forecast(carrier.open([history_of()]), ["a"])
    assert not built
