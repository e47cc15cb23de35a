"""The Redis that comes along."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from kombu.connection import Connection

from app.embedded.redis import RedisPlace, find_redis_server, place_redis
from app.errors import UnavailableError
from tests.app.embedded.parts import wait_for


@contextmanager
def serving(place: RedisPlace) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(place.command(find_redis_server()), stdout=subprocess.DEVNULL) as server:
        wait_for(place.is_answering)
        yield server
        server.terminate()


@pytest.fixture
def no_server_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("no_server_on_the_path")
def test_without_a_server_on_the_path_one_comes_from_a_wheel() -> None:
    assert "site-packages" in find_redis_server().parts


def test_a_server_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = tmp_path / "redis-server"
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert find_redis_server() == server


@pytest.mark.usefixtures("no_server_on_the_path")
def test_no_server_at_all_is_told_with_the_way_out() -> None:
    with pytest.raises(UnavailableError, match=r"There is no Redis server here: install one .* BRAIDCAST_BROKER_URL"):
        find_redis_server(wheels=("no_such_wheel", "json"))


def test_redis_keeps_every_change_and_evicts_nothing(tmp_path: Path) -> None:
    place = place_redis(tmp_path / "home")
    with serving(place), redis.Redis(unix_socket_path=str(place.socket), decode_responses=True) as client:
        assert client.config_get("appendonly") == {"appendonly": "yes"}
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("port") == {"port": "0"}
        client.lpush("cpu", "job")
    assert not place.socket.exists()
    with serving(place), redis.Redis(unix_socket_path=str(place.socket), decode_responses=True) as client:
        assert client.lrange("cpu", 0, -1) == ["job"]


@pytest.mark.parametrize("name", ["home", "my home", "größer", "100% home"])
def test_celerys_transport_reads_the_url(name: str, tmp_path: Path) -> None:
    place = place_redis(tmp_path / name)
    with serving(place), Connection(place.url) as connection:  # type: ignore[no-untyped-call]
        connection.ensure_connection(max_retries=1)


def test_a_home_with_a_long_path_borrows_a_short_private_folder(tmp_path: Path) -> None:
    home = tmp_path / ("long" * 40)
    place = place_redis(home)
    assert place.borrowed is not None
    assert place.socket.parent == place.borrowed
    assert place.borrowed.stat().st_mode & 0o777 == 0o700
    assert place_redis(home) == place
    with serving(place):
        assert (home / "redis").is_dir()
    place.borrowed.rmdir()


def test_a_folder_for_sockets_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    home = tmp_path / ("open" * 40)
    place = place_redis(home)
    assert place.borrowed is not None
    place.borrowed.chmod(0o755)
    with pytest.raises(UnavailableError, match="is not a private folder of this user's; remove it, or choose a --home with a shorter path"):
        place_redis(home)
    place.borrowed.rmdir()


def test_a_redis_that_an_earlier_run_left_is_ended(tmp_path: Path) -> None:
    place = place_redis(tmp_path / "home")
    with serving(place) as leftover:
        place.end_leftover()
        assert leftover.wait(10) == 0
    assert not place.is_answering()


def test_a_socket_without_a_server_is_removed(tmp_path: Path) -> None:
    place = place_redis(tmp_path / "home")
    with serving(place) as server:
        server.send_signal(signal.SIGKILL)
        server.wait()
    assert place.socket.exists()
    place.end_leftover()
    assert not place.socket.exists()
