"""Compressed answers that lpad did not request: decompressed as browsers do, within a limit."""

from __future__ import annotations

import zlib

from lpad.base.errors import MalformedError

_GZIP = 16 + zlib.MAX_WBITS
_ZLIB = zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS
_MOST_CODINGS = 2


def codings(header: str) -> list[str]:
    """Return the codings to undo, the last one first, from a Content-Encoding header.

    Raises:
        MalformedError: an unknown coding, or too many.
    """
    named = [coding for part in header.split(",") if (coding := part.strip().lower()) not in ("", "identity")]
    unknown = [coding for coding in named if coding not in ("gzip", "x-gzip", "deflate")]
    if unknown or len(named) > _MOST_CODINGS:
        shown = ", ".join(unknown or named)[:40]
        raise MalformedError(f"the answer is compressed ('{shown}'), which lpad did not request")
    return named[::-1]


def unpacked(body: bytes, coding: str, *, limit: int) -> bytes:
    """Undo one coding.

    Args:
        body: the compressed bytes.
        coding: gzip, x-gzip or deflate.
        limit: the maximum number of decompressed bytes; at most one more is produced.

    Returns:
        The bytes; one more than `limit` if there would be more.

    Raises:
        MalformedError: the bytes do not match the header, or are incomplete.
    """
    try:
        # With some servers deflate is the bare stream, without zlib's header (RFC 9110, 8.4.1.2).
        kinds = (_ZLIB, _RAW) if coding == "deflate" else (_GZIP,)
        for kind in kinds[:-1]:
            try:
                return _inflated(body, kind, limit)
            except zlib.error:
                continue
        return _inflated(body, kinds[-1], limit)
    except zlib.error as error:
        raise MalformedError(f"the answer is declared as compressed ('{coding}'), but is not") from error


def _inflated(body: bytes, kind: int, limit: int) -> bytes:
    whole = b""
    while body:
        stream = zlib.decompressobj(kind)
        whole += stream.decompress(body, limit + 1 - len(whole))
        if len(whole) > limit:
            return whole
        if not stream.eof:
            raise MalformedError("the compressed answer is incomplete")
        # Other members may follow (RFC 1952, 2.2), and some servers pad a block with zeros.
        body = stream.unused_data.lstrip(b"\0") if kind == _GZIP else b""
    return whole
