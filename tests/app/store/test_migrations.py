"""The schema, forward and back, on both databases."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from app.store.database import Database
from app.store.migrate import is_at_head, migrate, migrate_down
from app.store.operating_tables import Base


def test_migrations_make_the_schema_that_the_models_describe(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_migrations_that_are_taken_back_leave_nothing(empty_url: str) -> None:
    migrate(empty_url)
    migrate_down(empty_url)
    opened = Database(empty_url)
    assert sa.inspect(opened.engine).get_table_names() == ["alembic_version"]
    assert not is_at_head(opened)
    opened.dispose()


def test_a_migrated_database_is_at_head(database: Database) -> None:
    assert is_at_head(database)
