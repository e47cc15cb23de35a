"""A service on a loopback port, for clients that bring their own way of asking."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI

STARTED_SECONDS = 20


@contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The address of a service in a thread of this process."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + STARTED_SECONDS
    while not server.started:
        assert time.monotonic() < until, "the service did not start"
        time.sleep(0.02)
    try:
        (port,) = {socket.getsockname()[1] for one in server.servers for socket in one.sockets}
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
