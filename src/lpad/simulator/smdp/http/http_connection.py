"""HTTP/1.1 on one connection, for all simulated servers: requests are read whole, by length or in chunks."""

from __future__ import annotations

import logging
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, NoReturn

from lpad.base.untrusted_number import hexadecimal_number, whole_number
from lpad.simulator.smdp.http.listener import cut

if TYPE_CHECKING:
    import ssl

WEB_PAGE = b"<!doctype html><title>Log in</title><p>Please log in to use this network."
"""A captive portal's page."""
_log = logging.getLogger(__name__)
_LARGEST_REQUEST = 1 << 20
_LONGEST_CHUNK_LINE = 1024


class Dropped(ConnectionError):
    """A fault requires the server to cut the connection."""


class HttpConnection(BaseHTTPRequestHandler):
    """Serves one connection until the client closes it; subclasses have a method for each HTTP method."""

    protocol_version = "HTTP/1.1"
    server_version = "lpad-simulator"
    sys_version = ""
    wbufsize = -1  # one write, and so one TLS record, for headers and body

    def __init__(self, connection: ssl.SSLSocket, server: object) -> None:
        """Serve `connection` for `server`, and return when it is closed."""
        super().__init__(connection, connection.getpeername(), server)  # type: ignore[arg-type]  # only stored as `self.server`

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's own name
        """Log at debug level; subclasses log requests by name."""
        _log.debug(format, *args)

    def read_body(self) -> bytes | HTTPStatus:
        """Return the request's body, or the answer's status if the body is unreadable or too long."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._read_chunks()
        length = whole_number(self.headers.get("Content-Length", "0"), most=_LARGEST_REQUEST)
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE if length is None else self.rfile.read(length)

    def drop(self) -> NoReturn:
        """Cut the connection instead of answering.

        Raises:
            Dropped: always.
        """
        cut(self.connection)
        raise Dropped

    def _read_chunks(self) -> bytes | HTTPStatus:
        body = b""
        while size := self._chunk_size():
            if size < 0:
                return HTTPStatus.BAD_REQUEST
            if len(body) + size > _LARGEST_REQUEST:
                return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            body += self.rfile.read(size)
            self.rfile.readline(_LONGEST_CHUNK_LINE)
        while self.rfile.readline(_LONGEST_CHUNK_LINE).strip():
            pass
        return body

    def _chunk_size(self) -> int:
        """Return the size of the next chunk, or -1 if it is invalid."""
        told = self.rfile.readline(_LONGEST_CHUNK_LINE).split(b";")[0].strip()
        size = hexadecimal_number(told.decode("ascii", "replace"))
        return -1 if size is None else size
