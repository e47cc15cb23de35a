"""What can be done from a terminal? `braidcast up | demo | worker | migrate | sweep | key ...`.

Exit codes: 0 done, 1 failed, 2 used wrongly, 3 something that is needed is away.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy.exc import OperationalError

from app.embedded.address import Address
from app.embedded.service import CELERY_ENVIRONMENT, Plan, celery_arguments, serve
from app.embedded.signals import EndRequest
from app.errors import BraidcastError, InputError, UnavailableError
from app.settings import Settings
from app.store.artifacts import open_artifacts
from app.store.database import Database
from app.store.keys import create_key, ensure_owner, list_keys, revoke_key
from app.store.migrate import is_at_head, migrate
from app.store.orphans import remove_orphans

FAILED, USED_WRONGLY, AWAY = 1, 2, 3

EXIT_CODES = "Exit codes: 0 done, 1 failed, 2 used wrongly, 3 something that is needed is away."

console = Console(highlight=False)
complaints = Console(stderr=True, highlight=False)

cli = typer.Typer(
    name="braidcast",
    help="Train and serve recurrent forecasters that you design.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
keys = typer.Typer(help="API keys.", no_args_is_help=True)
cli.add_typer(keys, name="key")


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


Home = Annotated[
    Path | None, typer.Option("--home", help="Folder of everything that is kept; $BRAIDCAST_HOME or ./var.", show_default=False)
]
Owner = Annotated[str, typer.Option("--owner", help="Whose key it is.")]


def settings_with(**given: object) -> Settings:
    """The deployment's settings, with what the command line says over them.

    Raises:
        InputError: a setting's value cannot be used.
    """
    try:
        return Settings.model_validate(Settings(**{name: value for name, value in given.items() if value is not None}))  # type: ignore[arg-type]
    except ValidationError as error:
        faults = [f"{_setting_name(fault['loc'])} is {fault['input']!r}: {fault['msg'].lower()}" for fault in error.errors()]
        raise InputError("; ".join(faults) + ". Correct it, or leave it out for the default.") from None


def _setting_name(place: tuple[int | str, ...]) -> str:
    return f"BRAIDCAST_{str(place[0]).upper()}" if place else "a setting"


@contextmanager
def opened(settings: Settings) -> Iterator[Database]:
    """The deployment's database, at the newest migration. The embedded one is brought there; one of one's own is left alone.

    Raises:
        UnavailableError: a database of one's own is not at the newest migration.
    """
    settings.home_path.mkdir(parents=True, exist_ok=True)
    if settings.database_url is None:
        migrate(settings.resolved_database_url)
    database = Database(settings.resolved_database_url)
    try:
        if not is_at_head(database):
            raise UnavailableError("The database is not at the newest migration; run `braidcast migrate` first.")
        yield database
    finally:
        database.dispose()


def _show_version(is_asked: bool) -> None:
    if is_asked:
        console.print(f"braidcast {version('braidcast')}")
        raise typer.Exit


@cli.callback()
def root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Train and serve recurrent forecasters that you design.

    Settings come from the environment (BRAIDCAST_...); an option here wins over its variable.
    """


@cli.command(epilog=EXIT_CODES)
def up(
    home: Home = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; $BRAIDCAST_HOST or 127.0.0.1.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; $BRAIDCAST_PORT or 8000.", show_default=False)] = None,
    workers: Annotated[
        int | None, typer.Option(help="Jobs that train at the same time; $BRAIDCAST_WORKERS or 1.", show_default=False)
    ] = None,
    api_processes: Annotated[
        int | None,
        typer.Option("--api-processes", help="Processes that answer requests; $BRAIDCAST_API_PROCESSES or 1.", show_default=False),
    ] = None,
    end_with_stdin: Annotated[bool, typer.Option("--end-with-stdin", help="End when the standard input closes.", hidden=True)] = False,
) -> None:
    """Run the whole service: API, worker and, unless BRAIDCAST_BROKER_URL names one, Redis.

    Everything it keeps is under the home, with an API key in the file `key`. Ctrl-C ends it: running jobs write a checkpoint and go on at
    the next start. Ctrl-C once more ends it at once.

    On an address that other machines can reach it starts only once somebody has made a key (`braidcast key create`); it speaks plain HTTP,
    so put a proxy with TLS before it.
    """
    settings = settings_with(home=home, host=host, port=port, workers=workers, api_processes=api_processes)
    plan = Plan(
        home=settings.home_path,
        address=Address(settings.host, settings.port),
        workers=settings.workers,
        api_processes=settings.api_processes,
        drain_seconds=settings.drain_seconds,
        log_level=settings.log_level,
        database_url=settings.resolved_database_url,
        broker_url=settings.broker_url,
        artifacts_url=settings.resolved_artifacts_url,
    )
    console.print(f"Starting Braidcast in {plan.home} ...", soft_wrap=True)
    request = EndRequest(sys.stdin.fileno() if end_with_stdin else None)
    serve(plan, echo=show_line, on_ready=lambda seconds: _announce(plan, seconds), request=request)
    console.print("Braidcast has ended.")


def show_line(part: str, line: str) -> None:
    """Shows a line of a part of the service; a terminal that is gone is no reason to fail."""
    try:
        console.print(Text.assemble((f"{part:>6} ", "bold cyan"), ("| ", "dim"), line), soft_wrap=True)
    except OSError:
        return


