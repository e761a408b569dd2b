"""Routes to servers: through an HTTP proxy, or over one network interface."""

from __future__ import annotations

import base64
import socket
from typing import TYPE_CHECKING

import pytest

from lpad.base.deadline import Deadline
from lpad.base.errors import InvalidSettings, InvalidValue, ServerUnreachable, ServerUntrusted
from lpad.base.server_address import ServerAddress
from lpad.remote.es9plus import Es9Plus
from lpad.remote.https.host_overrides import HostOverrides
from lpad.remote.https.proxy_and_interface import Proxy, Route, check_interface, read_credentials
from lpad.remote.trust.anchor_named_by_card import CardTrust
from lpad.remote.trust.trust_anchors import Trust
from lpad.simulator.pki.credential import Curve
from remote import proxy_double
from remote.bench import NAME
from remote.chain_table import LATER
from remote.dead_address import behind_dead_addresses
from remote.scripted_server import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from remote.bench import Bench

ACCEPTED = Reply(204)
SERVER = ServerAddress.parse(NAME)


def notify(bench: Bench, route: Route, *, trust: Trust | None = None, card: CardTrust = CardTrust()) -> None:  # noqa: B008  frozen
    with Es9Plus(SERVER, trust=trust or bench.trust, route=route, card=card) as client:
        for _ in range(2):
            client.handle_notification(pending_notification=b"\x30\x00", deadline=Deadline.after(30))


def through(proxy: proxy_double.Proxy, credentials: tuple[str, str] | None = None) -> Route:
    return Route(proxy=Proxy.parse(f"http://127.0.0.1:{proxy.port}", credentials=credentials))


def test_through_a_proxy(bench: Bench) -> None:
    """Through a proxy, lpad sends one CONNECT with the server's name for two requests."""
    server = bench.server(ACCEPTED)
    with proxy_double.Proxy(server.port) as proxy:
        notify(bench, through(proxy))
        assert len(proxy.requests) == 1
        assert proxy.requests[0].startswith(f"CONNECT {NAME}:443 HTTP/1.1\r\n")
        assert "authorization" not in proxy.requests[0].lower()
    assert len(server.seen) == 2


def test_a_proxy_behind_dead_addresses(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """If some addresses of a proxy are dead, lpad reaches the proxy at another one."""
    server = bench.server(ACCEPTED)
    with (
        proxy_double.Proxy(server.port) as proxy,
        behind_dead_addresses("proxy.example.com", proxy.port, monkeypatch),
    ):
        notify(bench, Route(proxy=Proxy.parse(f"http://proxy.example.com:{proxy.port}")))
        assert len(proxy.requests) == 1
    assert len(server.seen) == 2


def test_through_a_proxy_by_the_cards_word(bench: Bench) -> None:
    """If the card's list needs several handshakes with a server, each has its own CONNECT."""
    server = bench.server(ACCEPTED, credential=bench.pki.dp_tls(NAME, curve=Curve.BRAINPOOL))
    card = CardTrust("89", (bench.pki.ci[Curve.BRAINPOOL].key_id,))
    with proxy_double.Proxy(server.port) as proxy:
        notify(bench, through(proxy), trust=Trust(use_system_roots=False), card=card)
        # OpenSSL with brainpool in TLS 1.3 needs only one handshake.
        assert len(proxy.requests) == (1 if LATER else 2)
    assert len(server.seen) == 2


def test_a_proxy_that_intercepts(bench: Bench) -> None:
    """If a proxy answers with its own certificate in place of the server's, nothing is sent."""
    server = bench.server(ACCEPTED, credential=bench.pki.strangers_tls(NAME))
    with proxy_double.Proxy(server.port) as proxy, pytest.raises(ServerUntrusted):
        notify(bench, through(proxy))
    assert server.seen == []


def test_credentials_go_only_to_the_proxy(bench: Bench) -> None:
    """User and password are sent to the proxy, and not to the server."""
    server = bench.server(ACCEPTED)
    with proxy_double.Proxy(server.port) as proxy:
        route = through(proxy, ("gateway", "se:cret"))
        notify(bench, route)
        expected = base64.b64encode(b"gateway:se:cret").decode()
        assert f"Basic {expected}" in proxy.requests[0]
        assert "cret" not in repr(route)
    assert "authorization" not in {name.lower() for name in server.seen[0].headers}


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "403 Forbidden", "502 Bad Gateway"])
def test_a_proxy_that_refuses(bench: Bench, status: str) -> None:
    """If a proxy refuses, the error has the proxy's status, and not the password."""
    server = bench.server(ACCEPTED)
    with (
        proxy_double.Proxy(server.port, status=status) as proxy,
        pytest.raises(ServerUnreachable) as caught,
    ):
        notify(bench, through(proxy, ("gateway", "secret")))
    assert status[:3] in caught.value.sentence
    assert "proxy" in caught.value.sentence
    assert "secret" not in caught.value.sentence
    assert caught.value.details["cause"] == "proxy-refused"


