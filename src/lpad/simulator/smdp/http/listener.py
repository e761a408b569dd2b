"""An HTTPS listener with a thread for each kept-alive connection, and without polling."""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from lpad.simulator.pki.credential import Curve

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.simulator.pki.credential import Credential
    from lpad.simulator.smdp.http.traffic_counters import Counters

_HANDSHAKE_SECONDS = 20.0
_IDLE_SECONDS = 600.0
_JOIN_SECONDS = 5.0


def tls_context(credential: Credential) -> ssl.SSLContext:
    """Return a server's TLS context for TLS 1.2 or later, which presents `credential`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if credential.curve is Curve.BRAINPOOL:  # RFC 8446 has no code points for brainpool
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    # The ssl module reads keys only from files; the folder is private (0700) and removed immediately.
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Path(folder, "certificate.pem"), Path(folder, "key.pem")
        certificate.write_bytes(credential.certificate.public_bytes(Encoding.PEM))
        key.write_bytes(
            credential.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        )
        context.load_cert_chain(certificate, key)
    return context


class HttpsListener:
    """Accepts connections, and passes each after the TLS handshake to `serve` in its own thread."""

    def __init__(
        self,
        address: tuple[str, int],
        *,
        context: Callable[[], ssl.SSLContext],
        serve: Callable[[ssl.SSLSocket], None],
        counters: Counters,
    ) -> None:
        """Bind to an address; port 0 selects a free port.

        Args:
            address: IP address and port to listen on.
            context: a function that returns the TLS context of a connection; its certificate may change.
            serve: a function that handles HTTP until the peer closes the connection; may raise OSError.
            counters: counts connections and handshakes.

        Raises:
            OSError: the port is in use.
        """
        self._listener = socket.create_server(address, backlog=64)
        self._context = context
        self._serve = serve
        self._counters = counters
        self._lock = threading.Lock()
        self._connections: dict[threading.Thread, socket.socket] = {}
        self._stopped = False
        self._acceptor = threading.Thread(target=self._accept, name="sm-dp+ accepts", daemon=True)

    @property
    def port(self) -> int:
        """The port on which the listener accepts connections."""
        port: int = self._listener.getsockname()[1]
        return port

    def start(self) -> None:
        """Begin to accept connections."""
        self._acceptor.start()

    def stop(self) -> None:
        """Stop accepting and cut the open connections."""
        with self._lock:
            self._stopped = True
            connections = list(self._connections.items())
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept(); close() alone would not
        self._acceptor.join(_JOIN_SECONDS)
        self._listener.close()
        for thread, connection in connections:
            cut(connection)
            thread.join(_JOIN_SECONDS)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._counters.connected()
            thread = threading.Thread(
                target=self._converse, args=(connection,), name="sm-dp+ connection", daemon=True
            )
            with self._lock:
                if self._stopped:
                    connection.close()
                    return
                self._connections[thread] = connection
            thread.start()

    def _converse(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(_HANDSHAKE_SECONDS)
            # The handshake waits until stop() can find the wrapped socket; wrapping detaches the original.
            with self._context().wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            ) as secured:
                with self._lock:
                    if self._stopped:
                        return
                    self._connections[threading.current_thread()] = secured
                secured.do_handshake()
                self._counters.shook_hands()
                secured.settimeout(_IDLE_SECONDS)
                self._serve(secured)
        except OSError:  # the peer left or did not trust the server, which is not an error here
            pass
        finally:
            connection.close()
            with self._lock:
                self._connections.pop(threading.current_thread(), None)


def cut(connection: socket.socket) -> None:
    """Cut a connection in use, without closing TLS."""
    with contextlib.suppress(OSError):
        # SSLSocket.shutdown would drop the TLS state while another thread reads through it.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
