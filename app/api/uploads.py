"""How does a file become a dataset? Spooled as it comes, then read, stored and written down. What fails on the way leaves nothing behind.

body ── inflated ── (multipart part) ── spool file ── read_table ── Arrow file ── artifact ── row
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, BinaryIO

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from app.api.access import Asker
from app.api.bodies import Name, StrictBody
from app.api.datasets import DatasetBody, dataset_body
from app.api.multipart import MULTIPART, FilePart, media_type_of
from app.api.services import Served, Services
from app.errors import MalformedError, UnsupportedMediaError
from app.series.compression import Inflater
from app.series.options import TableOptions
from app.series.table import MEDIA_TYPES, SeriesTable, read_table, write_arrow
from app.store.datasets import NewDataset, get_version, insert_dataset, unused

SPOOL_PREFIX = "braidcast-upload-"

BLOCK_BYTES = 1024 * 1024
"""Taken to a thread at once: servers hand over some 64 KiB at a time, and a change of thread for each would cost more than the writing."""

SLICE_BYTES = 64 * 1024
"""Inflated at once: what it opens to is in memory as a whole, and may be some 500 times as large."""

READERS = CapacityLimiter(2)
"""Tables that are read at once: each may take as much memory as its limits allow. Others wait on disk."""

router = APIRouter(tags=["datasets"])


class UploadQuery(StrictBody):
    """What the uploader says of a table. All of it can be left out: it is then inferred, and the audit says how."""

    name: Name = "dataset"
    freq: str | None = Field(None, max_length=64, description="Distance between observations: `h`, `15min`, `D`, `MS`, or `1` for steps.")
    time_column: str | None = Field(None, max_length=1024, description="The column of times.")
    id_column: str | None = Field(
        None, max_length=4096, description="The column that names the series, or several with commas; empty: all rows are one series."
    )
    target: str | None = Field(None, max_length=1024, description="The column to forecast.")

    def options(self) -> TableOptions:
        """As the reader of tables wants it."""
        return TableOptions(self.time_column, self.id_column, self.target, self.freq)


_FILE = {"schema": {"type": "string", "format": "binary"}}
_FORM = {"schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}, "required": ["file"]}}
_REQUEST = {"requestBody": {"required": True, "content": dict.fromkeys(MEDIA_TYPES, _FILE) | {MULTIPART: _FORM}}}


@router.post("/v1/datasets", status_code=201, openapi_extra=_REQUEST, response_description="Its address is in the header Location.")
async def upload_dataset(
    request: Request, response: Response, services: Served, asker: Asker, said: Annotated[UploadQuery, Query()]
) -> DatasetBody:
    """Upload time series: CSV, Parquet, NDJSON or a JSON list of records, as they are or with Content-Encoding gzip or zstd."""
    with TemporaryDirectory(prefix=SPOOL_PREFIX) as folder:
        spooled = Path(folder) / "upload"
        media_type = await _spool(request, spooled, services.table_limits.expanded_bytes)
        body = await to_thread.run_sync(store_upload, services, asker.owner, spooled, media_type, said, limiter=READERS)
    response.headers["Location"] = body.urls.self
    return body


class _Spool:
    """Where a body goes: opened if it is compressed, taken out of its multipart wrapping if it has one, and into a file."""

    def __init__(self, headers: Mapping[str, str], file: BinaryIO, expanded_bytes: int) -> None:
        content_type = headers.get("content-type", "")
        self._media_type = media_type_of(content_type)
        self._part = FilePart(content_type, file) if self._media_type == MULTIPART else None
        if self._part is None and self._media_type not in MEDIA_TYPES:
            raise UnsupportedMediaError(
                f"the Content-Type is {content_type[:80]!r}; tables are read as {', '.join(MEDIA_TYPES)}, or {MULTIPART} "
                "with one part 'file'"
            )
        self._inflater = _inflater(headers.get("content-encoding", ""), expanded_bytes)
        self._write = file.write if self._part is None else self._part.write

    def write(self, block: bytes) -> None:
        """Takes on some bytes of the body."""
        if self._inflater is None:
            self._write(block)
            return
        for start in range(0, len(block), SLICE_BYTES):
            self._write(self._inflater.feed(block[start : start + SLICE_BYTES]))

    def finish(self) -> str:
        """The media type of what was written, once all was."""
        if self._inflater is not None:
            self._inflater.finish()
        return self._media_type if self._part is None else self._part.finish()


def _inflater(encoding: str, expanded_bytes: int) -> Inflater | None:
    match encoding.strip().lower():
        case "" | "identity":
            return None
        case "gzip" | "x-gzip":
            return Inflater("gzip", expanded_bytes)
        case "zstd":
            return Inflater("zstd", expanded_bytes)
        case _:
            raise UnsupportedMediaError(f"the Content-Encoding is {encoding[:80]!r}; bodies are read as they are, as gzip or as zstd")


async def _spool(request: Request, path: Path, expanded_bytes: int) -> str:
    with path.open("wb") as file:
        spool = _Spool(request.headers, file, expanded_bytes)
        async for block in _blocks(request):
            await run_in_threadpool(spool.write, block)
        return spool.finish()


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    waiting = bytearray()
    try:
        async for chunk in request.stream():
            waiting += chunk
            if len(waiting) >= BLOCK_BYTES:
                yield bytes(waiting)
                waiting.clear()
    except ClientDisconnect as error:
        raise MalformedError("the connection ended before the body did; send it again") from error
    yield bytes(waiting)


def store_upload(services: Services, owner: str, spooled: Path, media_type: str, said: UploadQuery) -> DatasetBody:
    """A table in a file as a new dataset; the file is gone then.

    Args:
        services: the service's.
        owner: whose it is to be.
        spooled: the file.
        media_type: of it.
        said: of the table.

    Raises:
        SeriesError: it cannot be read.
    """
    table = read_table(spooled, media_type, said.options(), services.table_limits)
    spooled.unlink()
    arrow = spooled.with_suffix(".arrow")
    write_arrow(table, arrow)
    size_bytes = arrow.stat().st_size
    digest = services.artifacts.put(arrow)
    try:
        with services.database.begin() as db:
            row = insert_dataset(db, owner, _new_dataset(said.name, digest, size_bytes, table))
            return dataset_body(row, get_version(db, owner, row.id))
    except BaseException:
        with services.database.read() as db:
            left = unused(db, [digest])
        for orphan in left:
            services.artifacts.delete(orphan)
        raise


def _new_dataset(name: str, digest: str, size_bytes: int, table: SeriesTable) -> NewDataset:
    return NewDataset(
        name=name,
        digest=digest,
        size_bytes=size_bytes,
        freq=str(table.freq),
        season=table.season,
        target=table.target,
        covariates=list(table.covariates),
        facts=table.facts,
        audit=table.audit,
    )
