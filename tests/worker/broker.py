"""A Redis that a test may kill, freeze and empty: a server of its own on a Unix socket."""

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from app.embedded.redis import find_redis_server
from app.queue import Queue

PRIORITY_SEPARATOR = "\x06\x16"


class Broker:
    """A Redis server on a socket in `folder`, whose path must stay short."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "r.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"redis+socket://{self.socket}?virtual_host=0"

    @property
    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket))

    def start(self) -> None:
        command = [str(find_redis_server()), "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", str(self.folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self._wait_until_answering()

    def _wait_until_answering(self) -> None:
        until = time.monotonic() + 20
        while time.monotonic() < until:
            try:
                with self.client as client:
                    client.ping()
            except redis.ConnectionError:
                time.sleep(0.01)
            else:
                return
        raise AssertionError("Redis does not start")

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None
        self.socket.unlink(missing_ok=True)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._process.pid, signal.SIGCONT)

    def messages(self, queue: str, step: int) -> list[bytes]:
        """What waits in a queue at a step of priority, the oldest last."""
        name = queue if step == 0 else f"{queue}{PRIORITY_SEPARATOR}{step}"
        with self.client as client:
            found = client.lrange(name, 0, -1)
            assert isinstance(found, list)
            return found

    def empty(self) -> None:
        with self.client as client:
            client.flushall()


@contextmanager
def running_broker() -> Iterator[Broker]:
    # pytest's own folders are too deep for a socket's path.
    with tempfile.TemporaryDirectory(prefix="bc") as folder:
        broker = Broker(Path(folder))
        try:
            yield broker
        finally:
            if broker._process is not None:
                broker.kill()


def announce(broker: Broker, *jobs: str) -> None:
    """Tell workers of jobs."""
    queue = Queue(broker.url)
    for job in jobs:
        queue.submit(job, "cpu", 3)
    queue.close()
