"""A file becomes a dataset, whatever it is wrapped in; what cannot be read says why, and leaves nothing behind."""

import asyncio
import gzip
import io
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sqlalchemy as sa
import zstandard
from starlette.types import Message

from app.store.tables import DatasetRow, DatasetVersionRow
from tests.app.api.conftest import WAVES, Api, make_api, problem_of

CSV = {"Content-Type": "text/csv"}
UNDONE = "ds,y\n2024-01-01,1\n2024-01-02,2\n"


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which temporary folders are made."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def assert_nothing_is_left(api: Api, spool: Path) -> None:
    with api.services.database.read() as db:
        assert db.scalars(sa.select(DatasetRow.id)).all() == []
        assert db.scalars(sa.select(DatasetVersionRow.dataset_id)).all() == []
    assert api.services.artifacts.digests() == set()
    assert list(spool.iterdir()) == []


@pytest.fixture
def refused(api: Api, spool: Path) -> Iterator[Any]:
    """Uploads what cannot be read; the problem. Nothing is left of it."""

    def upload(content: bytes, status: int, headers: dict[str, str] = CSV, **parameters: str) -> dict[str, Any]:
        answer = api.client.post("/v1/datasets", params=parameters, content=content, headers=headers)
        return problem_of(answer, status)

    yield upload
    assert_nothing_is_left(api, spool)


def waves() -> pl.DataFrame:
    return pl.read_csv(WAVES.encode())


def as_parquet(frame: pl.DataFrame) -> bytes:
    frame.write_parquet(file := io.BytesIO())
    return file.getvalue()


def test_a_csv_becomes_a_dataset(api: Api, spool: Path) -> None:
    answer = api.client.post("/v1/datasets", params={"name": "waves", "target": "y"}, content=WAVES.encode(), headers=CSV)
    assert answer.status_code == 201
    body = answer.json()
    assert answer.headers["location"] == f"/v1/datasets/{body['id']}" == body["urls"]["self"]
    assert (body["name"], body["version"], body["freq"], body["season"]) == ("waves", 1, "D", 7)
    assert (body["rows"], body["series"], body["shortest"], body["longest"]) == (28, 1, 28, 28)
    assert (body["target"], body["covariates"]) == ("y", ["x"])
    assert (body["first"], body["last"]) == ("2024-01-01T00:00:00", "2024-01-28T00:00:00")
    assert body["created_at"].endswith("Z")
    assert len(api.services.artifacts.digests()) == 1
    assert list(spool.iterdir()) == []


def test_every_format_gives_the_same_series(api: Api) -> None:
    bodies = {
        "text/csv": WAVES.encode(),
        "TEXT/CSV; charset=UTF-8; header=present": WAVES.encode(),
        "application/vnd.apache.parquet": as_parquet(waves()),
        "application/x-ndjson": waves().write_ndjson().encode(),
        "application/json": waves().write_json().encode(),
    }
    answers = [api.client.post("/v1/datasets", content=body, headers={"Content-Type": kind}) for kind, body in bodies.items()]
    assert [answer.status_code for answer in answers] == [201] * len(bodies), [answer.text for answer in answers]
    assert len({(answer.json()["rows"], answer.json()["freq"], answer.json()["first"]) for answer in answers}) == 1


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "zstd", "identity"])
def test_a_compressed_body_is_opened(api: Api, encoding: str) -> None:
    opened = WAVES.encode()
    body = {"zstd": zstandard.compress(opened), "identity": opened}.get(encoding, gzip.compress(opened))
    answer = api.client.post("/v1/datasets", content=body, headers=CSV | {"Content-Encoding": encoding})
    assert answer.status_code == 201, answer.text
    assert answer.json()["rows"] == 28


def test_a_body_of_many_pieces_is_put_together(api: Api) -> None:
    rows = "".join(f"{step},{step % 7}\n" for step in range(400_000))
    content = f"ds,y\n{rows}".encode()
    pieces = (content[start : start + 65_536] for start in range(0, len(content), 65_536))
    answer = api.client.post("/v1/datasets", content=pieces, headers=CSV)
    assert answer.status_code == 201, answer.text
    assert answer.json()["rows"] == 400_000


def test_parameters_of_the_upload_are_heeded(api: Api) -> None:
    text = "when;shop;sold;price\n" + "".join(f"2024-01-{day:02d};{shop};{day};2\n" for shop in "ab" for day in range(1, 11))
    said = {"time_column": "when", "id_column": "shop", "target": "sold", "freq": "D"}
    body = api.client.post("/v1/datasets", params=said, content=text.encode(), headers=CSV).json()
    assert (body["series"], body["target"], body["covariates"], body["name"]) == (2, "sold", ["price"], "dataset")


def test_an_empty_id_column_says_that_all_rows_are_one_series(api: Api) -> None:
    rows = "".join(f"2024-01-{day:02d},{shop},{day}\n" for day in range(1, 11) for shop in "ab")
    answer = api.client.post("/v1/datasets", params={"id_column": ""}, content=f"ds,shop,y\n{rows}".encode(), headers=CSV)
    assert answer.json()["series"] == 1, answer.text


