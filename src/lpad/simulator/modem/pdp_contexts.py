"""The PDP contexts of a simulated modem, and the network that accepts or rejects them.

As in real modems, a changed context 1 applies from the next attach on; until then the bearer does not change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lpad.base.untrusted_number import whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

ESM_FAILURE = 19
"""The EMM cause of an attach that was rejected because of its bearer (3GPP TS 24.301, 9.9.3.9)."""
UNKNOWN_APN, AUTHENTICATION_FAILED, NOT_SUBSCRIBED, ONLY_IPV4, ONLY_IPV6 = 27, 29, 33, 50, 51
"""ESM causes (3GPP TS 24.301, 9.9.4.4)."""
_BOTH = ("IP", "IPV6", "IPV4V6")
_ADDRESSES = {"IP": ("10.64.0.2",), "IPV6": ("2001:db8::2",), "IPV4V6": ("10.64.0.2", "2001:db8::2")}
_ATTACH_CONTEXT = 1
_ARGUMENTS = re.compile(r'"([^"]*)"|([^,]*)')


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A profile's subscription in the network; the defaults allow everything."""

    apns: tuple[str, ...] | None = None
    """Known APNs, '' for the default; None: any."""
    unknown_cause: int = UNKNOWN_APN
    """The ESM cause for an unknown APN."""
    types: tuple[str, ...] = _BOTH
    """Permitted PDP types: IP, IPV6, IPV4V6."""
    credentials: tuple[str, str] | None = None
    """Required user name and password; None if the network requires neither."""
    emm_cause: int | None = None
    """The EMM cause with which every attach is rejected, such as 11, PLMN not allowed; None: none."""
    addresses: bool = True
    """Whether a bearer gets an IP address."""

    def rejection(self, kind: str, apn: str, credentials: tuple[str, str] | None) -> int | None:
        """Return the ESM cause with which a bearer is refused; None: the bearer is opened."""
        if self.apns is not None and apn not in self.apns:
            return self.unknown_cause
        if self.credentials is not None and credentials != self.credentials:
            return AUTHENTICATION_FAILED
        if kind not in self.types:
            return ONLY_IPV4 if "IP" in self.types else ONLY_IPV6
        return None


@dataclass(slots=True)
class Context:
    """One PDP context."""

    kind: str = "IP"
    apn: str = ""
    credentials: tuple[str, str] | None = None
    authentication: int = 0


@dataclass(slots=True)
class ModemContexts:
    """The contexts, which survive restarts, and the result of the last attach."""

    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    autoselected: Mapping[str, str] = field(default_factory=dict)
    """APNs by ICCID that the operator's configuration writes into context 1 at each attach (MBN, AutoSel)."""
    unlisted: Subscription = field(default_factory=Subscription)
    """The subscription of profiles that `subscriptions` does not list."""
    contexts: dict[int, Context] = field(default_factory=lambda: {_ATTACH_CONTEXT: Context()})
    attached: bool = True
    attaches: int = 0
    """The number of requested attaches, such as by +CGATT=1."""
    emm_cause: int | None = None
    esm_cause: int | None = None
    bearer: Context | None = None
    """The bearer of the last attach; None if the attach failed, or before the first one."""
    attempts: int = 0
    """The number of attaches, including failed ones; each ends the connections of the previous attach."""
    _subscription: Subscription = field(default_factory=Subscription)

    def attach(self, iccid: str | None) -> None:
        """Attach with a profile; the network accepts or rejects the present context 1."""
        self.bearer = self.emm_cause = self.esm_cause = None
        self.attempts += 1
        if iccid is None or not self.attached:
            return
        context = self.contexts.setdefault(_ATTACH_CONTEXT, Context())
        if iccid in self.autoselected:
            context.apn = self.autoselected[iccid]
        self._subscription = self.subscriptions.get(iccid, self.unlisted)
        self.emm_cause = self._subscription.emm_cause
        self.esm_cause = self._subscription.rejection(context.kind, context.apn, context.credentials)
        if self.emm_cause is None and self.esm_cause is not None:
            self.emm_cause = ESM_FAILURE
        if self.emm_cause is None:
            self.bearer = Context(context.kind, context.apn)

    @property
    def rejected(self) -> bool:
        """Whether the network rejected the last attach."""
        return self.emm_cause is not None

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses of the bearer."""
        return () if self.bearer is None else self.addresses_of(self.bearer.kind)

    def addresses_of(self, kind: str) -> tuple[str, ...]:
        """Return the addresses that a bearer of a PDP type gets."""
        return _ADDRESSES[kind] if self._subscription.addresses else ()

    def refusal(self, wanted: Context) -> int | None:
        """Return the ESM cause with which the network refuses one more bearer; None: it is opened."""
        return self._subscription.rejection(wanted.kind, wanted.apn, wanted.credentials)

    def define(self, arguments: str) -> bool:
        """Carry out AT+CGDCONT=; return whether its arguments are valid."""
        values = split(arguments)
        cid = whole_number(values[0], least=1, most=8)
        if cid is None:
            return False
        if len(values) == 1:
            self.contexts.pop(cid, None)
            return True
        if values[1].upper() not in _BOTH:
            return False
        known = self.contexts.setdefault(cid, Context())
        known.kind, known.apn = values[1].upper(), values[2] if len(values) > 2 else ""
        return True

    def authenticate(self, cid: int, authentication: int, username: str, password: str) -> None:
        """Store the user name and password of a context; `authentication` 0 removes them."""
        known = self.contexts.setdefault(cid, Context())
        known.authentication = authentication
        known.credentials = (username, password) if authentication else None

    def lines(self) -> tuple[str, ...]:
        """Return the answer to +CGDCONT? without its prefix."""
        return tuple(
            f'{cid},"{each.kind}","{each.apn}","",0,0' for cid, each in sorted(self.contexts.items())
        )


def split(arguments: str) -> list[str]:
    """Return the arguments of a command, without quotes."""
    values, rest = [], arguments
    while True:
        match = _ARGUMENTS.match(rest)
        assert match is not None
        values.append(match[1] if match[1] is not None else match[2].strip())
        rest = rest[match.end() :]
        if not rest.startswith(","):
            return values
        rest = rest[1:]
