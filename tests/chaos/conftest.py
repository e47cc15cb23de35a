"""A site for each case, once with SQLite as `braidcast up` has it and once with PostgreSQL; and the table at the end of the run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.store.database import Database
from tests.chaos.servers import Postgres, Server, SqliteFile, new_sqlite, running_postgres
from tests.chaos.site import Line, Site
from tests.worker.broker import Broker, running_broker
from tests.worker.stage import set_stage

LINES = pytest.StashKey[list[Line]]()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Shared by the run's cases, one after another."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def broker() -> Iterator[Broker]:
    """A Redis of the case's own."""
    with running_broker() as broker:
        yield broker


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.chaos)])
def site(request: pytest.FixtureRequest, tmp_path: Path, broker: Broker, migrated_sqlite: Path) -> Iterator[Site]:
    """Everything that a case needs."""
    server: Server
    if request.param == "sqlite":
        url, server = new_sqlite(migrated_sqlite, tmp_path), SqliteFile(tmp_path / "local.db")
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        url, server = postgres.new_database(), postgres
    database = Database(url)
    name = request.node.originalname.removeprefix("test_").replace("_", " ")
    line = Line(name, request.param)
    yield Site(set_stage(database, tmp_path), server, broker, tmp_path, line)
    database.dispose()
    request.config.stash.setdefault(LINES, []).append(line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """The table."""
    lines = config.stash.get(LINES, [])
    if not lines:
        return
    terminalreporter.section("what was survived")
    width = max(len(line.case) for line in lines)
    terminalreporter.write_line(f"{'case':<{width}}  {'database':<10}  {'recovery':>8}  {'attempts':>8}  {'lost':>4}  {'doubled':>7}")
    for line in sorted(lines, key=lambda line: (line.case, line.database)):
        recovery = "-" if line.recovery_seconds is None else f"{line.recovery_seconds:.1f} s"
        terminalreporter.write_line(
            f"{line.case:<{width}}  {line.database:<10}  {recovery:>8}  {line.attempts:>8}  {line.lost:>4}  {line.doubled:>7}"
        )
