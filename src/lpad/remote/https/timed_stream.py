"""TCP and TLS for httpcore: a wait ends at the request's deadline, after long silence, or if cancelled.

httpcore itself only has a timeout per read, which restarts with every byte. Failures are raised as lpad's own
errors.
"""

from __future__ import annotations

import errno
import socket
import ssl
from functools import partial
from typing import TYPE_CHECKING, Any

import httpcore

from lpad.base.deadline import Deadline
from lpad.base.error_details.server_and_platform import UnreachedDetails
from lpad.base.errors import LpadError, MalformedError, ServerMalformed, ServerUnreachable
from lpad.remote.https.answer_head_filter import AnswerHead
from lpad.remote.sockets.address_order import MEMORY
from lpad.remote.sockets.happy_eyeballs import LookUpError, connect
from lpad.remote.sockets.socket_waiting import SilenceError, Waiting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.base.server_address import ServerAddress
    from lpad.remote.https.proxy_and_interface import Route
    from lpad.remote.sockets.happy_eyeballs import Connected
    from lpad.remote.trust.next_handshake import Handshakes

_HANDSHAKE_WITH_OTHERS = 10.0
"""Seconds without progress in a handshake if the name has other addresses to try."""

# The caller may take minutes to decide on an offer. A mobile network's NAT forgets an idle connection
# sooner, and a request on a dead connection would cost the whole deadline.
_KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
)


class HandshakeAgain(Exception):
    """The handshake failed or does not count; another connection may succeed. Nothing was sent yet."""


class HandshakeSucceeded(Exception):
    """The handshake verified the server, and `only_handshake` requests no more."""


class TimedBackend(httpcore.NetworkBackend):
    """Makes httpcore's connections; `waiting` is set before each request."""

    def __init__(self, server: ServerAddress, *, handshakes: Handshakes, route: Route) -> None:
        self.waiting = Waiting(Deadline.after(0))
        self.server = server
        self.handshakes = handshakes
        self.only_handshake = False  # whether to stop after the handshake
        self._route = route
        self.connects = 0
        self.ended = False  # whether the server has closed the latest connection

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  `waiting` replaces the timeout
        local_address: str | None = None,  # noqa: ARG002  lpad does not use this argument
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002  lpad does not use this argument
    ) -> TimedStream:
        """Resolve a host, and connect to the first address that answers.

        Raises:
            ServerUnreachable: the host has no known address, or no address answers.
            Cancelled: another thread ends the wait.
        """
        whom = self._described(host)
        try:
            connected = connect(
                *self._route.hosts.resolve(host, port),
                waiting=self.waiting,
                prepare=partial(self._route.bind, server=self.server),
                interface=self._route.interface,
            )
        except LookUpError as error:
            cause = error.__cause__
            raise ServerUnreachable(
                f"cannot look up {whom}: {_why(cause)}; check the address and the network's name server",
                **_no_network(cause),
            ) from error
        except OSError as error:
            raise ServerUnreachable(
                f"cannot connect to {whom}: {_why(error)}; check the address, and the network's state",
                **_no_network(error),
            ) from error
        for option in _KEEP_ALIVE:
            connected.socket.setsockopt(*option)
        self.connects += 1
        return TimedStream(connected.socket, self, connected, whom=whom)

    def avoid(self, connected: Connected) -> None:
        """Try an address last the next time, because it accepted the connection and stayed silent."""
        MEMORY.avoid(connected.address.to, interface=self._route.interface)

    def late(self, whom: str, error: TimeoutError) -> ServerUnreachable:
        """Return the error for a wait that has taken too long."""
        if isinstance(error, SilenceError):
            return ServerUnreachable(
                f"{whom} was silent for {self.waiting.silence:.0f} seconds; try again later"
            )
        return ServerUnreachable(
            f"{whom} did not answer in time; try again, with more time on a slow network"
        )

    def _described(self, host: str) -> str:
        proxy = self._route.proxy
        if proxy is not None and host == proxy.address.host:
            return f"the proxy {proxy.address} for {self.server}"
        return str(self.server)


