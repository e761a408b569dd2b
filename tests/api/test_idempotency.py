"""Idempotency keys over the socket, and the client, which adds them to its requests."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Self

import pytest

from engine.lab import CARD
from lpad.client import Client, DaemonUnreachable

if TYPE_CHECKING:
    from pathlib import Path

    from api.gateway import Gateway

EUICC = f"/v1/euiccs/{CARD}"


def test_a_repeated_post_starts_nothing_twice(gateway: Gateway) -> None:
    """A repeated request gets the same change, marked as repeated; another with the same key gets 422."""
    body = {"activation_code": gateway.lab.code(gateway.lab.order())}
    headers = {"Idempotency-Key": "5f0c"}
    first = gateway.http.post(f"{EUICC}/downloads", json=body, headers=headers)
    assert first.status_code == 202
    assert "idempotent-replayed" not in first.headers
    again = gateway.http.post(f"{EUICC}/downloads?wait=120", json=body, headers=headers)
    assert (again.status_code, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.json()["id"] == first.json()["id"]
    other = gateway.http.post(f"{EUICC}/downloads", json=body | {"confirm": True}, headers=headers)
    assert (other.status_code, other.json()["kind"]) == (422, "idempotency-key-reused")
    assert other.json()["details"] == {"change": first.json()["id"]}
    assert len(gateway.get("/v1/changes")["changes"]) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "\u00e9", "a\tb"])
def test_an_invalid_key_is_refused(gateway: Gateway, key: str) -> None:
    """A header that cannot be a key is refused before anything is done."""
    headers = {"Idempotency-Key": key.encode()}
    response = gateway.http.post(f"{EUICC}/refresh", headers=headers)  # type: ignore[arg-type]  # bytes will do
    assert (response.status_code, response.json()["kind"]) == (400, "invalid-value")
    assert gateway.get("/v1/changes")["changes"] == []


class Lossy:
    """A proxy between client and daemon that loses the first answers."""

    def __init__(self, path: Path, daemon: Path, *, losses: int) -> None:
        self.path = path
        self.requests: list[bytes] = []
        self._daemon = daemon
        self._losses = losses
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(30)

    def _run(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with client, socket.socket(socket.AF_UNIX) as daemon:
                daemon.connect(str(self._daemon))
                request = client.recv(65536)
                self.requests.append(request)
                daemon.sendall(request)
                answer = daemon.recv(65536)
                while not answer.endswith(b"}"):  # The head and the body arrive separately.
                    answer += daemon.recv(65536)
                if len(self.requests) > self._losses:
                    client.sendall(answer)


def test_the_client_repeats_after_a_lost_answer(gateway: Gateway) -> None:
    """The client repeats a request once, with the same key; lpad carries it out once, without an error."""
    with (
        Lossy(gateway.lab.folder / "lossy", gateway.path, losses=1) as lossy,
        Client(str(lossy.path)) as client,
    ):
        change = client.refresh(CARD)
    assert len(lossy.requests) == 2
    assert lossy.requests[0] == lossy.requests[1]
    assert [each["id"] for each in gateway.get("/v1/changes")["changes"]] == [change.id]


def test_the_client_gives_up_after_the_second_loss(gateway: Gateway) -> None:
    """A daemon that never answers counts as unreachable; requests that must not be repeated are sent once."""
    with (
        Lossy(gateway.lab.folder / "lossy", gateway.path, losses=9) as lossy,
        Client(str(lossy.path)) as client,
    ):
        with pytest.raises(DaemonUnreachable):
            client.refresh(CARD)
        assert len(lossy.requests) == 2
        with pytest.raises(DaemonUnreachable):
            client.cancel(1)
        assert len(lossy.requests) == 3
