"""A modem's data session on a control port (MBIM, QMI): the requested settings, and the reported state."""

from __future__ import annotations

from typing import ClassVar

from lpad.base.frozen import Frozen


class SessionWish(Frozen, kw_only=True):
    """The requested settings of a data session; `repr` omits the password."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"password"})
    apn: str = ""
    """The APN; empty: the network's default."""
    username: str = ""
    password: str = ""
    authentication: int = 0
    """The authentication method: 0 none, 1 PAP, 2 CHAP."""
    ipv4: bool = True
    ipv6: bool = True


class SessionReport(Frozen, kw_only=True):
    """The reported state of a data session."""

    active: bool | None = None
    """Whether the session is open; None: the modem does not report this."""
    addresses: tuple[str, ...] | None = None
    """IP addresses as text; None: the modem does not report them."""
    cause: int | None = None
    """The network's cause for a failed session, 1 to 255 (3GPP TS 24.301, 9.9.4.4); None: not reported."""
    taken: bool = False
    """Whether another program's session, which lpad cannot close, has prevented lpad's session."""
    missing: tuple[int, ...] = ()
    """The requested IP versions, 4 or 6, that are missing in an open session."""