class TimedStream(httpcore.NetworkStream):
    """A connection for httpcore, in clear text or under TLS."""

    def __init__(
        self, stream: socket.socket, backend: TimedBackend, connected: Connected, *, whom: str
    ) -> None:
        self._socket = stream
        self._backend = backend
        self._connected = connected
        self._whom = whom
        self._heard = False
        self._head = AnswerHead()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  see connect_tcp
        """Return the next bytes for HTTP; empty at the end of the connection.

        Raises:
            ServerUnreachable: the deadline passed, the server was silent, or the connection broke.
            ServerMalformed: the head of the server's answer is invalid or endless.
            Cancelled: another thread ends the wait.
        """
        try:
            while True:
                received = self._backend.waiting.receive(self._socket, max_bytes)
                self._backend.ended = not received
                self._heard = self._heard or bool(received)
                readable = self._head.feed(received) if received else self._head.rest()
                if readable or not received:
                    return readable
        except TimeoutError as error:
            if not self._heard:
                self._backend.avoid(self._connected)
            raise self._backend.late(self._whom, error) from error
        except OSError as error:
            raise self._broken(error) from error
        except MalformedError as error:
            raise ServerMalformed(
                f"lpad cannot read the answer of {self._whom} as HTTP: {error}; check the address and the"
                " port"
            ) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  see connect_tcp
        """Send all of `buffer`.

        Raises:
            ServerUnreachable: the deadline passed, or the server accepts nothing.
            Cancelled: another thread ends the wait.
            httpcore.WriteError: the connection broke; httpcore then still reads the server's answer.
        """
        self._head = AnswerHead()
        try:
            self._backend.waiting.send(self._socket, buffer)
        except TimeoutError as error:
            raise self._backend.late(self._whom, error) from error
        except OSError as error:
            raise httpcore.WriteError(str(error)) from error

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,  # noqa: ARG002  the backend's handshakes choose the context
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  see connect_tcp
    ) -> TimedStream:
        """Make the TLS handshake.

        Raises:
            ServerUntrusted: the server's identity is not verified, or no TLS parameters are agreed on.
            HandshakeAgain: another handshake, or another address, may succeed.
            ServerUnreachable: the deadline passed, or the connection broke.
            Cancelled: another thread ends the wait.
        """
        handshakes = self._backend.handshakes
        try:
            # The handshake is made below, because a failure within wrap_socket would lose the server's
            # chain with the socket.
            tls = handshakes.context().wrap_socket(
                self._socket,
                server_hostname=server_hostname or self._backend.server.host,
                do_handshake_on_connect=False,
            )
        except (OSError, ValueError) as error:
            self._socket.close()
            raise self._broken(error) from error
        try:
            self._shake_hands(tls)
            if not handshakes.succeeded(tls):
                tls.close()
                raise HandshakeAgain  # the handlers below are for other errors
        except (ssl.SSLEOFError, ssl.SSLSyscallError, ssl.SSLZeroReturnError) as error:
            tls.close()
            raise self._broken(error) from error
        except ssl.SSLError as error:
            untrusted = handshakes.failed(error, tls)
            tls.close()
            raise (HandshakeAgain() if untrusted is None else untrusted) from error
        except TimeoutError as error:
            tls.close()
            raise self._late_in_handshake(error) from error
        except OSError as error:
            tls.close()
            raise self._broken(error) from error
        except LpadError:
            tls.close()
            raise
        if self._backend.only_handshake:
            tls.close()
            raise HandshakeSucceeded
        return TimedStream(tls, self._backend, self._connected, whom=str(self._backend.server))

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:
        """Report to httpcore, before a connection is used again, whether the server has closed it."""
        if info == "is_readable":
            return self._has_news()
        return None

    def _has_news(self) -> bool:
        """Return whether an idle connection must not be used again: it is closed, or bytes have arrived."""
        if self._socket.fileno() < 0:
            return True
        try:
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        return True

    def _shake_hands(self, tls: ssl.SSLSocket) -> None:
        waiting = self._backend.waiting
        if self._elsewhere:
            patience = min(_HANDSHAKE_WITH_OTHERS, waiting.silence or _HANDSHAKE_WITH_OTHERS)
            waiting = Waiting(waiting.deadline, silence=patience)
        waiting.shake_hands(tls)

    @property
    def _elsewhere(self) -> bool:
        """Whether lpad may try another address of the server; never behind a proxy."""
        return self._connected.others and not self._heard

    def _late_in_handshake(self, error: TimeoutError) -> Exception:
        if not self._heard:
            self._backend.avoid(self._connected)
            if self._elsewhere and not self._backend.waiting.deadline.passed:
                return HandshakeAgain()
        return self._backend.late(str(self._backend.server), error)

    def _broken(self, error: OSError | ValueError) -> ServerUnreachable:
        return ServerUnreachable(f"the connection to {self._whom} broke: {_why(error)}; try again later")


def _no_network(error: BaseException | None) -> UnreachedDetails:
    """Return the cause `no-network` if nothing left this device (no route, no name server); else empty."""
    gone = isinstance(error, OSError) and (
        error.errno == socket.EAI_AGAIN
        if isinstance(error, socket.gaierror)
        else error.errno in (errno.ENETUNREACH, errno.ENETDOWN)
    )
    return UnreachedDetails(cause="no-network") if gone else {}


def _why(error: BaseException | None) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (getattr(error, "strerror", None) or "closed by the server").lower()
