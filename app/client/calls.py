"""How does a request reach the service? With its key, and again where that is safe: no network fault makes anything happen twice."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

import httpx

TRIES = 5
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0
PARTIAL = 206
BUSY = frozenset({409, 429, 503})
"""Answers that, with `Retry-After`, ask for another try."""


class ClientError(Exception):
    """Something that the client could not do."""


class UnreachableError(ClientError):
    """The service gave no answer."""


class RefusedError(ClientError):
    """The service refused a request.

    Attributes:
        status: of the answer.
        detail: why, in a sentence.
        errors: faults, each with `pointer`, `code` and `detail`.
    """

    def __init__(self, status: int, detail: str, errors: list[dict[str, Any]]) -> None:
        faults = "".join(f"\n  {fault['pointer']}: {fault['detail']}" for fault in errors)
        super().__init__(f"{status}: {detail}{faults}")
        self.status = status
        self.detail = detail
        self.errors = errors


class JobFailedError(ClientError):
    """A job ended without what it was to make.

    Attributes:
        body: the job as the service tells it; `error` says why.
    """

    def __init__(self, body: dict[str, Any]) -> None:
        why = (body.get("error") or {}).get("message", "nobody asked for more")
        super().__init__(f"job {body['id']} is {body['status']}: {why}")
        self.body = body


class _BrokenOffError(Exception):
    """A download ended before its end; `tag` is that of its content, as far as it is known."""

    def __init__(self, problem: str, tag: str) -> None:
        super().__init__(problem)
        self.tag = tag


class Calls:
    """Requests to a service.

    Args:
        base_url: of the service, such as `http://127.0.0.1:8000`.
        key: `bc_...`.
        timeout_seconds: of one answer.
        http: a client of the caller's own; by default one is made, and closed by `close`.
    """

    def __init__(self, base_url: str, key: str | None, timeout_seconds: float, http: httpx.Client | None) -> None:
        self._http = http or httpx.Client(base_url=base_url, timeout=timeout_seconds)
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}

    def json(self, method: str, path: str, *, again: bool = True, **more: Any) -> dict[str, Any]:
        """The answer to a request.

        Args:
            method: of HTTP.
            path: from `/v1` on.
            again: whether it may be sent again where no answer came; a busy service is always asked again.
            **more: as httpx takes it.

        Raises:
            RefusedError: the service said no.
            UnreachableError: it did not answer.
        """
        answer = self.send(method, path, again=again, **more)
        return dict(answer.json()) if answer.content else {}

    def send(self, method: str, path: str, *, again: bool = True, **more: Any) -> httpx.Response:
        """The same as it came.

        Raises:
            RefusedError: the service said no.
            UnreachableError: it did not answer.
        """
        headers = self._headers | more.pop("headers", {})
        pause, problem = FIRST_PAUSE_SECONDS, "no answer"
        for left in reversed(range(TRIES)):
            try:
                answer = self._http.request(method, path, headers=headers, **more)
            except httpx.TransportError as error:
                problem = f"{type(error).__name__}: {error}"
                if not again:
                    break
            else:
                asked_for = answer.headers.get("Retry-After")
                if not (left and asked_for and answer.status_code in BUSY):
                    return _accepted(answer)
                pause = max(pause, float(asked_for)) if asked_for.isdigit() else pause
            if left:
                time.sleep(min(pause, LONGEST_PAUSE_SECONDS))
                pause *= 2
        raise UnreachableError(f"{method} {path} at {self._http.base_url}: {problem}")

    def download(self, path: str, target: Path) -> None:
        """Writes the body of an answer into a file, which is there once it is whole; what broke off goes on where it was.

        Raises:
            RefusedError: the service said no.
            UnreachableError: it did not answer.
        """
        tag, problem = "", "no answer"
        with (
            tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as folder,
            (Path(folder) / "part").open("wb") as file,
        ):
            for left in reversed(range(TRIES)):
                try:
                    self._receive(path, file, tag)
                except _BrokenOffError as error:
                    tag, problem = error.tag, str(error)
                    time.sleep(FIRST_PAUSE_SECONDS if left else 0.0)
                else:
                    file.flush()
                    Path(file.name).replace(target)
                    return
        raise UnreachableError(f"GET {path} at {self._http.base_url}: {problem}")

    def _receive(self, path: str, file: BinaryIO, tag: str) -> None:
        """The rest of an answer, where its content is still that of the tag; else all of it.

        Raises:
            _BrokenOffError: there is more.
            RefusedError: the service said no.
        """
        more = {"Range": f"bytes={file.tell()}-", "If-Range": tag} if tag and file.tell() else {}
        try:
            with self._http.stream("GET", path, headers=self._headers | more) as answer:
                if answer.is_error:
                    answer.read()
                tag = _accepted(answer).headers.get("ETag", "")
                if answer.status_code != PARTIAL:
                    file.seek(0)
                    file.truncate()
                for chunk in answer.iter_bytes():
                    file.write(chunk)
        except httpx.TransportError as error:
            raise _BrokenOffError(f"{type(error).__name__}: {error}", tag) from error

    def close(self) -> None:
        """Gives connections back."""
        self._http.close()


def asked_of(horizon: int | None, levels: Sequence[float], quantiles: Sequence[float]) -> dict[str, Any]:
    """What is asked of a forecast; without a horizon it is the model's."""
    return {"levels": list(levels), "quantiles": list(quantiles)} | ({"horizon": horizon} if horizon else {})


def _accepted(answer: httpx.Response) -> httpx.Response:
    if not answer.is_error:
        return answer
    told = answer.json() if "json" in answer.headers.get("Content-Type", "") else {}
    raise RefusedError(answer.status_code, told.get("detail") or answer.text[:200] or answer.reason_phrase, told.get("errors") or [])
