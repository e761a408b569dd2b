"""A backend that receives the device's events, checks each signature, and keeps the events."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from lpad.base.errors import InvalidValue
from lpad.provisioning.desk_callback_signatures import Callback, verify

SECRET = "whsec_" + base64.b64encode(b"the secret of a device for trials").decode()


@dataclass(frozen=True, slots=True)
class Reported:
    """One event as it arrived."""

    sequence: int
    id: str
    type: str
    change: int | None


class WebhookReceiver(ThreadingHTTPServer):
    """A server on a loopback address; use it in a `with` statement."""

    daemon_threads = True

    def __init__(self, host: str) -> None:
        """Listen on a free port.

        Args:
            host: loopback address to listen on.
        """
        super().__init__((host, 0), _Handler)
        self._lock = threading.Lock()
        self._reported: list[Reported] = []
        self.unsigned = 0
        """The number of requests with a wrong signature."""
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    @property
    def reported(self) -> list[Reported]:
        """The events in the order of arrival, including repeated ones."""
        with self._lock:
            return list(self._reported)

    def take(self, callback: Callback) -> None:
        """Keep a request's event if the signature is right; otherwise only count the request."""
        try:
            verify("standard-webhooks", callback, secret=SECRET)
        except InvalidValue:
            self.unsigned += 1
            return
        event: dict[str, Any] = json.loads(callback.body)
        with self._lock:
            self._reported.append(
                Reported(int(event["sequence"]), event["id"], event["type"], event["data"].get("change"))
            )

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore broken connections, because a cut may interrupt a request."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: WebhookReceiver

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:  # a cut interrupted the request
            self.close_connection = True
            return
        self.server.take(Callback("POST", self.path, dict(self.headers.items()), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Log nothing."""
