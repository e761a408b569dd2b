"""The port opener's client, with openers that are missing or answer oddly, and with a real one."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from lpad.base.deadline import Deadline
from lpad.base.errors import CardUnreachable
from lpad.card.port.control_port import open_control_port
from lpad.card.port.port_opener import PortOpener
from lpad.card.port.port_opener_client import PortOpenerClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def answering(path: Path, answer: bytes) -> Iterator[PortOpenerClient]:
    """Run an opener that gives every client the same answer; if that is empty, it closes the connection."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(100)
                if answer:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield PortOpenerClient(str(path))
        thread.join()


def test_no_opener_is_none(tmp_path: Path) -> None:
    """Without a socket, or without a listener, the result is None, so the caller opens the port itself."""
    assert PortOpenerClient(str(tmp_path / "none")).open("mbim-proxy") is None
    left = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
        listening.bind(str(left))
    assert PortOpenerClient(str(left)).open("mbim-proxy") is None


@pytest.mark.parametrize("answer", [b"", b"0", b"-1", b"99999", b"yes", b"\xff", b"1" * 100])
def test_an_odd_answer_is_an_error_with_a_remedy(answer: bytes, tmp_path: Path) -> None:
    """An unexpected answer, even one that announces a descriptor and has none, is an error with a remedy."""
    with (
        answering(tmp_path / "opener.sock", answer) as client,
        pytest.raises(CardUnreachable, match="systemctl status lpad-ports"),
    ):
        client.open("mbim-proxy")


def test_the_proxy_is_reached_through_the_opener(tmp_path: Path) -> None:
    """Without privileges, lpad closes its own connection to the proxy and uses the opener's connection."""
    address = f"\0lpad-test-{os.getpid()}-{tmp_path.name}"
    name = address.removeprefix("\0")
    with (
        socket.socket(socket.AF_UNIX) as proxy,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asked,
    ):
        proxy.bind(address)
        proxy.listen()
        asked.bind(str(tmp_path / "opener.sock"))
        asked.listen()
        opener = PortOpener(users=frozenset({os.geteuid()}), proxies={name: address})
        serving = threading.Thread(target=opener.serve, args=(asked,), kwargs={"idle": 1.0})
        serving.start()
        port = open_control_port(
            "/dev/ptmx", proxy=address, opener=PortOpenerClient(asked.getsockname()), privileged=False
        )
        serving.join()
        own, _ = proxy.accept()
        passed, _ = proxy.accept()
        with own, passed:
            assert own.recv(1) == b""
            port.write(b"hello", deadline=Deadline.after(5))
            assert passed.recv(10) == b"hello"
            assert port.through_proxy
            port.close()


def test_a_proxy_without_an_opener_is_tried_nevertheless(tmp_path: Path) -> None:
    """Without an opener, lpad still tries the proxy; if the proxy refuses, the error gives the remedy."""
    address = f"\0lpad-test-{os.getpid()}-{tmp_path.name}"
    none = PortOpenerClient(str(tmp_path / "none"))
    with socket.socket(socket.AF_UNIX) as proxy:
        proxy.bind(address)
        proxy.listen()
        port = open_control_port("/dev/ptmx", proxy=address, opener=none, privileged=False)
        proxy.accept()[0].close()
        with pytest.raises(CardUnreachable, match="enable --now lpad-ports"):
            port.read(deadline=Deadline.after(5))
        port.close()
