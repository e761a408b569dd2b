"""The slow network delays bytes and changes nothing else."""

from __future__ import annotations

import socket
import threading
import time

from bench.lpac.slow_network import SlowNetwork

LIMIT = 20.0
ROUND_TRIP = 0.2
PIECES = [bytes([number]) * 3000 for number in range(100)]


def test_bytes_arrive_in_order_after_two_round_trips() -> None:
    """The first answer takes two round trips, one of them to connect; the stream's end arrives, too."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        echo = threading.Thread(target=_echo, args=(listening,))
        echo.start()
        address = listening.getsockname()
        with (
            SlowNetwork(address, listen=("127.0.0.1", 0), round_trip=ROUND_TRIP) as network,
            socket.create_connection(("127.0.0.1", network.port), LIMIT) as client,
        ):
            start = time.monotonic()
            for piece in PIECES:
                client.sendall(piece)
            received = client.recv(1)
            first = time.monotonic() - start
            while len(received) < len(b"".join(PIECES)):
                received += client.recv(65_536)
            client.sendall(b"end")
            assert client.recv(1) == b""
        echo.join(LIMIT)
    assert received == b"".join(PIECES)
    assert first >= 2 * ROUND_TRIP


def _echo(listening: socket.socket) -> None:
    """Send all bytes of one connection back, until it sends the word "end"."""
    connection, _ = listening.accept()
    connection.settimeout(LIMIT)
    with connection:
        while not (data := connection.recv(65_536)).endswith(b"end"):
            connection.sendall(data)
