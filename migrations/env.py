"""How does Alembic reach our database? By the URL it is handed, else by the deployment's settings."""

from __future__ import annotations

from alembic import context

from app.settings import Settings
from app.store.database import make_engine, with_driver
from app.store.operating_tables import Base


def run() -> None:
    """Apply what is asked for, in one transaction."""
    url = context.config.get_main_option("sqlalchemy.url") or Settings().resolved_database_url
    engine = make_engine(with_driver(url))
    with engine.begin() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=engine.dialect.name == "sqlite")
        context.run_migrations()
    engine.dispose()


run()
