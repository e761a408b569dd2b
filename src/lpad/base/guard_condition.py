"""A condition that a guard or a health rule checks, as text.

    registered                              the modem is registered, at home or roaming
    bearer                                  the network has opened a connection with the profile's APN
    address                                 the connection has an IP address
    confirm                                 a local program confirms the switch
    tcp:HOST:PORT@INTERFACE                 a TCP connection is made
    http://HOST:PORT/PATH#STATUS@INTERFACE  the answer has STATUS, by default any from 200 to 299; also https
    dns:NAME/SERVER@INTERFACE               a name server knows the name

@INTERFACE, #STATUS, /PATH, the PORT of a URL and /SERVER may be left out.
"""

from __future__ import annotations

import enum
from ipaddress import ip_address
from typing import Self

from lpad.base.errors import InvalidValue
from lpad.base.frozen import Frozen
from lpad.base.lazy_pattern import LazyPattern
from lpad.base.untrusted_number import matched_number, whole_number

LONGEST = 255
"""The maximum number of characters of a condition."""


class ConditionKind(enum.StrEnum):
    """The kinds of conditions."""

    REGISTERED = "registered"
    BEARER = "bearer"
    ADDRESS = "address"
    CONFIRM = "confirm"
    TCP = "tcp"
    HTTP = "http"
    HTTPS = "https"
    DNS = "dns"


_PORTS = {ConditionKind.HTTP: 80, ConditionKind.HTTPS: 443, ConditionKind.DNS: 53}
_HOST = r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9_.-]{1,253}))"
_PORT = r"(?::(?P<port>[0-9]{1,5}))"
_INTERFACE = r"(?:@(?P<interface>[A-Za-z0-9_.:-]{1,15}))?"
_FORMS = (
    LazyPattern(r"(?P<kind>registered|bearer|address|confirm)"),
    LazyPattern(rf"(?P<kind>tcp):{_HOST}{_PORT}{_INTERFACE}"),
    LazyPattern(
        rf"(?P<kind>https?)://{_HOST}{_PORT}?(?P<path>/[!-\"$-~]*?)?(?:#(?P<status>[1-5][0-9][0-9]))?{_INTERFACE}"
    ),
    LazyPattern(
        rf"(?P<kind>dns):(?P<name>[A-Za-z0-9_-]{{1,63}}(?:\.[A-Za-z0-9_-]{{1,63}})*\.?)"
        rf"(?:/{_HOST}{_PORT}?)?{_INTERFACE}"
    ),
)


class Condition(Frozen, kw_only=True):
    """One condition; `str` returns the text that `parse` accepts."""

    kind: ConditionKind
    text: str
    host: str = ""
    """The host to connect to; for DNS the IP address of a name server, empty for the system's own."""
    port: int = 0
    path: str = "/"
    status: int | None = None
    """The required HTTP status; None: any from 200 to 299."""
    name: str = ""
    """The name to look up at a DNS server."""
    interface: str | None = None
    """The network interface to use; None: the system's choice."""

    def __str__(self) -> str:
        return self.text

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a condition.

        Raises:
            InvalidValue: the text matches no form in the module's docstring, or has a wrong port or address.
        """
        text = text.strip()
        match = next((found for form in _FORMS if (found := form.fullmatch(text))), None)
        if match is None or len(text) > LONGEST:
            raise InvalidValue(
                f"'{text[:60]}' is not a known condition; write registered, bearer, address, confirm,"
                " tcp:HOST:PORT, http://HOST/PATH#STATUS, https://… or dns:NAME/SERVER; @INTERFACE after a"
                " reachability check names the network interface that it uses"
            )
        parts: dict[str, str | None] = match.groupdict()
        kind = ConditionKind(match["kind"])
        told = parts.get("port")
        port = whole_number(told, least=1, most=65535) if told else _PORTS.get(kind, 0)
        if port is None:
            raise InvalidValue(f"'{text}': the port must be a number from 1 to 65535")
        host = parts.get("six") or parts.get("host") or ""
        if parts.get("six") or (kind is ConditionKind.DNS and host):
            _check_address(host, text)
        status = parts.get("status")
        return cls(
            kind=kind,
            text=text,
            host=host,
            port=port,
            path=parts.get("path") or "/",
            status=matched_number(status) if status else None,
            name=(parts.get("name") or "").rstrip("."),
            interface=parts.get("interface"),
        )


def _check_address(host: str, text: str) -> None:
    try:
        ip_address(host)
    except ValueError as error:
        raise InvalidValue(f"'{text}': '{host}' is not an IP address") from error
