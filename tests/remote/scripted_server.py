"""A small HTTPS server that sends the answers of a test, and counts connections and handshakes."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lpad.simulator.pki.credential import Credential

SUCCESS = b'{"header":{"functionExecutionStatus":{"status":"Executed-Success"}}}'


@dataclass(frozen=True)
class Seen:
    """One received request."""

    path: str
    headers: Mapping[str, str]
    fields: Mapping[str, Any]
    connection: int


@dataclass(frozen=True)
class Reply:
    """One answer; `raw` replaces the whole answer, and without `keep` the connection is closed after it."""

    status: int = 200
    body: bytes = SUCCESS
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    keep: bool = True


class ScriptedServer(ThreadingHTTPServer):
    """A server that answers each request with the result of `answer`."""

    daemon_threads = True

    def __init__(
        self,
        answer: Callable[[Seen], Reply],
        credential: Credential,
        folder: Path,
        *,
        chain: tuple[Credential, ...] = (),
        version: ssl.TLSVersion | None = None,
        curve: str | None = None,
        weak: bool = False,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answer = answer
        self.seen: list[Seen] = []
        self.connects = 0
        self.below_tls: Callable[[socket.socket], None] | None = None
        """If set, it is called with each connection in place of TLS and HTTP."""
        self.handshakes = 0
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if weak:
            self.context.set_ciphers("ALL:@SECLEVEL=0")
        pem = folder / "server.pem"
        pem.write_bytes(
            b"".join(one.certificate.public_bytes(Encoding.PEM) for one in (credential, *chain))
            + credential.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        self.context.load_cert_chain(pem)
        if version:
            self.context.maximum_version = version
        if curve:
            self.context.set_ecdh_curve(curve)
        self.port: int = self.server_address[1]

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Make the TLS handshake in the connection's own thread, and count it."""
        self.connects += 1
        if self.below_tls:
            self.below_tls(request)
            return
        try:
            secured = self.context.wrap_socket(request, server_side=True)
        except OSError:
            return
        self.handshakes += 1
        with secured:
            super().finish_request(secured, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore the error, because clients disconnect in some tests."""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.shutdown()
        self.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        seen = Seen(self.path, dict(self.headers.items()), json.loads(body), id(self))
        self.server.seen.append(seen)
        reply = self.server.answer(seen)
        if reply.raw is not None:
            self.wfile.write(reply.raw)
        else:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.status != 204:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body if reply.status != 204 else b"")
        if not reply.keep:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Write nothing to standard error."""
