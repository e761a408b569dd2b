"""The port opener over a real socket: what it opens, and what it refuses."""

from __future__ import annotations

import errno
import os
import pty
import re
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import CardUnreachable
from lpad.card.port.port_opener import DEVICES, PROXIES, PortOpener
from lpad.card.port.port_opener_client import PortOpenerClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWN = frozenset({os.geteuid()})


@contextmanager
def serving(folder: Path, opener: PortOpener) -> Iterator[PortOpenerClient]:
    """Run an opener, and start it again each time that it ends, as systemd does; yield a client of it."""
    path = folder / "opener.sock"
    done = threading.Event()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            while not done.is_set():
                opener.serve(listening, idle=0.05)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield PortOpenerClient(str(path))
        finally:
            done.set()
            thread.join()


@contextmanager
def listener(folder: Path) -> Iterator[tuple[str, socket.socket]]:
    """Yield the address of a listening socket, which replaces the proxy's, and the socket."""
    address = str(folder / "proxy.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(address)
        listening.listen()
        yield address, listening


def test_a_device_is_opened(tmp_path: Path) -> None:
    """The opened device can be read and written, does not block, and is not inherited by programs."""
    master, slave = pty.openpty()
    opener = PortOpener(users=OWN, devices=re.compile(r"/dev/pts/[0-9]+"))
    with serving(tmp_path, opener) as client:
        opened = client.open(os.ttyname(slave))
        assert opened is not None
        assert not os.get_inheritable(opened)
        assert not os.get_blocking(opened)
        os.write(opened, b"hello\n")
        assert os.read(master, 100).startswith(b"hello")
    for each in (opened, master, slave):
        os.close(each)


def test_a_proxy_is_connected(tmp_path: Path) -> None:
    """The opener connects to the proxy, and passes the connection to its client."""
    with listener(tmp_path) as (address, listening):
        opener = PortOpener(users=OWN, proxies={"mbim-proxy": address})
        with serving(tmp_path, opener) as client:
            opened = client.open("mbim-proxy")
            assert opened is not None
            connection, _ = listening.accept()
            with connection, socket.socket(fileno=opened) as passed:
                passed.setblocking(True)
                passed.sendall(b"open")
                assert connection.recv(10) == b"open"


@pytest.mark.parametrize(
    "wanted",
    [
        *("/dev/ttyUSB0", "/dev/mem", "/dev/sda", "/dev/wwan0at0", "/dev/cdc-wdm", "/dev/cdc-wdm0/../mem"),
        *(
            "/dev/../etc/shadow",
            "/etc/shadow",
            "/dev/cdc-wdm0\n",
            "/dev/cdc-wdm٣",
            "cdc-wdm0",
            "\0mbim-proxy",
        ),
        *("ssh-agent", "/dev/cdc-wdm0 /dev/mem", "/dev/cdc-wdm" + "0" * 60),
    ],
)
def test_nothing_else_is_opened(wanted: str, tmp_path: Path) -> None:
    """A path or name that is not one of a control port or proxy is refused because of its form alone."""
    with (
        serving(tmp_path, PortOpener(users=OWN)) as client,
        pytest.raises(CardUnreachable, match="only control ports") as found,
    ):
        client.open(wanted)
    assert not found.value.retryable


@pytest.mark.parametrize("kind", ["file", "folder", "link", "socket", "fifo"])
def test_only_a_character_device_is_opened(kind: str, tmp_path: Path) -> None:
    """Only a character device is opened; any other file is refused, even if its name fits."""
    place = tmp_path / "cdc-wdm0"
    if kind == "file":
        place.write_bytes(b"secret")
    elif kind == "folder":
        place.mkdir()
    elif kind == "link":
        place.symlink_to("/dev/zero")
    elif kind == "fifo":
        os.mkfifo(place)
    opener = PortOpener(users=OWN, devices=re.compile(rf"{re.escape(str(tmp_path))}/cdc-wdm[0-9]+"))
    with socket.socket(socket.AF_UNIX) as listening:
        if kind == "socket":
            listening.bind(str(place))
        with serving(tmp_path, opener) as client, pytest.raises(CardUnreachable, match="only control ports"):
            client.open(str(place))


def test_a_missing_device_and_a_missing_proxy_are_reported(tmp_path: Path) -> None:
    """For a missing device or proxy, the client raises the system's own error."""
    opener = PortOpener(users=OWN, proxies={"qmi-proxy": str(tmp_path / "none")})
    with serving(tmp_path, opener) as client:
        for wanted in ("/dev/cdc-wdm999", "qmi-proxy"):
            with pytest.raises(FileNotFoundError) as found:
                client.open(wanted)
            assert found.value.errno == errno.ENOENT


def test_other_users_are_dropped(tmp_path: Path) -> None:
    """A client whose user is not one of the opener's users gets no answer."""
    with serving(tmp_path, PortOpener(users=frozenset({os.geteuid() + 1}))) as client:
        for _ in range(2):
            with pytest.raises(CardUnreachable, match="systemctl status lpad-ports"):
                client.open("mbim-proxy")


def test_a_proxy_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of another user is refused, because any user may take a proxy's abstract address first."""
    own = os.geteuid()
    with listener(tmp_path) as (address, _):
        opener = PortOpener(users=frozenset({own}), proxies={"mbim-proxy": address})
        monkeypatch.setattr(os, "geteuid", lambda: own + 1)  # The opener now has another user.
        with (
            serving(tmp_path, opener) as client,
            pytest.raises(CardUnreachable, match="may be a forgery") as found,
        ):
            client.open("mbim-proxy")
        assert not found.value.retryable


def test_a_client_that_asks_nothing_does_not_stop_the_others(tmp_path: Path) -> None:
    """After a client that disconnects without a request, the opener serves the next client."""
    with serving(tmp_path, PortOpener(users=OWN, proxies={})) as client:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
            silent.connect(client.path)
        with pytest.raises(FileNotFoundError):
            client.open("/dev/cdc-wdm999")


def test_an_unused_opener_ends(tmp_path: Path) -> None:
    """An unused opener ends; systemd keeps its socket and starts it again at the next request."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(tmp_path / "opener.sock"))
        listening.listen()
        PortOpener(users=OWN).serve(listening, idle=0.05)


def test_the_pattern_accepts_the_documented_port_names() -> None:
    """The pattern accepts the kernel's names of MBIM and QMI ports."""
    for path in ("/dev/cdc-wdm0", "/dev/cdc-wdm12", "/dev/wwan0mbim0", "/dev/wwan1qmi0"):
        assert DEVICES.fullmatch(path)
    assert set(PROXIES) == {"mbim-proxy", "qmi-proxy"}
