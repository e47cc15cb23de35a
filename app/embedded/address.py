"""Can the API listen where it is told to, and who can reach it there?"""

from __future__ import annotations

import errno
import http.client
import ipaddress
import socket
from dataclasses import dataclass

from app.errors import ConflictError, InputError

PROBE_SECONDS = 1.0

Place = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""An address as the socket module knows it."""


@dataclass(frozen=True)
class Address:
    """A host and a port to listen on."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """What a browser on this machine opens."""
        host = self._local_host()
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def _local_host(self) -> str:
        return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104 compared, not bound

    def is_loopback(self) -> bool:
        """Whether only programs on this machine can reach it."""
        return all(ipaddress.ip_address(str(place[0]).partition("%")[0]).is_loopback for _, place in self._resolved())

    def _resolved(self) -> list[tuple[socket.AddressFamily, Place]]:
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except socket.gaierror as error:
            raise InputError(
                f"--host is {self.host!r}, which is no address: {error.strerror}. Use 127.0.0.1 for this machine alone."
            ) from None
        return [(family, place) for family, _, _, _, place in found]

    def refuse_if_taken(self) -> None:
        """Makes sure that the API can listen.

        Raises:
            ConflictError: something else listens there, or this user may not.
            InputError: the host is no address of this machine.
        """
        for family, place in self._resolved():
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(place)
                except OSError as error:
                    self._explain(error)

    def _explain(self, error: OSError) -> None:
        if error.errno == errno.EADDRINUSE:
            raise ConflictError(
                f"Port {self.port} of {self.host} is taken by another program; choose another with --port.", code="port_taken"
            )
        if error.errno == errno.EACCES:
            raise ConflictError(f"Port {self.port} is reserved for the system; choose one above 1023 with --port.", code="port_taken")
        raise InputError(
            f"--host is {self.host!r}, which is no address of this machine: {error.strerror}. Use 127.0.0.1 for this machine alone."
        )

    def is_ready(self) -> bool:
        """Whether the API there says that it is ready."""
        connection = http.client.HTTPConnection(self._local_host(), self.port, timeout=PROBE_SECONDS)
        try:
            connection.request("GET", "/health/ready")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
