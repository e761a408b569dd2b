"""The address of an SM-DP+ or SM-DS."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpad.base.errors import InvalidValue
from lpad.base.server_address import ServerAddress


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("smdp.example.com", "smdp.example.com", 443),
        ("SMDP.Example.COM", "smdp.example.com", 443),
        (" smdp.example.com\r\n", "smdp.example.com", 443),
        ("smdp. example.com", "smdp.example.com", 443),
        ("smdp.example.com.", "smdp.example.com", 443),
        ("smdp.example.com:8443", "smdp.example.com", 8443),
        ("localhost:1", "localhost", 1),
        ("127.0.0.1:8443", "127.0.0.1", 8443),
        ("smdp_1.example.com", "smdp_1.example.com", 443),
        ("bücher.example", "xn--bcher-kva.example", 443),
    ],
)
def test_names_and_ports_are_accepted_in_any_case(text: str, host: str, port: int) -> None:
    """A name, or name:port, is accepted in any case and with stray blanks, international names included."""
    assert ServerAddress.parse(text) == ServerAddress(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":443",
        "https://smdp.example.com",
        "smdp.example.com/path",
        "smdp..example.com",
        "-smdp.example.com",
        "smdp-.example.com",
        "smdp.example.com:",
        "smdp.example.com:0",
        "smdp.example.com:65536",
        "smdp.example.com:x",
        "smdp.example.com:²",
        "a" * 64 + ".example.com",
        "a." * 127 + "com",
        "ü" * 80,
        "smdp@example.com",
    ],
)
def test_invalid_server_addresses_are_refused(text: str) -> None:
    """Schemes, paths, impossible names and ports are refused."""
    with pytest.raises(InvalidValue):
        ServerAddress.parse(text)


@given(st.text(max_size=80))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    """Reading any text gives an address or raises InvalidValue; an address can be read from its own text."""
    try:
        address = ServerAddress.parse(text)
    except InvalidValue:
        return
    assert ServerAddress.parse(str(address)) == address


def test_a_server_may_name_itself_without_its_port() -> None:
    """The name in a signed answer may differ in case and omit the port; otherwise it must be the same."""
    address = ServerAddress.parse("smdp.example.com:8443")
    assert address.names("SMDP.EXAMPLE.COM")
    assert address.names("smdp.example.com:8443")
    assert not address.names("smdp.example.com:8444")
    assert not address.names("other.example.com")
    assert not address.names("https://smdp.example.com")


def test_the_usual_port_is_not_written() -> None:
    """The text of a server address omits port 443."""
    assert str(ServerAddress.parse("smdp.example.com:443")) == "smdp.example.com"
    assert str(ServerAddress.parse("smdp.example.com:444")) == "smdp.example.com:444"
