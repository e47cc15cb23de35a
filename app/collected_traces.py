"""How do spans get to a collector? By OpenTelemetry, the extra `otel`; imported where a deployment names a collector, nowhere else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.logs import bound
from app.traces import Attributes, Kind, Span, Traces

FLUSH_MILLISECONDS = 2_000
"""A collector that is away must not hold up jobs."""

KINDS = {"server": trace.SpanKind.SERVER, "producer": trace.SpanKind.PRODUCER, "consumer": trace.SpanKind.CONSUMER}

W3C = TraceContextTextMapPropagator()


def sent_to(url: str, part: str) -> CollectedTraces:
    """Traces that are sent to a collector in the background.

    Args:
        url: of the collector.
        part: of the service.
    """
    return CollectedTraces(part, BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{url.rstrip('/')}/v1/traces")))


class _Collected:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)


class CollectedTraces(Traces):
    """Spans by OpenTelemetry.

    Args:
        part: of the service.
        processor: gets every span that has ended.
    """

    def __init__(self, part: str, processor: SpanProcessor) -> None:
        resource = Resource.create({"service.name": f"braidcast-{part}", "service.version": version("braidcast")})
        # Not the process's global provider: what embeds us may have one of its own.
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("braidcast")

    @contextmanager
    def span(self, name: str, kind: Kind, attributes: Attributes, parent: str | None = None) -> Iterator[Span]:
        """See `Traces`; the log's lines bear the trace's id meanwhile."""
        with (
            self._tracer.start_as_current_span(name, _context(parent), KINDS[kind], attributes) as span,
            bound(trace_id=trace.format_trace_id(span.get_span_context().trace_id)),
        ):
            yield _Collected(span)

    def past(self, name: str, kind: Kind, attributes: Attributes, parent: str | None, seconds: float) -> None:
        """See `Traces`."""
        now = time.time_ns()
        span = self._tracer.start_span(name, _context(parent), KINDS[kind], attributes, start_time=now - int(seconds * 1e9))
        span.end(now)

    def current(self) -> str | None:
        """See `Traces`."""
        carrier: dict[str, str] = {}
        W3C.inject(carrier)
        return carrier.get("traceparent")

    def flush(self) -> None:
        """See `Traces`."""
        self._provider.force_flush(FLUSH_MILLISECONDS)

    def close(self) -> None:
        """See `Traces`."""
        self._provider.shutdown()


def _context(parent: str | None) -> Context | None:
    return None if parent is None else W3C.extract({"traceparent": parent}, Context())
