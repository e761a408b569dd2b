"""TCP and TLS under one deadline: however slowly a server drips, the whole request ends in time.

A timeout per read, which is all that httpcore itself has, starts anew with every byte. Here each wait is
what remains of the request's deadline. Failures leave as lpad's own errors.
"""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

import httpcore

from lpad.base.deadline import Deadline
from lpad.base.errors import LpadError, ServerUnreachable
from lpad.remote.https.addresses import look_up

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.base.server_address import ServerAddress
    from lpad.remote.https.route import Route
    from lpad.remote.trust.handshakes import Handshakes

# A name often has an IPv6 address that leads nowhere; the next address must get its turn.
_PATIENCE_PER_ADDRESS = 15.0

# The caller may think about an offer for minutes; a mobile network's NAT forgets an idle connection
# sooner, and a request into the void would cost the whole deadline.
_KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)


class HandshakeAgain(Exception):
    """The handshake failed, and another one on a new connection may not; nothing was sent."""


class HandshakeSucceeded(Exception):
    """The handshake verified the server, and no more was wanted."""


class TimedBackend(httpcore.NetworkBackend):
    """What httpcore connects through; `deadline` is set before each request."""

    def __init__(self, server: ServerAddress, *, handshakes: Handshakes, route: Route) -> None:
        self.deadline = Deadline.after(0)
        self.server = server
        self.handshakes = handshakes
        self.only_handshake = False  # whether to go no further than that
        self._route = route
        self.connects = 0
        self.ended = False  # whether the server has closed the latest connection

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  the deadline stands in its place
        local_address: str | None = None,  # noqa: ARG002  never set
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002  never set
    ) -> TimedStream:
        """Resolve and connect, trying each address that the name has.

        Raises:
            ServerUnreachable: none of them answers.
        """
        return TimedStream(self.connect(*self._route.hosts.resolve(host, port)), self)

    def connect(self, host: str, port: int) -> socket.socket:
        """Return a connected socket."""
        last: OSError | None = None
        for family, kind, protocol, _, address in self._addresses(host, port):
            wait = self.deadline.within(_PATIENCE_PER_ADDRESS).remaining()
            if not wait:
                break
            try:
                connected = socket.socket(family, kind, protocol)
            except OSError as error:
                last = error
                continue
            self._route.bind(connected, server=self.server)
            try:
                connected.settimeout(wait)
                connected.connect(address)
                for option in _KEEP_ALIVE:
                    connected.setsockopt(*option)
            except OSError as error:
                connected.close()
                last = error
                continue
            self.connects += 1
            return connected
        why = "no answer in time" if last is None or isinstance(last, TimeoutError) else last.strerror
        raise ServerUnreachable(
            f"can't connect to {self._described(host)}: {str(why).lower()}; check the address, "
            "and the network's state"
        ) from last

    def _described(self, host: str) -> str:
        proxy = self._route.proxy
        if proxy is not None and host == proxy.address.host:
            return f"the proxy {proxy.address} for {self.server}"
        return str(self.server)

    def _addresses(self, host: str, port: int) -> list[Any]:
        try:
            return look_up(host, port, deadline=self.deadline)
        except OSError as error:
            why = "no answer in time" if isinstance(error, TimeoutError) else str(error.strerror).lower()
            raise ServerUnreachable(
                f"can't look up {self._described(host)}: {why}; check the address and the network's name"
                " server"
            ) from error


class TimedStream(httpcore.NetworkStream):
    """One connection."""

    def __init__(self, connected: socket.socket, backend: TimedBackend) -> None:
        self._socket = connected
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  see connect_tcp
        """Return the next bytes; none at the end.

        Raises:
            ServerUnreachable: the deadline passed, or the connection broke.
        """
        try:
            self._socket.settimeout(self._remaining())
            received = self._socket.recv(max_bytes)
        except TimeoutError as error:
            raise self._late() from error
        except OSError as error:
            raise self._broken(error) from error
        self._backend.ended = not received
        return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  see connect_tcp
        """Send all of `buffer`.

        Raises:
            ServerUnreachable: the deadline passed.
            httpcore.WriteError: the connection broke; httpcore then still reads what the server had to say.
        """
        try:
            while buffer:
                self._socket.settimeout(self._remaining())
                buffer = buffer[self._socket.send(buffer) :]
        except TimeoutError as error:
            raise self._late() from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,  # noqa: ARG002  the backend's handshakes know which one is due
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  see connect_tcp
    ) -> TimedStream:
        """Shake hands.

        Raises:
            ServerUntrusted: the server is not who it should be, or TLS can't be agreed on.
            HandshakeAgain: it might be with another handshake.
            ServerUnreachable: the deadline passed, or the connection broke.
        """
        handshakes = self._backend.handshakes
        try:
            self._socket.settimeout(self._remaining())
            # Shaken below: where it fails within wrap_socket, the server's chain is lost with the socket.
            tls = handshakes.context().wrap_socket(
                self._socket,
                server_hostname=server_hostname or self._backend.server.host,
                do_handshake_on_connect=False,
            )
        except (OSError, ValueError) as error:
            self._socket.close()
            raise self._failure(error) from error
        try:
            tls.do_handshake()
            handshakes.succeeded(tls)
        except (ssl.SSLEOFError, ssl.SSLSyscallError, ssl.SSLZeroReturnError) as error:
            tls.close()
            raise self._broken(error) from error
        except ssl.SSLError as error:
            untrusted = handshakes.failed(error, tls)
            tls.close()
            raise (HandshakeAgain() if untrusted is None else untrusted) from error
        except OSError as error:
            tls.close()
            raise self._failure(error) from error
        except LpadError:
            tls.close()
            raise
        if self._backend.only_handshake:
            tls.close()
            raise HandshakeSucceeded
        return TimedStream(tls, self._backend)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:
        """Answer httpcore's question before a connection is used again: whether the server has closed it."""
        if info == "is_readable":
            return self._has_news()
        return None

    def _has_news(self) -> bool:
        """Whether bytes wait on an idle connection, which can only be the server's goodbye."""
        if self._socket.fileno() < 0:
            return True
        self._socket.setblocking(False)
        try:
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        return True

    def _remaining(self) -> float:
        """Return the seconds left; 0 would mean non-blocking to a socket."""
        remaining = self._backend.deadline.remaining()
        if not remaining:
            raise TimeoutError
        return remaining

    def _failure(self, error: OSError | ValueError) -> ServerUnreachable:
        return self._late() if isinstance(error, TimeoutError) else self._broken(error)

    def _late(self) -> ServerUnreachable:
        return ServerUnreachable(
            f"{self._backend.server} did not answer in time; try again, with more time on a slow network"
        )

    def _broken(self, error: OSError | ValueError) -> ServerUnreachable:
        why = (getattr(error, "strerror", None) or "closed by the server").lower()
        return ServerUnreachable(f"the connection to {self._backend.server} broke: {why}; try again later")
