"""Which way has a request gone, through API, queue and worker? Spans, where a deployment collects them; else nothing, at no cost.

    request -> announce
            -> wait -> job        joined by the job's row, which keeps the request's `traceparent` (docs/decisions/0027)

What collects them, OpenTelemetry, is an optional extra that only `app/collected_traces.py` imports.
"""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Literal, Protocol

from app.errors import UnavailableError

Kind = Literal["server", "producer", "consumer"]

Attributes = Mapping[str, str | int | float]

HOW_TO_INSTALL = (
    "BRAIDCAST_TRACES_URL is set, and what sends traces is not installed here: pip install 'braidcast[otel]', or leave it unset"
)


class Span(Protocol):
    """A stretch of the way."""

    def rename(self, name: str) -> None:
        """Call it so from now on."""
        ...

    def note(self, attributes: Attributes) -> None:
        """Say more of it."""
        ...


class Traces(ABC):
    """Where spans go."""

    @abstractmethod
    def span(self, name: str, kind: Kind, attributes: Attributes, parent: str | None = None) -> AbstractContextManager[Span]:
        """A span as long as the block, below the one that the block stands in.

        Args:
            name: what it is called.
            kind: which end of the way it is.
            attributes: what is known of it.
            parent: a `traceparent` (W3C Trace Context) that it is below instead.
        """

    @abstractmethod
    def past(self, name: str, kind: Kind, attributes: Attributes, parent: str | None, seconds: float) -> None:
        """A span that ends now and has lasted so long."""

    @abstractmethod
    def current(self) -> str | None:
        """The `traceparent` of the span that we stand in; None where there is none."""

    @abstractmethod
    def flush(self) -> None:
        """Send what has ended, without waiting long."""

    @abstractmethod
    def close(self) -> None:
        """Send what has ended, and stop."""


class NoTraces(Traces):
    """Nobody collects them."""

    def span(self, name: str, kind: Kind, attributes: Attributes, parent: str | None = None) -> AbstractContextManager[Span]:
        """Nothing."""
        return nullcontext(_NO_SPAN)

    def past(self, name: str, kind: Kind, attributes: Attributes, parent: str | None, seconds: float) -> None:
        """Nothing."""

    def current(self) -> str | None:
        """None."""
        return None

    def flush(self) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


class _NoSpan:
    def rename(self, name: str) -> None:
        """Nothing."""

    def note(self, attributes: Attributes) -> None:
        """Nothing."""


_NO_SPAN = _NoSpan()

NO_TRACES = NoTraces()


def open_traces(url: str | None, part: str) -> Traces:
    """Traces that are sent to a collector, or none.

    Args:
        url: of the collector (OTLP over HTTP), such as `http://collector:4318`; None collects nothing.
        part: of the service: `api` or `worker`.

    Raises:
        UnavailableError: there is a collector, and the extra that speaks to it is not installed.
    """
    if url is None:
        return NO_TRACES
    try:
        collected = importlib.import_module("app.collected_traces")
    except ModuleNotFoundError as error:
        raise UnavailableError(HOW_TO_INSTALL, code="no_otel") from error
    traces = collected.sent_to(url, part)
    assert isinstance(traces, Traces)  # noqa: S101 for the type checker: a module that is looked up has no types
    return traces
