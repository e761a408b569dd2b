"""The messages between the daemon and the port opener: one packet each way on a Unix socket (SOCK_SEQPACKET).

A request is the path of a device, or the name of a proxy. An answer is `0` with the open descriptor
(SCM_RIGHTS), the system's error number, or a word of `Refusal`.
"""

from __future__ import annotations

from enum import Enum

SOCKET = "/run/lpad-ports/opener.sock"
LONGEST_REQUEST = 64
"""The maximum number of bytes of a request; the longest device path is far shorter."""
LONGEST_ANSWER = 16
OPENED = b"0"


class Refusal(Enum):
    """The reasons for which the opener itself refuses a request."""

    NOT_ALLOWED = b"not-allowed"
    """The request names neither a control port of a modem nor a proxy."""
    UNTRUSTED = b"untrusted"
    """The proxy's socket belongs to a user who is not trusted."""
