"""How is a compressed upload opened without being blown up?

Output is counted as it comes: in bytes, and against the bytes that went in. A bomb ends at the first piece that is over either bound.
"""

from __future__ import annotations

import zlib
from typing import Literal, assert_never

import zstandard

from app.errors import MalformedError, TooLargeError

Encoding = Literal["gzip", "zstd"]

RATIO_AT_MOST = 500
"""Bytes out per byte in. Tables of numbers compress 3 to 50 times, one repeated line about 400 times."""

RATIO_FREE_BYTES = 4 * 1024 * 1024
"""Output that no ratio is asked of: a small table of one repeated value is no bomb."""

STEP_BYTES = 1024 * 1024
"""Output asked of zlib at a time."""

ZSTD_SLICE_BYTES = 1024
"""Input given to zstd at a time; one slice can grow to 32 MiB at most (a run-length block of 128 KiB is four bytes)."""

GZIP_WINDOW = 16 + zlib.MAX_WBITS
ZSTD_WINDOW_BYTES = 128 * 1024 * 1024


class Inflater:
    """Opens a stream piece by piece.

    Args:
        encoding: as the request's Content-Encoding names it.
        max_bytes: of output.
        max_ratio: bytes out per byte in, after the first few MiB.
    """

    def __init__(self, encoding: Encoding, max_bytes: int, max_ratio: float = RATIO_AT_MOST) -> None:
        self._encoding = encoding
        self._max_bytes = max_bytes
        self._max_ratio = max_ratio
        self._in = 0
        self._out = 0
        self._gzip = zlib.decompressobj(GZIP_WINDOW)
        self._zstd = _zstd_decompressor()
        self._is_between = False

    def feed(self, piece: bytes) -> bytes:
        """What a piece of input opens to.

        Raises:
            TooLargeError: on more output than allowed.
            MalformedError: when the input is not of this encoding.
        """
        self._in += len(piece)
        output = bytearray()
        try:
            match self._encoding:
                case "gzip":
                    self._feed_gzip(piece, output)
                case "zstd":
                    self._feed_zstd(piece, output)
                case _:
                    assert_never(self._encoding)
        except (zlib.error, zstandard.ZstdError) as error:
            raise MalformedError(f"the body says Content-Encoding: {self._encoding} and is not: {error}") from error
        return bytes(output)

    def finish(self) -> None:
        """Ends the stream.

        Raises:
            MalformedError: when it ends before its own end.
        """
        is_whole = self._gzip.eof if self._encoding == "gzip" else self._zstd.eof
        if not (is_whole or self._is_between):
            raise MalformedError(f"the {self._encoding} body is cut off after {self._in:,} bytes; send it whole")

    def _feed_gzip(self, piece: bytes, output: bytearray) -> None:
        while piece:
            if self._gzip.eof:  # another member follows: `cat a.gz b.gz` is a gzip file
                if not piece.strip(b"\0"):  # padding, as tapes have it
                    return
                self._gzip = zlib.decompressobj(GZIP_WINDOW)
            self._take(self._gzip.decompress(piece, STEP_BYTES), output)
            piece = self._gzip.unconsumed_tail or self._gzip.unused_data

    def _feed_zstd(self, piece: bytes, output: bytearray) -> None:
        for start in range(0, len(piece), ZSTD_SLICE_BYTES):
            rest = piece[start : start + ZSTD_SLICE_BYTES]
            while rest:
                if self._zstd.eof:
                    self._zstd = _zstd_decompressor()
                self._take(self._zstd.decompress(rest), output)
                rest = self._zstd.unused_data if self._zstd.eof else b""

    def _take(self, opened: bytes, output: bytearray) -> None:
        self._out += len(opened)
        if self._out > self._max_bytes:
            raise TooLargeError(
                f"the body opens to more than {self._max_bytes:,} bytes, the most that is read; send it in parts", code="too_large"
            )
        if self._out > RATIO_FREE_BYTES and self._out > self._max_ratio * self._in:
            raise TooLargeError(
                f"the body opens to more than {self._max_ratio:g} times its size, as no table does; send it less compressed", code="bomb"
            )
        output += opened


def _zstd_decompressor() -> zstandard.ZstdDecompressionObj:
    return zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW_BYTES).decompressobj()
