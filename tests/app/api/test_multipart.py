"""A file within a multipart body comes out as it went in, however the body is cut on its way."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.multipart import FilePart, media_type_of
from app.errors import MalformedError, UnsupportedMediaError

FORM = "multipart/form-data; boundary=edge"
HEAD = 'Content-Disposition: form-data; name="file"; filename="%s"\r\nContent-Type: %s'


def a_part(head: str, content: bytes) -> bytes:
    return b"--edge\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def read(body: bytes, content_type: str = FORM, piece_bytes: int = 1_000_000) -> tuple[str, bytes]:
    file = io.BytesIO()
    part = FilePart(content_type, file)
    for start in range(0, len(body), piece_bytes):
        part.write(body[start : start + piece_bytes])
    return part.finish(), file.getvalue()


@given(content=st.text("\r\n-edg,1", max_size=80).map(str.encode) | st.binary(max_size=80), piece_bytes=st.integers(1, 200))
def test_the_content_is_the_same_in_pieces_of_any_size(content: bytes, piece_bytes: int) -> None:
    if b"\r\n--edge" in b"\r\n" + content:
        return
    body = a_part(HEAD % ("a.csv", "text/csv"), content) + b"--edge--\r\n"
    assert read(body, piece_bytes=piece_bytes) == ("text/csv", content)


@pytest.mark.parametrize(
    ("name", "kind", "found"),
    [
        ("a.csv", "text/csv; charset=utf-8", "text/csv"),
        ("a.CSV", "application/vnd.ms-excel", "text/csv"),
        ("a.b.parquet", "application/octet-stream", "application/vnd.apache.parquet"),
        ("C:\\tables\\a.jsonl", "text/plain", "application/x-ndjson"),
        ("a.csv", "application/json", "application/json"),
    ],
)
def test_the_type_says_the_format_and_else_the_name(name: str, kind: str, found: str) -> None:
    assert read(a_part(HEAD % (name, kind), b"x") + b"--edge--")[0] == found


@pytest.mark.parametrize(("name", "kind"), [("a.xlsx", "application/octet-stream"), ("", ""), ("csv", "text/plain"), ("a.csv.zip", "")])
def test_a_file_of_another_format_is_refused(name: str, kind: str) -> None:
    with pytest.raises(UnsupportedMediaError, match=r"tables are read as text/csv, .* or by the ends of names \.csv, \.parquet"):
        read(a_part(HEAD % (name, kind), b"x") + b"--edge--")


WHOLE = a_part(HEAD % ("a.csv", "text/csv"), b"ds,y")


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (WHOLE + WHOLE + b"--edge--", "has more than one part; send one, called 'file'"),
        (a_part('Content-Disposition: form-data; name="table"', b"ds,y") + b"--edge--", "has a part 'table'; send one part"),
        (a_part("Content-Type: text/csv", b"ds,y") + b"--edge--", "has a part ''"),
        (WHOLE, "is cut off before its closing boundary"),
        (WHOLE[:-10], "is cut off before its closing boundary"),
        (b"", "is cut off before its closing boundary"),
        (b"ds,y\n", "cannot be read"),
        (a_part("X: " + "x" * 10_000, b"") + b"--edge--", "cannot be read"),
        (a_part("\r\n".join(f"X-{number}: x" for number in range(100)), b"") + b"--edge--", "cannot be read"),
    ],
)
def test_another_body_is_refused(body: bytes, sentence: str) -> None:
    with pytest.raises(MalformedError, match=sentence):
        read(body)


@pytest.mark.parametrize("content_type", ["multipart/form-data", "multipart/form-data; boundary=", f"{FORM}{'x' * 300}"])
def test_a_body_without_a_boundary_is_refused(content_type: str) -> None:
    with pytest.raises(MalformedError, match="without a boundary"):
        read(WHOLE, content_type)


@pytest.mark.parametrize("charset", ["latin-1", '"utf-16"', "utf-8-sig", "\xff"])
def test_another_character_set_is_refused(charset: str) -> None:
    with pytest.raises(UnsupportedMediaError, match="tables are read as UTF-8"):
        media_type_of(f"text/csv; charset={charset}")
