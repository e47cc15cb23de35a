"""What does a deployment decide?

Everything comes from environment variables that start with `BRAIDCAST_`. Without any, the service is embedded: all it keeps is under
`home`, and `braidcast up` starts its own Redis there. Three URLs point it at servers of one's own: database, broker, artifacts.

Only `app.main`, `app.cli`, `worker.celery` and `migrations/env.py` read this; everybody else is handed what they need.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import Field, PositiveInt
from pydantic_settings import BaseSettings, SettingsConfigDict

MEBIBYTE = 1024 * 1024

Port = Annotated[int, Field(ge=1, le=65_535)]


class Settings(BaseSettings):
    """One deployment's decisions; each field is the variable `BRAIDCAST_<FIELD>`."""

    model_config = SettingsConfigDict(
        env_prefix="BRAIDCAST_", env_ignore_empty=True, frozen=True, use_attribute_docstrings=True, extra="forbid"
    )

    home: Path = Path("var")
    """Folder of everything that is kept: database, artifacts, Redis' file, logs and the local key."""

    database_url: str | None = Field(default=None, repr=False)
    """Database, such as `postgresql://user:password@host/name`; SQLite under `home` when it is not set."""

    broker_url: str | None = Field(default=None, repr=False)
    """Redis, such as `redis://:password@host:6379/0`; the one `braidcast up` starts under `home` when it is not set."""

    artifacts_url: str | None = Field(default=None, repr=False)
    """Where data sets and models lie: `file:///folder` or `s3://bucket/prefix`; `artifacts` under `home` when it is not set."""

    host: str = "127.0.0.1"
    """Address the API listens on."""

    port: Port = 8000
    """Port the API listens on."""

    api_processes: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that answer requests; a core each, with one thread for forecasts."""

    workers: Annotated[int, Field(ge=1, le=64)] = 1
    """Jobs that train at the same time; each is a process of its own."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """The least serious line that is logged."""

    log_format: Literal["lines", "json"] = "lines"
    """Form of the log: lines for people, or a JSON object a line."""

    traces_url: str | None = None
    """Collector of traces (OTLP over HTTP), such as `http://collector:4318`; needs the extra `otel`. None are made when it is not set."""

    max_body_bytes: PositiveInt = 512 * MEBIBYTE
    """Bytes of an uploaded data set as they are sent."""

    max_expanded_bytes: PositiveInt = 2048 * MEBIBYTE
    """Bytes of an uploaded data set once decompressed."""

    max_json_bytes: PositiveInt = 16 * MEBIBYTE
    """Bytes of any other request."""

    max_rows: PositiveInt = 20_000_000
    """Rows of a data set."""

    max_series: PositiveInt = 100_000
    """Series of a data set."""

    max_columns: PositiveInt = 256
    """Columns of a data set."""

    max_field_bytes: PositiveInt = 65_536
    """Bytes of one field of a CSV."""

    max_parameters: PositiveInt = 50_000_000
    """Trainable numbers of a network."""

    max_blocks: PositiveInt = 256
    """Blocks of a network."""

    max_units: PositiveInt = 4096
    """Units of one block."""

    max_depth: PositiveInt = 16
    """Stacks and connections inside each other."""

    cache_bytes: PositiveInt = 512 * MEBIBYTE
    """Memory for the models that answer forecasts."""

    session_idle_seconds: Annotated[float, Field(gt=0)] = 604_800.0
    """How long a session is kept that nobody uses."""

    lease_seconds: Annotated[float, Field(gt=0)] = 30.0
    """How long a job stays with a worker that is not heard of."""

    redispatch_seconds: Annotated[float, Field(gt=0)] = 60.0
    """How long a queued job waits for a worker before it is announced again."""

    drain_seconds: Annotated[int, Field(ge=1)] = 60
    """How long a worker that was asked to stop may take to put its jobs back."""

    @property
    def home_path(self) -> Path:
        """`home` without a dependence on the current folder."""
        return self.home.expanduser().absolute()

    @property
    def resolved_database_url(self) -> str:
        """The database in use, as SQLAlchemy reads it."""
        return self.database_url or f"sqlite:///{self.home_path / 'braidcast.db'}"

    @property
    def resolved_broker_url(self) -> str:
        """The broker in use, as Celery reads it."""
        return self.broker_url or f"redis+socket://{quote(str(self.home_path / 'redis' / 'redis.sock'))}"

    @property
    def resolved_artifacts_url(self) -> str:
        """The artifacts' place in use, always with a scheme."""
        return self.artifacts_url or (self.home_path / "artifacts").as_uri()