@pytest.mark.parametrize(("name", "kind"), [("a.csv", "text/csv"), ("A.CSV", "application/vnd.ms-excel"), ("a.csv", "")])
def test_a_multipart_file_is_read(api: Api, name: str, kind: str) -> None:
    answer = api.client.post("/v1/datasets", files={"file": (name, WAVES.encode(), kind)})
    assert answer.status_code == 201, answer.text
    assert answer.json()["rows"] == 28


def test_a_compressed_multipart_body_is_opened(api: Api) -> None:
    request = api.client.build_request("POST", "/v1/datasets", files={"file": ("a.csv", WAVES.encode(), "text/csv")})
    headers = {"Content-Type": request.headers["content-type"], "Content-Encoding": "gzip"}
    answer = api.client.post("/v1/datasets", content=gzip.compress(request.read()), headers=headers)
    assert answer.json()["rows"] == 28, answer.text


@pytest.mark.parametrize(
    ("name", "status", "sentence"),
    [("table", 400, "has a part 'table'; send one part, called 'file'"), ("file", 415, "called 'a.xlsx'; tables are read as text/csv")],
)
def test_another_multipart_body_is_refused(api: Api, spool: Path, name: str, status: int, sentence: str) -> None:
    answer = api.client.post("/v1/datasets", files={name: ("a.xlsx", b"PK", "application/octet-stream")})
    assert sentence in problem_of(answer, status)["detail"]
    assert_nothing_is_left(api, spool)


NO_TIME = "a,b\n" + "".join(f"{row}.5,{row % 3}.25\n" for row in range(20))
TEXT_TARGET = "ds,y\n2024-01-01,1\n2024-01-02,many\n2024-01-03,3\n"
MIXED = "ds,y\n2024-01-01,1\n2024-01-02,2\n03/01/2024,3\n2024-01-04,4\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "the file is empty; a table has a header line and rows"),
        (b"ds,y\n", "the table has a header and no rows"),
        (b"ds,y\n2024-01-01,1\n", "the table has one row; a series needs at least two observations"),
        (NO_TIME.encode(), "name it with time_column=; the columns are 'a', 'b'"),
        (TEXT_TARGET.encode(), "the target 'y' has to be numbers; line 3 has text ('many')"),
        (MIXED.encode(), "ds: line 4 ('03/01/2024') is not written like most of the others (YYYY-MM-DD)"),
        (b"ds,y,y\n2024-01-01,1,2\n2024-01-02,1,2\n", "the column name 'y' stands twice (columns 2 and 3)"),
        (b"ds,y,city\n2024-01-01,1,K\xf6ln\n2024-01-02,2,Bonn\n", "line 2: byte 24 (0xf6) is not UTF-8"),
    ],
)
def test_a_csv_that_is_no_panel_is_refused(refused: Any, content: bytes, sentence: str) -> None:
    body = refused(content, 422)
    assert sentence in body["detail"]
    assert body["type"] == "/problems/series"


def test_ten_megabytes_in_one_field_are_refused(refused: Any) -> None:
    content = b'ds,y,note\n2024-01-01,1,"' + b"x" * 10_000_000 + b'"\n2024-01-02,2,short\n'
    assert "line 2: a field has more than 65,536 bytes" in refused(content, 413)["detail"]