def test_a_proxy_that_stays_silent(bench: Bench) -> None:
    """If a proxy accepts the connection and does not answer, the request ends at its deadline."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        route = Route(proxy=Proxy.parse(f"http://127.0.0.1:{mute.getsockname()[1]}"))
        with Es9Plus(SERVER, trust=bench.trust, route=route) as client, pytest.raises(ServerUnreachable):
            client.handle_notification(pending_notification=b"\x30\x00", deadline=Deadline.after(0.5))


def test_no_proxy_there(bench: Bench) -> None:
    """The error names an unreachable proxy."""
    with proxy_double.Proxy(1) as proxy:
        route = through(proxy)
    with pytest.raises(ServerUnreachable, match=r"the proxy 127\.0\.0\.1"):
        notify(bench, route)


@pytest.mark.parametrize(
    "url",
    [
        "proxy.example.com:3128",
        "https://proxy:1",
        "http://u:p@proxy:1",
        "http://proxy",
        "http://proxy:1/x",
        "http://:1",
    ],
)
def test_invalid_proxy_addresses_are_refused(url: str) -> None:
    """An invalid proxy address, or one with a password, is refused without showing the password."""
    with pytest.raises(InvalidValue) as caught:
        Proxy.parse(url)
    assert "u:p" not in caught.value.sentence


def test_credentials_are_read_from_a_private_file(tmp_path: Path) -> None:
    """User and password are read from a file, which other users must not be able to read."""
    path = tmp_path / "proxy"
    path.write_text("gateway:se:cret\n")
    path.chmod(0o600)
    assert read_credentials(path) == ("gateway", "se:cret")
    path.chmod(0o644)
    with pytest.raises(InvalidSettings, match="chmod"):
        read_credentials(path)
    path.chmod(0o600)
    for content in ("", "gateway", ":secret", "a:b\nc"):
        path.write_text(content)
        with pytest.raises(InvalidSettings) as caught:
            read_credentials(path)
        assert "secret" not in caught.value.sentence
    with pytest.raises(InvalidSettings, match="cannot read"):
        read_credentials(tmp_path / "missing")


def test_over_an_interface(bench: Bench) -> None:
    """Servers can be reached over a given network interface."""
    server = bench.server(ACCEPTED)
    hosts = HostOverrides.parse({NAME: f"127.0.0.1:{server.port}"})
    notify(bench, Route(hosts, interface="lo"))
    assert len(server.seen) == 2


def test_no_such_interface(bench: Bench) -> None:
    """If the interface is missing, the error names it and is retryable."""
    server = bench.server(ACCEPTED)
    hosts = HostOverrides.parse({NAME: f"127.0.0.1:{server.port}"})
    with pytest.raises(ServerUnreachable, match="'wwan7'") as caught:
        notify(bench, Route(hosts, interface="wwan7"))
    assert caught.value.details["cause"] == "no-interface"
    assert caught.value.retryable
    assert server.connects == 0


@pytest.mark.parametrize("name", ["", "a/b", "a b", ".", "..", "x" * 16, "ü"])
def test_impossible_interface_names_are_refused(name: str) -> None:
    """An impossible interface name is refused."""
    with pytest.raises(InvalidValue):
        check_interface(name)
