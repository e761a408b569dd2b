"""A receiver of webhooks on this device, which gives prepared answers and keeps the requests."""

from __future__ import annotations

import queue
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from lpad.engine.webhooks.delivery_attempt import LIMITS
from lpad.engine.webhooks.endpoint import Endpoint, EndpointUrl
from lpad.engine.webhooks.signing_keys import HmacKey
from lpad.remote.https.connection import HttpsConnection
from lpad.remote.https.proxy_and_interface import Route
from lpad.remote.trust.trust_anchors import Trust

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping

LONG = 120.0
"""The longest time in seconds that a test waits for an event or a request."""
SECRET = b"lpad's own secret of some length"


@dataclass(frozen=True)
class Got:
    """One received request, with its unchanged body and its header names in lower case."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Answer:
    """The receiver's answer: a status and headers, or `raw` bytes; the event `until` delays it."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    raw: bytes | None = None
    until: threading.Event | None = None


class Receiver(ThreadingHTTPServer):
    """An HTTP server that gives the answers in `answers` in order, and 204 once they are used up."""

    daemon_threads = True

    def __init__(self, *answers: Answer, context: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.context = context
        self.answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        for each in answers:
            self.answers.put(each)
        self.got: queue.SimpleQueue[Got] = queue.SimpleQueue()
        self.port: int = self.server_address[1]

    def url(self, path: str = "/lpad") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def take(self) -> Got:
        """Wait for the next request and return it."""
        return self.got.get(timeout=LONG)

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is None:
            super().finish_request(request, client_address)
            return
        try:
            secured = self.context.wrap_socket(request, server_side=True)
        except OSError:
            return
        with secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore the error, because some tests cut the sender off."""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = Answer() if self.server.answers.empty() else self.server.answers.get()
        self.server.got.put(Got(self.path, headers, body))
        if answer.until is not None:
            answer.until.wait(LONG)
        if answer.raw is not None:
            self.wfile.write(answer.raw)
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Write nothing to standard error."""


def open_plain(url: EndpointUrl) -> HttpsConnection:
    """Open a connection to a receiver on this device, with the limits of the daemon."""
    return HttpsConnection(
        url.server,
        trust=Trust(use_system_roots=False),
        route=Route(),
        limits=LIMITS,
        only_status=True,
        encrypted=url.encrypted,
    )


def endpoint(receiver: Receiver | str, name: str = "backend", **settings: Any) -> Endpoint:
    """Return an endpoint with a receiver's or the given address; by default, SECRET signs requests."""
    url = receiver if isinstance(receiver, str) else receiver.url()
    given: dict[str, Any] = {"keys": (HmacKey(SECRET),), "open": open_plain, **settings}
    return Endpoint(name=name, url=EndpointUrl.parse(url), **given)


@contextmanager
def holding() -> Iterator[threading.Event]:
    """Yield an event on which answers can wait; it is set when the block ends, even by an exception."""
    event = threading.Event()
    try:
        yield event
    finally:
        event.set()
