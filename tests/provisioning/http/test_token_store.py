"""Platforms' tokens: they are renewed before they expire, and kept across restarts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.provisioning.http.token_store import Tokens

if TYPE_CHECKING:
    from pathlib import Path


def test_a_token_is_renewed_before_it_expires() -> None:
    """A token is not used in the last minute of its life, or in the last tenth if that is shorter."""
    now = [1000.0]
    tokens = Tokens(wall=lambda: now[0])
    tokens.keep("a", "b", seconds=3600)
    now[0] += 3539
    token = tokens.current()
    assert token is not None
    assert (token.value, token.second) == ("a", "b")
    now[0] += 2
    assert tokens.current() is None
    tokens.keep("c", "", seconds=60)
    now[0] += 53
    assert tokens.current() is not None
    now[0] += 2
    assert tokens.current() is None


def test_a_token_is_not_shown() -> None:
    """The text form of a token object does not show the token."""
    assert "s3cret" not in repr(Tokens().keep("s3cret", "s3cret", seconds=60))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"value": 1}'])
def test_a_spoilt_file(tmp_path: Path, content: bytes) -> None:
    """A damaged token file counts as missing."""
    path = tmp_path / "token.json"
    path.write_bytes(content)
    assert Tokens(path).current() is None


def test_a_refused_token_is_deleted(tmp_path: Path) -> None:
    """A forgotten token is also deleted from its file, which is only used for its own account."""
    path = tmp_path / "token.json"
    tokens = Tokens(path, account="me")
    tokens.keep("a", "", seconds=3600)
    assert Tokens(path, account="me").current() is not None
    assert Tokens(path, account="you").current() is None
    tokens.forget()
    assert (tokens.current(), Tokens(path, account="me").current()) == (None, None)