def test_a_parquet_file_cut_in_half_is_refused(refused: Any) -> None:
    whole = as_parquet(waves())
    body = refused(whole[: len(whole) // 2], 422, {"Content-Type": "application/vnd.apache.parquet"})
    assert "cut off" in body["detail"]


def test_a_json_list_with_nan_is_refused(refused: Any) -> None:
    body = refused(b'[{"ds": "2024-01-01", "y": NaN}]', 422, {"Content-Type": "application/json"})
    assert "NaN is not JSON; write null where a value is missing" in body["detail"]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_bomb_is_refused(refused: Any, encoding: str) -> None:
    zeros = b"0" * 50_000_000
    bomb = gzip.compress(zeros) if encoding == "gzip" else zstandard.compress(zeros)
    assert len(bomb) < 100_000
    assert "times its size, as no table does" in refused(bomb, 413, CSV | {"Content-Encoding": encoding})["detail"]


def test_a_cut_gzip_is_refused(refused: Any) -> None:
    cut = gzip.compress(WAVES.encode())[:-20]
    assert "the gzip body is cut off after" in refused(cut, 400, CSV | {"Content-Encoding": "gzip"})["detail"]


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_a_body_that_is_not_compressed_as_it_says_is_refused(refused: Any, encoding: str) -> None:
    body = refused(WAVES.encode(), 400, CSV | {"Content-Encoding": encoding})
    assert f"the body says Content-Encoding: {encoding} and is not" in body["detail"]


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip"])
def test_another_encoding_is_refused(refused: Any, encoding: str) -> None:
    body = refused(zlib.compress(WAVES.encode()), 415, CSV | {"Content-Encoding": encoding})
    assert f"the Content-Encoding is {encoding!r}; bodies are read as they are, as gzip or as zstd" in body["detail"]


@pytest.mark.parametrize("kind", ["application/octet-stream", "application/vnd.ms-excel", "text/plain", "nonsense", ""])
def test_another_content_type_is_refused(refused: Any, kind: str) -> None:
    body = refused(WAVES.encode(), 415, {"Content-Type": kind} if kind else {})
    assert f"the Content-Type is {kind!r}; tables are read as text/csv, application/vnd.apache.parquet" in body["detail"]


def test_another_character_set_is_refused(refused: Any) -> None:
    body = refused(WAVES.encode("utf-16"), 415, {"Content-Type": "text/csv; charset=utf-16"})
    assert "the body says charset=utf-16; tables are read as UTF-8" in body["detail"]


@pytest.mark.parametrize("name", ["", "<script>", "a/b", "a\nb", "x" * 129, "a\x00b"])
def test_a_name_with_anything_but_words_is_refused(refused: Any, name: str) -> None:
    body = refused(UNDONE.encode(), 422, name=name)
    assert body["errors"][0]["pointer"] == "?name"


def test_an_unknown_parameter_is_refused(refused: Any) -> None:
    body = refused(UNDONE.encode(), 422, timecolumn="ds")
    assert body["errors"] == [
        {"pointer": "?timecolumn", "code": "extra_forbidden", "detail": "timecolumn: is not a key here; leave it out"}
    ]


def test_an_unknown_frequency_is_refused(refused: Any) -> None:
    body = refused(WAVES.encode(), 422, freq="fortnight")
    assert body["errors"][0]["pointer"] == "?freq"
    assert "freq is 'fortnight'; a frequency is one of" in body["detail"]


@pytest.mark.parametrize("is_told", [True, False])
def test_a_body_over_the_limit_is_refused(migrated_sqlite: Path, tmp_path: Path, spool: Path, is_told: bool) -> None:
    api = make_api(tmp_path, migrated_sqlite, max_body_bytes=200)
    content = WAVES.encode()
    pieces = (content[start : start + 50] for start in range(0, len(content), 50))
    answer = api.client.post("/v1/datasets", content=content if is_told else pieces, headers=CSV)
    assert ("content-length" in answer.request.headers) == is_told
    body = problem_of(answer, 413)
    assert body["detail"] == "the body has more than 200 bytes, the most that is read here; send less, or in parts"
    assert_nothing_is_left(api, spool)
    api.services.database.dispose()


def test_a_body_that_opens_to_more_than_the_limit_is_refused(migrated_sqlite: Path, tmp_path: Path, spool: Path) -> None:
    api = make_api(tmp_path, migrated_sqlite, max_expanded_bytes=300)
    answer = api.client.post("/v1/datasets", content=gzip.compress(WAVES.encode()), headers=CSV | {"Content-Encoding": "gzip"})
    assert "the body opens to more than 300 bytes, the most that is read" in problem_of(answer, 413)["detail"]
    assert_nothing_is_left(api, spool)
    api.services.database.dispose()


@pytest.fixture
def writes_no_version(api: Api) -> None:
    with api.services.database.begin() as db:
        db.execute(sa.text("create trigger stop before insert on dataset_versions begin select raise(abort, 'no room'); end"))


@pytest.mark.usefixtures("writes_no_version")
def test_a_row_that_cannot_be_written_leaves_no_file(api: Api, spool: Path) -> None:
    answer = api.client.post("/v1/datasets", content=WAVES.encode(), headers=CSV)
    assert answer.status_code == 500
    assert "no room" not in answer.text
    assert_nothing_is_left(api, spool)


def test_a_row_that_cannot_be_written_leaves_the_bytes_of_others(api: Api, spool: Path, request: pytest.FixtureRequest) -> None:
    first = api.upload()
    request.getfixturevalue("writes_no_version")
    assert api.client.post("/v1/datasets", content=WAVES.encode(), headers=CSV).status_code == 500
    assert api.client.get(f"/v1/datasets/{first}/series").json()["data"][0]["length"] == 28
    assert list(spool.iterdir()) == []


def test_a_client_that_leaves_in_the_middle_leaves_nothing(api: Api, spool: Path) -> None:
    begun = {"type": "http.request", "body": WAVES.encode()[:100], "more_body": True}
    messages: list[Message] = [begun, {"type": "http.disconnect"}]
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"authorization", api.client.headers["authorization"].encode()), (b"content-type", b"text/csv")]
    scope = {"type": "http", "method": "POST", "path": "/v1/datasets", "raw_path": b"/v1/datasets", "query_string": b"", "headers": headers}
    asyncio.run(api.app(scope | {"root_path": "", "scheme": "http", "http_version": "1.1", "server": ("test", 80)}, receive, send))
    assert sent[0]["status"] == 400
    assert b"the connection ended before the body did" in sent[1]["body"]
    assert_nothing_is_left(api, spool)
