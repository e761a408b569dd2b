"""The network of the trials: its outages reset, refuse or stall connections, or answer without TLS."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import pytest

from faults.device.network_relay import Network
from faults.injected.cut_kinds import Outage

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def network() -> Iterator[Network]:
    """A network in front of a server that sends back twice whatever it receives."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve(connection: socket.socket) -> None:
            with suppress(OSError), connection:
                while data := connection.recv(100):
                    connection.sendall(data * 2)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        with Network("127.0.0.1", listener.getsockname()) as network:
            yield network
        listener.shutdown(socket.SHUT_RDWR)


def connected(network: Network) -> socket.socket:
    """Return a connection through the network, over which the server has answered."""
    connection = socket.create_connection(network.address, timeout=10)
    connection.sendall(b"ha")
    assert connection.recv(4, socket.MSG_WAITALL) == b"haha"
    return connection


def hear_one(network: Network) -> bytes:
    """Connect and read one byte, because a reset may come only after the connection is made."""
    with socket.create_connection(network.address, timeout=10) as fresh:
        return fresh.recv(1)


def test_connections_are_reset(network: Network) -> None:
    """During the outage RESET, existing and new connections are reset."""
    with closing(connected(network)) as standing:
        network.fail(Outage.RESET)
        with pytest.raises(ConnectionResetError):
            standing.recv(1)
        with pytest.raises(ConnectionResetError):
            hear_one(network)


def test_new_connections_are_refused(network: Network) -> None:
    """During the outage REFUSED, new connections are refused."""
    network.fail(Outage.REFUSED)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(network.address, timeout=10)


def test_stalled_connections_pass_nothing(network: Network) -> None:
    """Stalled connections stay open but transmit nothing, even after new connections work again."""
    with closing(connected(network)) as standing:
        network.fail(Outage.STALLED)
        network.come_back()
        standing.sendall(b"ha")
        connected(network).close()
        standing.setblocking(False)
        with pytest.raises(BlockingIOError):
            standing.recv(1)


def test_a_server_without_tls_answers(network: Network) -> None:
    """During the outage TLS, new connections are answered in HTTP without TLS."""
    network.fail(Outage.TLS)
    with socket.create_connection(network.address, timeout=10) as fresh:
        assert fresh.recv(5, socket.MSG_WAITALL) == b"HTTP/"


@pytest.mark.parametrize("outage", [Outage.REFUSED, Outage.RESET, Outage.STALLED, Outage.TLS])
def test_connections_work_again_after_an_outage(network: Network, outage: Outage) -> None:
    """After an outage, new connections work as before."""
    network.fail(outage)
    network.come_back()
    connected(network).close()


def test_a_cut_after_an_answer_occurs_once(network: Network) -> None:
    """The action of `when_answered` happens once the server has answered, and the answer arrives."""
    answered = threading.Event()
    with closing(connected(network)) as standing:
        network.when_answered(answered.set)
        assert not answered.is_set()
        standing.sendall(b"ha")
        assert answered.wait(10)
        assert standing.recv(4, socket.MSG_WAITALL) == b"haha"