def _announce(plan: Plan, seconds: float) -> None:
    url, key = plan.address.url, plan.home / "key"
    # Whoever sees this terminal may read the file; a log that the output goes to may have other readers.
    signs_in = console.is_terminal and plan.address.is_loopback() and key.exists()
    show_line("up", f"Ready after {seconds:.1f} s.")
    for name, value in (
        ("Web", f"{url}/#key={key.read_text().strip()}" if signs_in else f"{url}/"),
        ("API", f"{url}/v1 (described at {url}/docs)"),
        ("Key", f"{key} (send it as: Authorization: Bearer ...)"),
        ("Logs", str(plan.home / "logs")),
        ("End", "Ctrl-C"),
    ):
        show_line("up", f"{name:<5}{value}")


@cli.command(epilog=EXIT_CODES)
def demo(home: Home = None) -> None:
    """Train two networks on two real data sets and forecast with them, in about a minute.

    Starts the service on a free port, uses nothing but its public API, writes plots to the home's folder `demo`, and ends the service.
    """
    # A process of its own: its plots' library takes longer to import than all other commands need to run.
    arguments = (sys.executable, "-P", "-m", "app.demo", str(settings_with(home=home).home_path))
    os.execve(arguments[0], arguments, os.environ)  # noqa: S606 our own command


@cli.command(epilog=EXIT_CODES)
def worker(
    workers: Annotated[
        int | None, typer.Option(help="Jobs that train at the same time; $BRAIDCAST_WORKERS or 1.", show_default=False)
    ] = None,
) -> None:
    """Run a worker alone, for an API that runs elsewhere on the same database, Redis and artifacts."""
    settings = settings_with(workers=workers)
    environment = {"OMP_NUM_THREADS": "1", **os.environ, **CELERY_ENVIRONMENT, "BRAIDCAST_WORKERS": str(settings.workers)}
    arguments = celery_arguments(settings.workers, settings.log_level)
    os.execve(arguments[0], arguments, environment)  # noqa: S606 our own command


@cli.command(name="migrate", epilog=EXIT_CODES)
def migrate_command(home: Home = None) -> None:
    """Bring the database to the newest migration."""
    settings = settings_with(home=home)
    settings.home_path.mkdir(parents=True, exist_ok=True)
    migrate(settings.resolved_database_url)
    console.print("The database is at the newest migration.")


@cli.command(epilog=EXIT_CODES)
def sweep(
    hours: Annotated[float, typer.Option(min=1.0, help="What was stored less long ago is left: its row may be on its way.")] = 24.0,
    home: Home = None,
) -> None:
    """Remove artifacts that no row of the database names, which processes that were killed leave behind.

    Everything under BRAIDCAST_ARTIFACTS_URL must belong to this database: what another one names would be removed.
    """
    settings = settings_with(home=home)
    with opened(settings) as database:
        removed = remove_orphans(database, open_artifacts(settings.resolved_artifacts_url), older_than_seconds=hours * 3600)
    console.print(f"{len(removed)} removed.")


@keys.command(name="create", epilog=EXIT_CODES)
def create(
    name: Annotated[str, typer.Argument(help="What the key is for, such as the name of a program.")],
    owner: Owner = "local",
    scope: Annotated[list[Scope] | None, typer.Option(help="What it may do; may be given several times. All by default.")] = None,
    home: Home = None,
) -> None:
    """Make a key and print it. It is never shown again."""
    scopes = tuple(dict.fromkeys(one.value for one in scope or Scope))
    with opened(settings_with(home=home)) as database, database.begin() as db:
        row, token = create_key(db, ensure_owner(db, owner), name, scopes)
        complaints.print(f"Key {row.id} of the owner {owner}, for {', '.join(scopes)}:", soft_wrap=True)
    typer.echo(token)


@keys.command(name="list", epilog=EXIT_CODES)
def show_keys(owner: Owner = "local", home: Home = None) -> None:
    """List an owner's keys, without their secrets."""
    table = Table("id", "name", "scopes", "created", "revoked")
    with opened(settings_with(home=home)) as database, database.begin() as db:
        for row in list_keys(db, ensure_owner(db, owner)):
            revoked = f"{row.revoked_at:%Y-%m-%d %H:%M}" if row.revoked_at else ""
            table.add_row(row.id, row.name, " ".join(row.scopes), f"{row.created_at:%Y-%m-%d %H:%M}", revoked)
    console.print(table)


@keys.command(name="revoke", epilog=EXIT_CODES)
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, as `braidcast key list` shows it.")],
    owner: Owner = "local",
    home: Home = None,
) -> None:
    """Revoke a key: it opens nothing from now on."""
    with opened(settings_with(home=home)) as database, database.begin() as db:
        revoke_key(db, ensure_owner(db, owner), key_id)
    console.print(f"Key {key_id} is revoked.")


def main() -> None:
    """Runs the command line; a mistake is one sentence and an exit code."""
    try:
        cli()
    except UnavailableError as error:
        _leave(error.detail, AWAY)
    except InputError as error:
        _leave(error.detail, USED_WRONGLY)
    except BraidcastError as error:
        _leave(error.detail, FAILED)
    except OperationalError as error:
        _leave(f"The database does not answer: {str(error.orig).strip().splitlines()[0]}", AWAY)
    except OSError as error:
        _leave(f"{error.filename}: {error.strerror}" if error.filename else str(error), FAILED)


def _leave(sentence: str, code: int) -> None:
    complaints.print(Text(sentence), soft_wrap=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
