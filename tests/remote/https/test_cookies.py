"""Cookies of one session with one server."""

from __future__ import annotations

import pytest

from lpad.remote.https.cookies import Cookies

PATH = "/gsma/rsp2/es9plus/initiateAuthentication"
NEXT = "/gsma/rsp2/es9plus/authenticateClient"


@pytest.mark.parametrize(
    ("told", "sent"),
    [
        ("S=node1; Path=/; Secure; HttpOnly", "S=node1"),
        ("S=node1", "S=node1"),
        ("S=node1; Path=/gsma", "S=node1"),
        ("S=node1; Path=/gsma/rsp2/es9plus/", "S=node1"),
        ("S=node1; Path=/gs", None),
        ("S=node1; Path=/other", None),
        ("S=node1; Domain=smdp.example.com", "S=node1"),
        ("S=node1; Domain=.example.com", "S=node1"),
        ("S=node1; Domain=example.org", None),
        ("S=node1; Domain=ample.com", None),
        ("S=node1; Max-Age=0", None),
        ("S=node1; Max-Age=-1", None),
        ("S=node1; Max-Age=" + "9" * 5000, "S=node1"),
        ("S=node1; Expires=Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("S=node1; Expires=Thu, 01 Jan 2099 00:00:00 GMT", "S=node1"),
        ('S="a=b"', 'S="a=b"'),
        ("S=", "S="),
        ("=node1", None),
        ("node1", None),
        ("S S=node1", None),
        ("S=a\x01b", None),
        ("S=" + "a" * 5000, None),
        ("", None),
    ],
)
def test_cookies_are_sent_to_their_server_and_paths(told: str, sent: str | None) -> None:
    """A cookie is sent back to its server for its path, unless it has expired or is invalid."""
    cookies = Cookies("smdp.example.com")
    cookies.take(told, path=PATH)
    assert cookies.header(NEXT) == sent


def test_the_last_cookie_of_a_name_counts() -> None:
    """The last cookie of a name counts, cookies with longer paths come first, expired ones are deleted."""
    cookies = Cookies("smdp.example.com")
    for told in ("A=1; Path=/", "B=2; Path=/gsma", "A=3; Path=/", "C=4", "C=; Max-Age=0"):
        cookies.take(told, path=PATH)
    assert cookies.header(NEXT) == "B=2; A=3"


def test_cookies_without_end() -> None:
    """Of many cookies of a server, only a limited number is kept."""
    cookies = Cookies("smdp.example.com")
    for number in range(1000):
        cookies.take(f"N{number}={number}", path=PATH)
    assert (cookies.header(NEXT) or "").count(";") < 50
