"""Reachability checks: whether the network reaches a host, optionally through one interface.

SO_BINDTODEVICE keeps a socket on its interface regardless of the routes; since Linux 5.7 it needs no
privilege. Binding to the interface's address would not suffice: the default route may still use another
interface, and a check over the wrong interface is worse than none.
"""

from __future__ import annotations

import errno
import re
import secrets
import socket
import ssl
import struct
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError, ServerMalformed, ServerUnreachable
from lpad.base.guard_condition import ConditionKind
from lpad.base.untrusted_number import matched_number
from lpad.remote.https.answer_head_filter import AnswerHead
from lpad.remote.sockets.address_order import MEMORY
from lpad.remote.sockets.happy_eyeballs import LookUpError, connect
from lpad.remote.sockets.socket_waiting import READABLE, Waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lpad.base.deadline import Deadline
    from lpad.base.guard_condition import Condition
    from lpad.remote.sockets.happy_eyeballs import Connected

_PATIENCE_PER_QUERY = 5.0
_SILENCE_WITH_OTHERS = 5.0
"""Seconds without progress at an address that accepted the connection, if the name has other addresses."""
_MOST_RESOLVERS = 3
"""The number of servers in /etc/resolv.conf that the system's resolver queries (resolv.conf(5))."""
_AT_ONCE = 4096
"""The maximum number of bytes that are read at a time; only the head of an answer is needed."""
_RESOLVERS = Path("/etc/resolv.conf")
_DNS_HEADER = struct.Struct(">6H")
_RECURSION_DESIRED = 0x0100
_ADDRESS, _INTERNET = 1, 1
_NO_SUCH_NAME = 3


def reach(condition: Condition, *, deadline: Deadline) -> str:
    """Carry out a reachability check and return the result as text.

    Args:
        condition: a condition of a kind in REACHABILITY_CHECKS.
        deadline: the time limit for name resolution, connection, request and answer.

    Raises:
        ServerUnreachable: no connection, or no answer in time.
        ServerMalformed: the answer is not the required one, or the certificate is not trusted.
        Cancelled: another thread ends the wait.
    """
    return REACHABILITY_CHECKS[condition.kind](condition, Waiting(deadline))


class _Reached:
    """A connection of a reachability check."""

    def __init__(self, condition: Condition, waiting: Waiting) -> None:
        self._condition = condition
        made = _connected(condition, waiting)
        self._to = made.address.to
        # If this address is silent, time must be left for the next attempt, at the name's other addresses.
        self._waiting = Waiting(waiting.deadline, silence=_SILENCE_WITH_OTHERS) if made.others else waiting
        self._stream = made.socket

    def secure(self) -> None:
        """Make the TLS handshake."""
        context = ssl.create_default_context()
        try:
            tls = context.wrap_socket(
                self._stream, server_hostname=self._condition.host, do_handshake_on_connect=False
            )
            self._stream = tls
            self._waiting.shake_hands(tls)
        except ssl.SSLCertVerificationError as error:
            raise ServerMalformed(
                f"{self._condition.host}: its certificate is not trusted: {error.verify_message}"
            ) from error
        except OSError as error:
            raise self._failed(error) from error

    def ask(self) -> str:
        """Send the request; return the status of the answer as text, or raise an error for a wrong status."""
        condition = self._condition
        request = (
            f"GET {condition.path} HTTP/1.1\r\nHost: {condition.host}\r\nUser-Agent: lpad\r\n"
            "Accept: */*\r\nConnection: close\r\n\r\n"
        )
        try:
            self._waiting.send(self._stream, request.encode("ascii"))
            answer = self._head()
        except OSError as error:
            raise self._failed(error) from error
        match = re.match(rb"HTTP/1\.[01] ([0-9]{3})\b", answer)
        if match is None:
            raise ServerMalformed(f"{condition.host}: its answer is not HTTP")
        status = matched_number(match[1])
        if status != condition.status and not (condition.status is None and 200 <= status < 300):
            raise ServerMalformed(f"{condition.host}: HTTP status {status}")
        return f"HTTP status {status}"

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def _head(self) -> bytes:
        """Return the beginning of the answer, without informational heads."""
        head = AnswerHead()
        try:
            while True:
                received = self._waiting.receive(self._stream, _AT_ONCE)
                readable = head.feed(received) if received else head.rest()
                if readable or not received:
                    return readable
        except MalformedError as error:
            raise ServerMalformed(f"{self._condition.host}: its answer is not HTTP: {error}") from error

    def _failed(self, error: OSError) -> ServerUnreachable:
        if isinstance(error, TimeoutError):
            MEMORY.avoid(self._to, interface=self._condition.interface)
        return _failed(self._condition, error)


