"""How is a file read out of a multipart body? As it comes, straight to where it is to lie: one part, called `file`, and no other."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.errors import MalformedError, UnsupportedMediaError
from app.series.table import MEDIA_TYPES

MULTIPART = "multipart/form-data"
PART = "file"

MEDIA_TYPE_OF_SUFFIX = {
    ".csv": "text/csv",
    ".parquet": "application/vnd.apache.parquet",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
    ".json": "application/json",
}
"""Browsers send a CSV as whatever the machine's spreadsheet calls it; then the file's name decides."""


def media_type_of(content_type: str) -> str:
    """A Content-Type without its parameters, in lower case.

    Raises:
        UnsupportedMediaError: it names another character set than UTF-8.
    """
    kind, parameters = parse_options_header(content_type)
    charset = parameters.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in {"utf-8", "utf8"}:
        raise UnsupportedMediaError(f"the body says charset={charset[:40]}; tables are read as UTF-8: save it so")
    return kind.decode("latin-1")


class FilePart:
    """The file within a multipart body that comes in pieces.

    Args:
        content_type: the request's, with its boundary.
        file: where the part's bytes go.

    Raises:
        MalformedError: there is no boundary.
    """

    def __init__(self, content_type: str, file: BinaryIO) -> None:
        self._file = file
        self._parts = 0
        self._is_whole = False
        self._headers: dict[str, str] = {}
        self._name = self._value = b""
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary or len(boundary) > 256:
            raise MalformedError(
                "the Content-Type is multipart/form-data without a boundary; let your client set it, or send the file alone"
            )
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._take_name,
                "on_header_value": self._take_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._check_part,
                "on_part_data": self._take_content,
                "on_end": self._end,
            },
        )

    def write(self, piece: bytes) -> None:
        """Reads on.

        Raises:
            MalformedError: this is no multipart body, or has another part.
        """
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise MalformedError(f"the multipart body cannot be read: {error}") from error

    def finish(self) -> str:
        """The media type of the file, once all was written.

        Raises:
            MalformedError: the body is cut off.
            UnsupportedMediaError: neither the part's type nor its name says a format that is read here.
        """
        if not self._is_whole:
            raise MalformedError("the multipart body is cut off before its closing boundary; send it whole")
        media_type = media_type_of(self._headers.get("content-type", ""))
        if media_type in MEDIA_TYPES:
            return media_type
        options = parse_options_header(self._headers["content-disposition"])[1]
        name = options.get(b"filename", b"").decode("utf-8", "replace")
        by_name = MEDIA_TYPE_OF_SUFFIX.get(PurePosixPath(name.lower()).suffix)
        if by_name is None:
            raise UnsupportedMediaError(
                f"the part is {media_type[:80]!r} and called {name[:80]!r}; tables are read as {', '.join(MEDIA_TYPES)}, or by the ends "
                f"of names {', '.join(MEDIA_TYPE_OF_SUFFIX)}"
            )
        return by_name

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > 1:
            raise MalformedError(f"the multipart body has more than one part; send one, called {PART!r}")

    def _take_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = self._value.decode("latin-1")
        self._name = self._value = b""

    def _check_part(self) -> None:
        name = parse_options_header(self._headers.get("content-disposition", ""))[1].get(b"name", b"").decode("utf-8", "replace")
        if name != PART:
            raise MalformedError(f"the multipart body has a part {name[:40]!r}; send one part, called {PART!r}")

    def _take_content(self, data: bytes, start: int, end: int) -> None:
        self._file.write(memoryview(data)[start:end])

    def _end(self) -> None:
        self._is_whole = True
