"""How does a stored file leave the service? Whole or in parts, and not at all where its asker has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from fastapi import Response
from fastapi.responses import FileResponse

from app.api.job_body import is_known

FILE_ANSWERS: dict[int | str, dict[str, Any]] = {
    206: {"description": "the part that `Range` asked for"},
    304: {"description": "`If-None-Match` has the current entity tag"},
}
"""Of a route that sends one, beside 200."""


class StoredFile(NamedTuple):
    """An artifact as a file that stays until the answer is sent.

    Attributes:
        name: what it is saved as.
        media_type: what is in it.
        digest: of its content, which is its entity tag.
        path: where it lies.
    """

    name: str
    media_type: str
    digest: str
    path: Path


def file_answer(file: StoredFile, if_none_match: str | None) -> Response:
    """The file, or the part of it that `Range` asks for; 304 where its asker has it."""
    headers = {"ETag": f'"{file.digest}"'}
    if is_known(headers["ETag"], if_none_match):
        return Response(status_code=304, headers=headers)
    return FileResponse(file.path, headers=headers, filename=file.name, media_type=file.media_type)
