"""What does a line of the log look like, and whose work does it tell of?

    2026-11-24T03:30:00.123Z WARNING worker.heartbeat: the database does not answer  job_id=job_01... attempt=2
    {"time": "2026-11-24T03:30:00.123Z", "level": "warning", "logger": "worker.heartbeat", "message": "...", "job_id": "job_01..."}

The ids are bound where a request or an attempt begins and stand on every line until it ends, those of libraries included
(docs/decisions/0026).
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

LogFormat = Literal["lines", "json"]

LIBRARIES = ("uvicorn", "uvicorn.error", "uvicorn.access", "celery", "celery.task", "celery.redirected")
"""Loggers that come with handlers of their own."""

QUIET = ("alembic", "httpx", "kombu", "opentelemetry", "urllib3")
"""Loggers whose news are nobody's but a developer's: only their warnings are written."""

_bound: ContextVar[Mapping[str, object]] = ContextVar("bound", default={})  # noqa: B039 it is replaced, never changed


@contextmanager
def bound(**ids: object) -> Iterator[None]:
    """While this lasts, lines of this thread or task bear these ids; one that is None is left out."""
    token = _bound.set({**_bound.get(), **{name: value for name, value in ids.items() if value is not None}})
    try:
        yield
    finally:
        _bound.reset(token)


def bound_ids() -> Mapping[str, object]:
    """The ids that lines bear now."""
    return _bound.get()


def configure_logs(log_format: LogFormat, level: str) -> None:
    """Write every line of this process to standard error, in one form.

    Args:
        log_format: `lines` for people, `json` for programs: one object a line.
        level: the least serious line that is written.
    """
    handler = _StandardError()
    handler.setFormatter(JsonLines() if log_format == "json" else HumanLines())
    handler.addFilter(_bind)
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _StandardError)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in LIBRARIES:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    for name in QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


class HumanLines(logging.Formatter):
    """A line for people: time, level, place and sentence, then the ids."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, with the traceback below it if there is one."""
        ids = "".join(f"  {name}={value}" for name, value in _ids_of(record).items())
        line = f"{_time_of(record)} {record.levelname} {record.name}: {record.getMessage()}{ids}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonLines(logging.Formatter):
    """A line for programs: one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """The object on one line."""
        told: dict[str, object] = {
            "time": _time_of(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= {"process": record.process, **_ids_of(record)}
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str, ensure_ascii=False)


class _StandardError(logging.Handler):
    """Writes to what standard error is at the time: tests, and whoever embeds the service, put others in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 an edge: as logging's own handlers do, a line that cannot be written stops nobody
            self.handleError(record)


def _bind(record: logging.LogRecord) -> bool:
    record.bound = _bound.get()
    return True


def _ids_of(record: logging.LogRecord) -> Mapping[str, object]:
    found: Mapping[str, object] = getattr(record, "bound", {})
    return found


def _time_of(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
