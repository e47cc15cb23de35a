"""Which forecasters are in memory? The ones used last, bounded by bytes; loaded once however many ask, without making others wait.

The key is the artifact's digest, so what is here cannot be stale.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from app.forecasting.carried import Carrier
from app.forecasting.checkpoint import load
from app.forecasting.forecaster import Forecaster
from app.nets.packed_cell import pack_cells

MOST_FORECASTERS = 1000
"""However small they are: each is some hundred Python objects besides its bytes."""

FAILURE_SECONDS = 5.0
"""How long a load that failed is answered without trying again."""


@dataclass
class CacheCounts:
    """What the cache has done since it was made; `bytes` and `forecasters` are what it holds now."""

    hits: int = 0
    loads: int = 0
    failures: int = 0
    evictions: int = 0
    bytes: int = 0
    forecasters: int = 0


@dataclass
class _Entry:
    future: Future[Forecaster]
    forecaster: Forecaster | None = None
    size_bytes: int = 0
    failed_at: float | None = None
    carrier: Carrier | None = None


class ForecasterCache:
    """Forecasters by their artifact's digest.

    Args:
        read: gives the bytes of a digest.
        max_bytes: of the artifacts whose forecasters are held, and of weights packed beside them; the one used last stays in any case.
    """

    def __init__(self, read: Callable[[str], bytes], max_bytes: int) -> None:
        self._read = read
        self._max_bytes = max_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()
        self._counts = CacheCounts()

    def get(self, digest: str) -> Forecaster:
        """A forecaster, from memory or loaded by this call or by another's that came first.

        Args:
            digest: of the artifact.

        Raises:
            BraidcastError: the artifact is not there or is no forecaster; remembered for some seconds.
        """
        with self._lock:
            entry = self._entries.get(digest)
            if entry is not None and entry.failed_at is not None and time.monotonic() - entry.failed_at > FAILURE_SECONDS:
                entry = None
            is_first = entry is None
            if entry is None:
                entry = self._entries[digest] = _Entry(Future())
            else:
                self._counts.hits += 1
            self._entries.move_to_end(digest)
        if is_first:
            self._load(digest, entry)
        return entry.future.result()

    def ready(self, digest: str) -> Forecaster | None:
        """A forecaster that is in memory; None where it would have to be waited for, or has failed."""
        with self._lock:
            entry = self._entries.get(digest)
            if entry is None or entry.forecaster is None:
                return None
            self._entries.move_to_end(digest)
            self._counts.hits += 1
        return entry.forecaster

    def carrier(self, digest: str) -> Carrier:
        """What moves the states of a forecaster on, made once for each that is in memory.

        Raises:
            ForecastError: its network has no state to go on from.
        """
        forecaster = self.get(digest)
        with self._lock:
            entry = self._entries.get(digest)
        if entry is None:
            return Carrier(forecaster)
        if entry.carrier is None:
            carrier = Carrier(forecaster)
            carrier.prepare()
            entry.carrier = carrier
        return entry.carrier

    def counts(self) -> CacheCounts:
        """What it has done so far, and what it holds."""
        with self._lock:
            held = sum(entry.size_bytes for entry in self._entries.values())
            counts = self._counts
            return CacheCounts(counts.hits, counts.loads, counts.failures, counts.evictions, held, len(self._entries))

    def _load(self, digest: str, entry: _Entry) -> None:
        try:
            content = self._read(digest)
            forecaster = load(content)
            size = len(content) + sum(pack_cells(network) for network in forecaster.members)
            forecaster.prepare()
        except BaseException as error:  # noqa: BLE001 whoever waits for this load gets the error too
            with self._lock:
                entry.failed_at = time.monotonic()
                self._counts.failures += 1
            entry.future.set_exception(error)
            return
        with self._lock:
            entry.forecaster, entry.size_bytes = forecaster, size
            self._counts.loads += 1
            self._evict()
        entry.future.set_result(forecaster)

    def _evict(self) -> None:
        held = sum(entry.size_bytes for entry in self._entries.values())
        for digest in list(self._entries)[:-1]:
            if held <= self._max_bytes and len(self._entries) <= MOST_FORECASTERS:
                return
            if self._entries[digest].size_bytes > 0 or self._entries[digest].failed_at is not None:
                held -= self._entries.pop(digest).size_bytes
                self._counts.evictions += 1
