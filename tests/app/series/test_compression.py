import gzip
import zlib

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from app.errors import MalformedError, TooLargeError
from app.series.compression import Encoding, Inflater

ENCODINGS: list[Encoding] = ["gzip", "zstd"]
MEBIBYTE = 1024 * 1024


def packed(content: bytes, encoding: Encoding) -> bytes:
    return gzip.compress(content) if encoding == "gzip" else zstandard.compress(content)


def opened(content: bytes, encoding: Encoding, piece: int = 7, max_bytes: int = 64 * MEBIBYTE, max_ratio: float = 500) -> bytes:
    inflater = Inflater(encoding, max_bytes, max_ratio)
    result = b"".join(inflater.feed(content[start : start + piece]) for start in range(0, len(content), piece))
    inflater.finish()
    return result


@given(st.binary(max_size=2000), st.sampled_from(ENCODINGS), st.integers(1, 100))
def test_pieces_open_to_what_was_packed(content: bytes, encoding: Encoding, piece: int) -> None:
    assert opened(packed(content, encoding), encoding, piece) == content


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("piece", [1, 5, 10_000])
def test_streams_after_each_other_are_one(encoding: Encoding, piece: int) -> None:
    assert opened(packed(b"ds,y\n", encoding) + packed(b"1,2\n", encoding), encoding, piece) == b"ds,y\n1,2\n"


def test_padding_after_gzip_is_ignored() -> None:
    assert opened(gzip.compress(b"ds,y") + b"\0\0\0\0\0\0\0\0", "gzip", 3) == b"ds,y"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_table_of_megabytes_is_opened_whole(encoding: Encoding) -> None:
    content = b"".join(b"%d,%d\n" % (step, step * step) for step in range(200_000))
    assert opened(packed(content, encoding), encoding, 65_536) == content


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_bomb_is_stopped_by_its_ratio(encoding: Encoding) -> None:
    bomb = packed(b"\0" * (256 * MEBIBYTE), encoding)
    assert len(bomb) < MEBIBYTE
    with pytest.raises(TooLargeError, match="opens to more than 500 times its size, as no table does") as caught:
        opened(bomb, encoding, piece=4096, max_bytes=2**40)
    assert caught.value.fault_code == "bomb"


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_output_over_the_limit_is_stopped(encoding: Encoding) -> None:
    with pytest.raises(TooLargeError, match="opens to more than 1,000 bytes, the most that is read"):
        opened(packed(b"1,2\n" * 300, encoding), encoding, max_bytes=1000)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_cut_stream_is_refused_with_its_length(encoding: Encoding) -> None:
    content = packed(b"ds,y\n2026-01-01,1\n" * 100, encoding)
    with pytest.raises(MalformedError, match=rf"the {encoding} body is cut off after {len(content) // 2} bytes; send it whole"):
        opened(content[: len(content) // 2], encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_nothing_at_all_is_cut_off_too(encoding: Encoding) -> None:
    with pytest.raises(MalformedError, match="is cut off after 0 bytes"):
        opened(b"", encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("content", [b"ds,y\n1,2\n", zlib.compress(b"ds,y")])
def test_another_encoding_is_refused(encoding: Encoding, content: bytes) -> None:
    with pytest.raises(MalformedError, match=f"the body says Content-Encoding: {encoding} and is not"):
        opened(content, encoding)


def test_rubbish_after_a_stream_is_refused() -> None:
    with pytest.raises(MalformedError, match="is not"):
        opened(gzip.compress(b"ds,y") + b"rubbish", "gzip", 100)
