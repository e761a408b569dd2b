"""A modem's data session on a control port (MBIM, QMI): what it is asked for, and what it reports."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionWish:
    """The settings of a session; the password appears in no `repr`."""

    apn: str = ""
    """Empty: the network's default."""
    username: str = ""
    password: str = field(default="", repr=False)
    authentication: int = 0
    """0: none, 1: PAP, 2: CHAP."""
    ipv4: bool = True
    ipv6: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReport:
    """The state of the session."""

    active: bool | None = None
    """None: the modem does not report it."""
    addresses: tuple[str, ...] | None = None
    """IP addresses as text; None: the modem does not report them."""
    cause: int | None = None
    """The network's cause against it, from 1 to 255 (3GPP TS 24.301, 9.9.4.4); None: none reported."""
