"""The daemon's API in this process: a real engine behind a real server on a real Unix socket."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self

import httpx

from lpad.api.app import make_app
from lpad.api.request.roles import AccessRules
from lpad.api.server.server import ApiServer, listen, serve

if TYPE_CHECKING:
    from engine.lab import Lab

PATIENCE = 120.0


class Gateway:
    """A context manager that serves the API of a lab's engine, and stops the server at its end."""

    def __init__(self, lab: Lab, *, rules: AccessRules | None = None) -> None:
        self.lab = lab
        self.path = lab.folder / "lpad.sock"
        self._listening = threading.Event()
        closing = asyncio.Event()
        self.app = make_app(lab.engine, rules or AccessRules(), closing)
        self.server = ApiServer(
            self.app,
            closing,
            on_listening=self._listening.set,
        )
        sockets = [listen(self.path, mode=0o666)]
        self._thread = threading.Thread(target=serve, args=(self.server, sockets))
        self.http = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(self.path)), base_url="http://lpad", timeout=PATIENCE
        )

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.stop()

    def stop(self) -> None:
        self.server.stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    def get(self, path: str) -> Any:
        response = self.http.get(path)
        assert response.status_code == 200, response.text
        return response.json()

    def await_health(self) -> None:
        """Wait until the server reports good health, which requires that the card was read."""
        self.lab.until(lambda: self.get("/v1/system")["health"]["ok"], bool)
