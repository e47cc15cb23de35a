"""Which version is the database's schema of? Alembic's, run from within the program."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.store.database import Database


def alembic_config(url: str) -> Config:
    """Alembic's configuration for a database, without a file: the migrations are a package that is installed with ours."""
    config = Config()
    config.set_main_option("script_location", "migrations:")
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return config


def migrate(url: str, revision: str = "head") -> None:
    """Bring the schema to a revision, forward; `head` is the newest."""
    command.upgrade(alembic_config(url), revision)


def migrate_down(url: str, revision: str = "base") -> None:
    """Take the schema back to a revision; `base` is before the first."""
    command.downgrade(alembic_config(url), revision)


def is_at_head(database: Database) -> bool:
    """Whether the schema is the one that this version of the program knows."""
    head = ScriptDirectory.from_config(alembic_config("sqlite://")).get_current_head()
    with database.engine.execution_options(reads_only=True).connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == head
