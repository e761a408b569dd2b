"""The settings with which a profile carries data: APN, authentication, IP type and others.

The settings belong to the profile and are found by its ICCID, so that they follow the card. The profile
itself contains none of these settings: SGP.22 v2's metadata has no field for an APN.
"""

from __future__ import annotations

import enum
from typing import ClassVar

from lpad.base.errors import InvalidValue
from lpad.base.frozen import Frozen
from lpad.base.lazy_pattern import LazyPattern

LONGEST_APN = 100
"""The maximum number of octets of an APN (3GPP TS 23.003, 9.1)."""
LONGEST_CREDENTIAL = 127
"""The maximum number of characters of a user name or password; no modem family accepts more."""
LEAST_MTU = 576
"""The smallest accepted MTU in bytes; every IPv4 host accepts packets of this size (RFC 791)."""
MOST_MTU = 9000

_APN = LazyPattern(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")
_PRINTABLE = LazyPattern(r"[ -~]*")


class Authentication(enum.StrEnum):
    """How the network checks user name and password."""

    NONE = "none"
    PAP = "pap"
    CHAP = "chap"


class IpType(enum.StrEnum):
    """The kind of addresses that the connection requests (PDP or PDN type; 3GPP TS 27.007, 10.1.1)."""

    IPV4 = "ipv4"
    IPV6 = "ipv6"
    IPV4V6 = "ipv4v6"


class InitialBearer(enum.StrEnum):
    """The APN with which the modem attaches; LTE and 5G open a first bearer during registration."""

    SAME = "same"
    """The connection's own APN."""
    APN = "apn"
    """A separate APN, in `initial_bearer_apn`."""
    LEAVE = "leave"
    """The settings that the modem has stored."""


class GivenBy(enum.StrEnum):
    """The sources of a profile's network settings, the most trusted first."""

    OWNER = "owner"
    """Set for this ICCID over the API or with `lpactl network set`."""
    ORDER = "order"
    """Delivered with the profile: a field of the download request."""
    PATTERN = "pattern"
    """An entry of the setting `network.patterns`, by ICCID prefix or service provider."""
    NOTHING = "nothing"
    """No source has settings: the APN is empty, and the network uses its default."""


def _check_apn(name: str, apn: str) -> None:
    if apn and (len(apn) > LONGEST_APN or _APN.fullmatch(apn) is None or ".." in apn):
        raise InvalidValue(
            f"{name} is not an APN: it must have up to {LONGEST_APN} letters, digits, hyphens and underscores"
            " in labels separated by dots, such as 'iot.example'; empty means the network's default"
        )


def _check_credential(name: str, text: str) -> None:
    if len(text) > LONGEST_CREDENTIAL or _PRINTABLE.fullmatch(text) is None:
        raise InvalidValue(
            f"{name} must have at most {LONGEST_CREDENTIAL} characters, all of them printable ASCII"
        )


class NetworkSettings(Frozen, kw_only=True):
    """One profile's network settings; the password appears in no `repr`."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"password"})
    apn: str = ""
    """At most 100 letters, digits, dots, hyphens and underscores; empty: the network's default."""
    username: str = ""
    """At most 127 printable ASCII characters; empty: none."""
    password: str = ""
    """At most 127 printable ASCII characters; a secret that only the applier and the hooks get."""
    authentication: Authentication = Authentication.NONE
    ip: IpType = IpType.IPV4V6
    roaming: bool = True
    """Whether data may flow while roaming; profiles for IoT nearly always roam."""
    initial_bearer: InitialBearer = InitialBearer.SAME
    initial_bearer_apn: str = ""
    """The APN to attach with if `initial_bearer` is `apn`; empty: the network's default."""
    mtu: int | None = None
    """The MTU in bytes, 576 to 9000; None for the network's MTU."""

    def __post_init__(self) -> None:
        for name in ("apn", "initial_bearer_apn"):
            _check_apn(name, getattr(self, name))
        for name in ("username", "password"):
            _check_credential(name, getattr(self, name))
        if self.authentication is Authentication.NONE and (self.username or self.password):
            raise InvalidValue(
                "username and password are used only with authentication 'pap' or 'chap'; name one of them"
            )
        if self.initial_bearer is not InitialBearer.APN and self.initial_bearer_apn:
            raise InvalidValue("initial_bearer_apn is used only if initial_bearer is 'apn'; leave it out")
        if self.mtu is not None and not LEAST_MTU <= self.mtu <= MOST_MTU:
            raise InvalidValue(f"an MTU must be a number of bytes from {LEAST_MTU} to {MOST_MTU}")

    @property
    def attach_apn(self) -> str | None:
        """The APN of the initial bearer; empty: the network's default; None: the modem keeps its APN."""
        if self.initial_bearer is InitialBearer.LEAVE:
            return None
        return self.apn if self.initial_bearer is InitialBearer.SAME else self.initial_bearer_apn


EMPTY = NetworkSettings()
"""The settings of a profile for which no source has settings."""
