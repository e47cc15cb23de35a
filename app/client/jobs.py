"""How is a job followed? Asked for twice a second, until it has ended; what has not changed is not sent again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from app.client.calls import Calls, JobFailedError

ENDED = frozenset({"succeeded", "failed", "cancelled"})
POLL_SECONDS = 0.5


class Job:
    """A job of the service.

    Attributes:
        id: `job_...`.
    """

    def __init__(self, calls: Calls, job: str) -> None:
        self._calls = calls
        self.id = job

    def body(self) -> dict[str, Any]:
        """The job as it is now."""
        return self._calls.json("GET", f"/v1/jobs/{self.id}")

    def report(self) -> dict[str, Any]:
        """What came of it: phases, scores beside the baselines', findings with remedies."""
        return self._calls.json("GET", f"/v1/jobs/{self.id}/report")

    def cancel(self) -> None:
        """Asks it to stop; it does within seconds."""
        self._calls.json("POST", f"/v1/jobs/{self.id}/cancel")

    def download(self, path: str | Path) -> Path:
        """Writes what it has made into a file: of a job of the kind `forecast`, Parquet or CSV.

        Raises:
            RefusedError: it has made nothing of the kind, or not yet.
        """
        self._calls.download(f"/v1/jobs/{self.id}/result", Path(path))
        return Path(path)

    def watch(self) -> Iterator[dict[str, Any]]:
        """The job each time that it has changed, until it has ended."""
        etag = ""
        while True:
            answer = self._calls.send("GET", f"/v1/jobs/{self.id}", headers={"If-None-Match": etag} if etag else {})
            if answer.status_code != 304:
                etag, body = answer.headers.get("ETag", ""), dict(answer.json())
                yield body
                if body["status"] in ENDED:
                    return
            time.sleep(POLL_SECONDS)

    def wait(self, *, progress: bool = False) -> str:
        """The id of the model that it made; empty of a job that makes none.

        Args:
            progress: whether a bar with the time left is drawn in the terminal.

        Raises:
            JobFailedError: it failed or was cancelled.
        """
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        with Progress(*columns, disable=not progress) as bar:
            task = bar.add_task(self.id, total=1.0)
            body: dict[str, Any] = {}
            for body in self.watch():
                loss = body["metrics"].get("val_loss")
                told = f"{body['name']} {body['status']}" + (f", val_loss {loss:.4g}" if isinstance(loss, float) else "")
                done = 1.0 if body["status"] == "succeeded" else body["progress"]["fraction"] or 0.0
                bar.update(task, completed=done, description=told)
        if body["status"] != "succeeded":
            raise JobFailedError(body)
        return str(body["model"] or "")