def _tcp(condition: Condition, waiting: Waiting) -> str:
    with closing(_Reached(condition, waiting)):
        return "connected"


def _http(condition: Condition, waiting: Waiting) -> str:
    with closing(_Reached(condition, waiting)) as reached:
        return reached.ask()


def _https(condition: Condition, waiting: Waiting) -> str:
    with closing(_Reached(condition, waiting)) as reached:
        reached.secure()
        return reached.ask()


def _dns(condition: Condition, waiting: Waiting) -> str:
    servers = [condition.host] if condition.host else _system_resolvers()
    failure: ServerUnreachable | ServerMalformed | None = None
    for server in servers:
        try:
            return _resolved(condition, server, Waiting(waiting.deadline.within(_PATIENCE_PER_QUERY)))
        except (ServerUnreachable, ServerMalformed) as error:
            failure = error
    raise failure or ServerUnreachable(f"{condition.name}: {_RESOLVERS} lists no name server")


def _resolved(condition: Condition, server: str, waiting: Waiting) -> str:
    number = secrets.randbits(16)
    labels = b"".join(bytes([len(label)]) + label.encode("ascii") for label in condition.name.split("."))
    question = labels + struct.pack(">x2H", _ADDRESS, _INTERNET)
    query = _DNS_HEADER.pack(number, _RECURSION_DESIRED, 1, 0, 0, 0) + question
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            server, condition.port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0]
        with socket.socket(family, kind, protocol) as udp:
            _bind(udp, condition)
            udp.setblocking(False)
            udp.connect(address)
            udp.send(query)
            until = waiting.step()
            while True:
                if not waiting.poll({udp.fileno(): READABLE}, until=until):
                    raise TimeoutError
                answer = udp.recv(4096)
                if answer[12 : 12 + len(question)].lower() == question.lower() and answer[:2] == query[:2]:
                    break
    except OSError as error:
        raise _failed(condition, error, server) from error
    _, flags, _, answers, _, _ = _DNS_HEADER.unpack_from(answer)
    code = flags & 0x0F
    if code or not answers:
        said = "no such name" if code == _NO_SUCH_NAME else f"code {code}" if code else "no address"
        raise ServerMalformed(f"{condition.name}: the name server {server} says: {said}")
    return f"{answers} answers"


def _system_resolvers() -> list[str]:
    try:
        lines = _RESOLVERS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    named = [parts[1] for line in lines if (parts := line.split())[:1] == ["nameserver"] and len(parts) > 1]
    return named[:_MOST_RESOLVERS]


def _connected(condition: Condition, waiting: Waiting) -> Connected:
    try:
        return connect(
            condition.host,
            condition.port,
            waiting=waiting,
            prepare=partial(_bind, condition=condition),
            interface=condition.interface,
        )
    except LookUpError as error:
        cause = error.__cause__
        raise _failed(condition, cause if isinstance(cause, OSError) else error) from error
    except OSError as error:
        raise _failed(condition, error) from error


def _bind(made: socket.socket, condition: Condition) -> None:
    if condition.interface is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, condition.interface.encode() + b"\0")


def _failed(condition: Condition, error: OSError, server: str | None = None) -> ServerUnreachable:
    if isinstance(error, TimeoutError):
        why = "no answer in time"
    elif error.errno == errno.ENODEV:
        why = f"there is no interface {condition.interface}"
    elif error.errno == errno.EPERM and condition.interface is not None:
        why = f"lpad may not bind to {condition.interface}: it needs Linux 5.7 or the capability CAP_NET_RAW"
    else:
        why = str(error.strerror or "closed by the server").lower()
    return ServerUnreachable(f"{server or condition.host}: {why}")


REACHABILITY_CHECKS: Mapping[ConditionKind, Callable[[Condition, Waiting], str]] = {
    ConditionKind.TCP: _tcp,
    ConditionKind.HTTP: _http,
    ConditionKind.HTTPS: _https,
    ConditionKind.DNS: _dns,
}
"""The reachability check for each kind of condition that uses the network."""
