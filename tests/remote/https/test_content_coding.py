"""Compressed HTTP answers, which lpad unpacks up to a limit."""

from __future__ import annotations

import gzip
import zlib

import pytest

from lpad.base.errors import MalformedError
from lpad.remote.https.content_coding import codings, unpacked

TEXT = b'{"header":{}}' * 100
BARE = zlib.compressobj(wbits=-15)
DEFLATED = BARE.compress(TEXT) + BARE.flush()


@pytest.mark.parametrize(
    ("header", "named"),
    [("", []), ("identity", []), ("GZIP", ["gzip"]), ("deflate, x-gzip", ["x-gzip", "deflate"])],
)
def test_codings_in_the_order_in_which_they_are_undone(header: str, named: list[str]) -> None:
    """Codings are listed in the order in which they are undone: the last one first."""
    assert codings(header) == named


@pytest.mark.parametrize("header", ["br", "zstd", "gzip, br", ", ".join(["gzip"] * 20)])
def test_codings_that_are_not_undone(header: str) -> None:
    """An unknown coding, or too many codings, is malformed."""
    with pytest.raises(MalformedError, match="compressed"):
        codings(header)


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(TEXT, mtime=0), "gzip"),
        (gzip.compress(TEXT[:99], mtime=0) + gzip.compress(TEXT[99:], mtime=0), "x-gzip"),
        (gzip.compress(TEXT, mtime=0) + bytes(9), "gzip"),
        (zlib.compress(TEXT), "deflate"),
        (DEFLATED, "deflate"),
    ],
)
def test_each_coding_is_unpacked(body: bytes, coding: str) -> None:
    """Each coding that servers use is unpacked to the original bytes."""
    assert unpacked(body, coding, limit=10_000) == TEXT


@pytest.mark.parametrize("kind", [gzip.compress, zlib.compress])
def test_at_most_one_byte_beyond_the_limit_is_unpacked(kind: object) -> None:
    """Unpacking stops one byte beyond the limit."""
    assert callable(kind)
    coding = "gzip" if kind is gzip.compress else "deflate"
    assert len(unpacked(kind(bytes(1 << 20)), coding, limit=1000)) == 1001


@pytest.mark.parametrize(
    "body",
    [gzip.compress(TEXT, mtime=0)[:-9], b"{}", b"\x1f\x8b\x08\x00", gzip.compress(TEXT, mtime=0) + b"x"],
)
def test_damaged_bodies_are_an_error(body: bytes) -> None:
    """A truncated or invalid compressed body is malformed."""
    with pytest.raises(MalformedError, match="compressed"):
        unpacked(body, "gzip", limit=10_000)
