"""The transport to platforms: HTTPS only, trust, the race of addresses, cancellation, late imports."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from lpad.base.cancellation import Cancellation
from lpad.base.deadline import Deadline
from lpad.base.errors import Cancelled, InvalidSettings, ServerUntrusted
from lpad.provisioning.http.httpx_transport import server_of
from provisioning.bench import WISH, Bench
from remote.dead_address import behind_dead_addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://platform.example.com",
        "https://user:password@platform.example.com",
        "https://",
        "platform.example.com",
        "ftp://platform.example.com",
        "https://platform.example.com:99999",
        "https://bad host/",
    ],
)
def test_only_https_addresses_are_accepted(url: str) -> None:
    """A platform address that is not a valid HTTPS address, or has credentials, is refused."""
    with pytest.raises(InvalidSettings):
        server_of(f"{url}?key=s3cret")


def test_the_public_cas_do_not_confirm_every_server(bench: Bench) -> None:
    """A platform whose CA is neither in `ca_files` nor public is untrusted, and gets no request."""
    server = bench.platform("desk")
    with pytest.raises(ServerUntrusted):
        bench.opened(server, ca_files=()).order(WISH, deadline=Deadline.after(30))
    assert server.requests == []


def test_a_platform_behind_dead_addresses(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """If some addresses of a platform are dead, lpad reaches the platform at another one."""
    server = bench.platform("desk")
    ((host, target),) = server.hosts.items()
    port = int(target.rpartition(":")[2])
    monkeypatch.setattr(type(server), "hosts", {host: f"platform.example.net:{port}"})
    with behind_dead_addresses("platform.example.net", port, monkeypatch):
        bench.opened(server).order(WISH, deadline=Deadline.after(30))
    assert server.requests


def test_a_cancellation_ends_the_wait_for_an_answer(bench: Bench) -> None:
    """A cancellation ends the wait for a platform's answer."""
    server = bench.platform("desk")
    cancellation = Cancellation()
    cancelled = threading.Event()
    served = server.carry_out

    def hang(request):  # type: ignore[no-untyped-def]  # like the server's method
        cancellation.cancel("taken back")
        assert cancelled.wait(30)
        return served(request)

    server.carry_out = hang  # type: ignore[method-assign]
    with pytest.raises(Cancelled):
        bench.opened(server).order(WISH, deadline=Deadline.after(60, cancellation=cancellation))
    cancelled.set()


def test_httpx_is_loaded_late() -> None:
    """Neither the daemon nor the reading of platform files loads httpx."""
    code = (
        "import sys, lpad.daemon.daemon;"
        " import lpad.provisioning.platform_interface, lpad.provisioning.declared.platform_file;"
        " sys.exit('httpx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
