"""How do we speak to a database, SQLite or PostgreSQL, in transactions that can be seen?

`with database.begin() as db:` writes and commits at its end; `with database.read() as db:` reads one snapshot. Time is the database's:
`utc_now()` and `utc_in(seconds)` are evaluated there, so that leases do not depend on the clocks of workers.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

SQLITE_BUSY_SECONDS = 30
"""How long a writer waits for another before it gives up."""

IDLE_SECONDS = 60
"""How long a transaction may say nothing to PostgreSQL: a process that is frozen within one would keep its rows from everybody for ever."""


class UtcDateTime(TypeDecorator[datetime]):
    """A point in time, aware and in UTC on both sides, to the microsecond."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Python to database."""
        if value is None:
            return None
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Database to Python."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class utc_in(FunctionElement[datetime]):  # noqa: N801
    """The database's time so many seconds from now, which moves on within a transaction."""

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, seconds: float) -> None:
        super().__init__(sa.bindparam(None, float(seconds), sa.Float()))


def utc_now() -> utc_in:
    """The database's time."""
    return utc_in(0.0)


@compiles(utc_in, "sqlite")
def _utc_in_sqlite(element: utc_in, compiler: SQLCompiler, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', ({seconds}) || ' seconds') || '000')"


@compiles(utc_in, "postgresql")
def _utc_in_postgresql(element: utc_in, compiler: SQLCompiler, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"(clock_timestamp() + make_interval(secs => {seconds}))"


class Database:
    """A database and its pool of connections.

    Args:
        url: `sqlite:///file` or `postgresql://user:password@host/name`.

    Attributes:
        commits: writing transactions of this process, for who keeps what was read.
    """

    def __init__(self, url: str) -> None:
        self.url = with_driver(url)
        self.engine = make_engine(self.url)
        self.commits = 0
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        self._readers = sessionmaker(self.engine.execution_options(reads_only=True), expire_on_commit=False)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A writing transaction: committed at the end of the block, rolled back when the block raises."""
        with self._sessions.begin() as db:
            yield db
        self.commits += 1

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One snapshot to read from; it waits for no writer and stops none."""
        with self._readers() as db:
            yield db

    def dispose(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def with_driver(url: str) -> sa.URL:
    """The URL with the driver that we ship, psycopg, where only PostgreSQL is named."""
    parsed = sa.make_url(url)
    if parsed.drivername in {"postgres", "postgresql"}:
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def make_engine(url: sa.URL) -> sa.Engine:
    """An engine with our habits on either database."""
    if url.get_backend_name() != "sqlite":
        engine = sa.create_engine(url, pool_pre_ping=True, pool_size=20, max_overflow=20)
        event.listen(engine, "connect", _prepare_postgresql)
        return engine
    engine = sa.create_engine(url, connect_args={"timeout": SQLITE_BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_postgresql(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'")
    cursor.close()
    connection.commit()


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    # The driver's own transactions begin too late and never for reads: we begin them ourselves, see _begin_sqlite.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A transaction that reads first and writes later fails at once where another has written between; IMMEDIATE waits at the start instead.
    reads_only = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")
