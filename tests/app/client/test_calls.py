"""Requests go out again where that is safe, and what is refused says why."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.client import Client, RefusedError, Session, UnreachableError
from app.client.calls import TRIES, Calls


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses that would have been made."""
    made: list[float] = []
    monkeypatch.setattr("app.client.calls.time.sleep", made.append)
    return made


def answered_by(handler: Callable[[httpx.Request], httpx.Response]) -> httpx.Client:
    return httpx.Client(base_url="http://service", transport=httpx.MockTransport(handler))


def test_a_job_is_sent_again_under_the_same_key_until_it_is_answered(pauses: list[float]) -> None:
    keys: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["Idempotency-Key"])
        if len(keys) < 3:
            raise httpx.ReadError("the line is cut")
        return httpx.Response(201, json={"id": "job_1"})

    assert Client("", "bc_key", http=answered_by(handle)).train("ds_1", 12).id == "job_1"
    assert (len(keys), len(set(keys))) == (3, 1)
    assert pauses == sorted(pauses)


def test_an_upload_is_sent_once_and_a_busy_service_asked_again(pauses: list[float], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("data") / "data.csv"
    path.write_text("ds,y\n2024-01-01,1\n")
    asked: list[str] = []

    def cut(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        raise httpx.ConnectError("nobody there")

    with pytest.raises(UnreachableError, match="POST /v1/datasets at http://service: ConnectError: nobody there"):
        Client("", http=answered_by(cut)).upload(path)
    assert len(asked) == 1

    def busy(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(503, json={"detail": "too many requests wait"}, headers={"Retry-After": "3"})

    with pytest.raises(RefusedError, match="503: too many requests wait"):
        Client("", http=answered_by(busy)).upload(path)
    assert len(asked) == 1 + TRIES
    assert pauses[0] == 3
    with pytest.raises(TypeError, match=r"files that are read end with \.csv, \.parquet"):
        Client("", http=answered_by(busy)).upload(tmp_path_factory.mktemp("data") / "data.xlsx")


def test_a_refusal_has_each_fault_with_its_place() -> None:
    fault = {"pointer": "#/horizon", "code": "too_large", "detail": "horizon is 9000; at most 4096"}
    handle = answered_by(lambda _: httpx.Response(422, json={"detail": "one thing is wrong", "errors": [fault]}))
    with pytest.raises(RefusedError) as caught:
        Client("", http=handle).train("ds_1", 9000)
    assert (caught.value.status, caught.value.errors) == (422, [fault])
    assert str(caught.value) == "422: one thing is wrong\n  #/horizon: horizon is 9000; at most 4096"


@pytest.mark.parametrize("taken", [True, False])
def test_values_whose_answer_was_lost_count_once_and_those_of_another_are_told_of(pauses: list[float], taken: bool) -> None:
    sent: list[int] = []

    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"sequence": 2 if taken else 7})
        sent.append(json.loads(request.content)["sequence"])
        if len(sent) == 1:
            raise httpx.ReadTimeout("no answer")
        return httpx.Response(409, json={"detail": "the next number is another"})

    session = Session(Calls("", None, 1, answered_by(handle)), "ses_1", 0)
    if taken:
        session.observe([1.0, None])
        assert session.sequence == 2
    else:
        with pytest.raises(RefusedError, match="the next number is another"):
            session.observe([1.0, None])
    assert sent == [1, 1]
    assert len(pauses) == 1


class _Cut(httpx.SyncByteStream):
    """A body whose line is cut after so many bytes."""

    def __init__(self, content: bytes, after: int | None) -> None:
        self._content, self._after = content, after

    def __iter__(self) -> Iterator[bytes]:
        yield self._content[: self._after]
        if self._after is not None:
            raise httpx.ReadError("the line is cut")


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_download_that_broke_off_goes_on_unless_the_content_is_another(pauses: list[float], is_changed: bool, tmp_path: Path) -> None:
    content, asked = b"0123456789", list[tuple[str | None, str | None]]()

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append((request.headers.get("Range"), request.headers.get("If-Range")))
        if len(asked) == 1:
            return httpx.Response(200, stream=_Cut(content, 4), headers={"ETag": '"one"'})
        if is_changed:
            return httpx.Response(200, stream=_Cut(b"other", None), headers={"ETag": '"two"'})
        return httpx.Response(206, stream=_Cut(content[4:], None), headers={"ETag": '"one"'})

    job = Client("", http=answered_by(handle)).job("job_1")
    path = job.download(tmp_path / "forecasts.parquet")
    assert path.read_bytes() == (b"other" if is_changed else content)
    assert asked == [(None, None), ("bytes=4-", '"one"')]
    assert [one.name for one in tmp_path.iterdir()] == ["forecasts.parquet"]
    assert len(pauses) == 1


def test_a_download_that_does_not_come_or_is_refused_leaves_no_file(pauses: list[float], tmp_path: Path) -> None:
    def cut(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody there")

    with pytest.raises(UnreachableError, match="GET /v1/jobs/job_1/result at http://service: ConnectError: nobody there"):
        Client("", http=answered_by(cut)).job("job_1").download(tmp_path / "file")
    assert len(pauses) == TRIES
    none = answered_by(lambda _: httpx.Response(404, json={"detail": "job_1 is running and has no result"}))
    with pytest.raises(RefusedError, match="404: job_1 is running and has no result"):
        Client("", http=none).job("job_1").download(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []
