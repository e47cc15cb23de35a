"""Where the API listens."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from app.embedded.address import Address
from app.errors import ConflictError, InputError


@contextmanager
def listening() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@contextmanager
def answering(status: int) -> Iterator[int]:
    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/health/ready"
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Health)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8123"),
        ("localhost", "http://localhost:8123"),
        ("0.0.0.0", "http://127.0.0.1:8123"),  # noqa: S104 not bound
        ("::", "http://[::1]:8123"),
    ],
)
def test_the_url_can_be_opened_on_this_machine(host: str, url: str) -> None:
    assert Address(host, 8123).url == url


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [("127.0.0.1", True), ("localhost", True), ("127.8.8.8", True), ("::", False), ("0.0.0.0", False)],  # noqa: S104 not bound
)
def test_only_loopback_is_loopback(host: str, is_loopback: bool) -> None:
    assert Address(host, 8123).is_loopback() is is_loopback


def test_a_free_port_is_not_refused() -> None:
    with listening() as port:
        pass
    Address("127.0.0.1", port).refuse_if_taken()


def test_a_taken_port_is_refused_with_a_way_out() -> None:
    with (
        listening() as port,
        pytest.raises(ConflictError, match=f"Port {port} of 127.0.0.1 is taken by another program; choose another with --port"),
    ):
        Address("127.0.0.1", port).refuse_if_taken()


def test_a_host_that_is_no_address_is_refused() -> None:
    with pytest.raises(InputError, match=r"--host is 'no such host', which is no address"):
        Address("no such host", 8123).refuse_if_taken()


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(InputError, match=r"--host is '192\.0\.2\.1', which is no address of this machine"):
        Address("192.0.2.1", 8123).refuse_if_taken()


def test_an_address_is_ready_when_its_health_says_so() -> None:
    with answering(200) as port:
        assert Address("127.0.0.1", port).is_ready()


def test_an_address_is_not_ready_while_its_health_says_no() -> None:
    with answering(503) as port:
        assert not Address("127.0.0.1", port).is_ready()


def test_an_address_where_nobody_listens_is_not_ready() -> None:
    with listening() as port:
        pass
    assert not Address("127.0.0.1", port).is_ready()
