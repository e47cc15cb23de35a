"""The children's lines."""

import os
from pathlib import Path

from app.embedded.logs import CHUNK_BYTES, Log


def write(descriptor: int, text: str) -> None:
    os.write(descriptor, text.encode())


def test_only_complete_lines_are_shown_and_each_once(tmp_path: Path) -> None:
    log = Log(tmp_path / "logs" / "api.log")
    assert list(log.new_lines()) == []
    child = log.open_for_child()
    write(child, "one\ntw")
    assert list(log.new_lines()) == ["one"]
    write(child, "o\nthree\n")
    assert list(log.new_lines()) == ["two", "three"]
    assert list(log.new_lines()) == []
    os.close(child)


def test_lines_of_an_earlier_run_stay_in_the_file_and_are_not_shown_again(tmp_path: Path) -> None:
    path = tmp_path / "api.log"
    path.write_text("earlier\n")
    log = Log(path)
    child = log.open_for_child()
    write(child, "now\n")
    os.close(child)
    assert list(log.new_lines()) == ["now"]
    assert path.read_text() == "earlier\nnow\n"


def test_a_log_that_is_too_long_is_turned_over_under_its_writer(tmp_path: Path) -> None:
    log = Log(tmp_path / "api.log", limit_bytes=10)
    child = log.open_for_child()
    write(child, "a long line\n")
    assert list(log.new_lines()) == ["a long line"]
    write(child, "next\n")
    os.close(child)
    assert list(log.new_lines()) == ["next"]
    assert (tmp_path / "api.log").read_text() == "next\n"
    assert (tmp_path / "api.log.1").read_text() == "a long line\n"


def test_a_torrent_is_read_in_pieces_and_turned_over_once_read(tmp_path: Path) -> None:
    log = Log(tmp_path / "api.log", limit_bytes=10)
    child = log.open_for_child()
    write(child, "x" * CHUNK_BYTES + "\nend\n")
    os.close(child)
    assert list(log.new_lines()) == []
    assert [line[-3:] for line in log.new_lines()] == ["xxx", "end"]
    assert (tmp_path / "api.log").read_text() == ""


def test_bytes_that_are_no_text_do_not_stop_the_reader(tmp_path: Path) -> None:
    log = Log(tmp_path / "api.log")
    (tmp_path / "api.log").write_bytes(b"caf\xe9\n")
    assert list(log.new_lines()) == ["caf\N{REPLACEMENT CHARACTER}"]


def test_the_last_lines_tell_of_a_failure(tmp_path: Path) -> None:
    log = Log(tmp_path / "api.log")
    assert log.last_lines(2) == []
    (tmp_path / "api.log").write_text("one\ntwo\nthree\n")
    assert log.last_lines(2) == ["two", "three"]
