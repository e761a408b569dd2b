"""The server's certificates during a handshake: after they have arrived, before OpenSSL verifies them.

OpenSSL looks for anchors only when it has the whole Certificate message. Anchors that are added to the
context when that message arrives count in the same handshake, so a server that only the card confirms needs
no second handshake.

Python's hook for messages, `SSLContext._msg_callback`, is private and meant for debugging. Safety does not
depend on the hook: if it is missing, or does not see the message, the handshake has no anchor and fails, and
the next handshake is made without the hook.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING, Any

from lpad.base.errors import MalformedError

if TYPE_CHECKING:
    from collections.abc import Callable

CAN_WATCH = isinstance(getattr(ssl.SSLContext, "_msg_callback", None), property)
"""Whether this Python has the hook; versions 3.8 to 3.14 have it."""

_HANDSHAKE = 22
_CERTIFICATE = 11
_HEADER = 4
"""The number of bytes of a handshake message before its body: type and length (RFC 8446, 4)."""


def watch(context: ssl.SSLContext, arrived: Callable[[list[bytes]], None]) -> None:
    """Call `arrived` with the server's certificates once they have arrived, before they are verified.

    Args:
        context: the TLS context of a single handshake.
        arrived: a function that receives DER, the server's own certificate first, all unverified; not called
            for a message that cannot be read.
    """

    def saw(_: Any, direction: str, version: int, content: int, message: int, data: bytes) -> None:
        if direction == "read" and content == _HANDSHAKE and message == _CERTIFICATE:
            with contextlib.suppress(MalformedError):
                arrived(certificates(data, tls_1_3=version >= ssl.TLSVersion.TLSv1_3))

    vars(ssl.SSLContext)["_msg_callback"].__set__(context, saw)


def unwatch(context: ssl.SSLContext) -> None:
    """Remove the callback of a TLS context, which would otherwise be called for every TLS record."""
    if CAN_WATCH:
        vars(ssl.SSLContext)["_msg_callback"].__set__(context, None)


def certificates(message: bytes, *, tls_1_3: bool) -> list[bytes]:
    """Return the certificates in a Certificate message (RFC 8446, 4.4.2; RFC 5246, 7.4.2), DER.

    Args:
        message: with its header of 4 bytes.
        tls_1_3: whether the message has a request context, and extensions after each certificate.

    Raises:
        MalformedError: a length does not fit.
    """
    rest = message[_HEADER:]
    if tls_1_3:
        _, rest = _vector(rest, length=1)
    rest, after = _vector(rest, length=3)
    if after:
        raise MalformedError("a Certificate message has bytes after its list")
    found = []
    while rest:
        certificate, rest = _vector(rest, length=3)
        if tls_1_3:
            _, rest = _vector(rest, length=2)
        found.append(certificate)
    return found


def _vector(data: bytes, *, length: int) -> tuple[bytes, bytes]:
    """Read a number from `length` bytes; return that many following bytes, and the bytes after them."""
    end = length + int.from_bytes(data[:length])
    if len(data) < end:
        raise MalformedError("a Certificate message is shorter than its lengths say")
    return data[length:end], data[end:]
