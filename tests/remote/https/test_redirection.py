"""Redirections that lpad follows by repeating the request at the same server."""

from __future__ import annotations

import pytest

from lpad.base.server_address import ServerAddress
from lpad.remote.https.redirection import repeated_at

TARGET = "/gsma/rsp2/es9plus/handleNotification"
SERVER = ServerAddress.parse("smdp.example.com")


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/other?r=1", "/other?r=1"),
        ("?r=1", f"{TARGET}?r=1"),
        ("sibling", "/gsma/rsp2/es9plus/sibling"),
        ("https://smdp.example.com/x", "/x"),
        ("https://SMDP.example.com:443/x", "/x"),
        ("//smdp.example.com/x", "/x"),
        ("/x#fragment", "/x"),
        ("https://smdp.example.com", "/"),
    ],
)
def test_redirections_at_the_same_server_are_followed(status: int, location: str, target: str) -> None:
    """A redirection to any path of the same server is followed."""
    assert repeated_at(status, location, target=TARGET, server=SERVER) == target


@pytest.mark.parametrize(
    "location",
    [
        None,
        "http://smdp.example.com/x",
        "https://smdp.example.com:8443/x",
        "https://smdp.example.org/x",
        "https://smdp.example.com.evil.example/x",
        "https://user@smdp.example.com/x",
        "https://smdp.example.com:99999/x",
        "https://[smdp/x",
        "javascript:alert(1)",
        "/x y",
        "/é",
        "/" + "x" * 5000,
    ],
)
def test_redirections_elsewhere_are_not_followed(location: str | None) -> None:
    """A redirection to another server or scheme, or without a valid address, is not followed."""
    assert repeated_at(307, location, target=TARGET, server=SERVER) is None


@pytest.mark.parametrize("status", [200, 301, 302, 303, 304, 400])
def test_other_statuses_repeat_nothing(status: int) -> None:
    """With a status other than 307 and 308, no redirection is followed."""
    assert repeated_at(status, "/x", target=TARGET, server=SERVER) is None


def test_a_server_behind_a_port() -> None:
    """A redirection to the server's own port is followed, and one to another port is not."""
    server = ServerAddress.parse("smdp.example.com:8443")
    assert repeated_at(308, "https://smdp.example.com:8443/x", target=TARGET, server=server) == "/x"
    assert repeated_at(308, "https://smdp.example.com/x", target=TARGET, server=server) is None
