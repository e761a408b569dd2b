"""The applier `at` on a control port: the modem's data session in place of AT contexts.

MBIM's CONNECT or QMI's Start Network opens the session. lpad opens the session with a profile's settings once
the modem is registered; a rollback opens it with the previous settings. A modem that stores settings of its
initial bearer (MBIM's LTE attach configuration) first gets the profile's settings for this bearer.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.network.applier_interface import Applied, Connection, Failed, Sight, State, TryAgain
from lpad.network.connection_layer_names import Layer
from lpad.network.network_settings import Authentication, IpType
from lpad.network.reject_cause import Cause, Procedure
from lpad.protocol.data_session_types import SessionWish
from lpad.protocol.registration_answer import DENIED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.base.deadline import Deadline
    from lpad.network.applier_interface import DataSession, Outcome
    from lpad.network.network_settings import NetworkSettings
    from lpad.protocol.data_session_types import SessionReport

_log = logging.getLogger(__name__)

LATER = Applied(told="lpad opens the data session once the modem is registered")
_AUTHENTICATION = {Authentication.NONE: 0, Authentication.PAP: 1, Authentication.CHAP: 2}
_PAUSE = 2.0
_MEMORY = "initial-bearer"
_KINDS = {"IPV4V6": (True, True), "IP": (True, False), "IPV6": (False, True)}
"""The kinds of addresses by their names in 3GPP TS 27.007: whether IPv4 is wanted, and whether IPv6."""


def open_session(session: DataSession, settings: NetworkSettings, *, deadline: Deadline) -> Outcome:
    """Open the session with a profile's settings.

    Raises:
        CardError: the modem does not answer in time, or its port has disappeared.
    """
    told = session.registration(deadline=deadline)
    registered = not told or any(each.registered for each in told)
    denied = any(each.status == DENIED for each in told)
    state = ", ".join(map(str, told))
    if not registered and not denied:
        return TryAgain(
            layer=Layer.REGISTERED, told=f"the modem is not registered yet: {state}", after=_PAUSE
        )
    # LTE attaches with a bearer, so a network may deny the modem because of the bearer's settings.
    report = session.open(_wish(settings), deadline=deadline)
    if report.active:
        without = "".join(f"; IPv{family} could not be opened" for family in report.missing)
        return Applied(told=f"the modem's data session uses {settings.apn or 'the default APN'}{without}")
    if report.taken:
        return Failed(
            layer=Layer.BEARER,
            told="another program has opened the modem's data session: stop that program, or choose another"
            " applier",
        )
    cause = _cause(report)
    if cause is None and not registered:
        return Failed(layer=Layer.REGISTERED, told=f"the network denies the modem its service: {state}")
    if cause is None:
        return TryAgain(layer=Layer.BEARER, told="the modem does not open a data session", after=_PAUSE)
    return Failed(layer=Layer.BEARER, told=f"the network refuses the data session: {cause}", cause=cause)


def remember(session: DataSession, *, deadline: Deadline) -> Outcome:
    """Return `Applied`, with the initial bearer's settings as memory if they are known and use no password.

    Raises:
        CardError: the modem does not answer in time, or its port has disappeared.
    """
    stored = session.attach_settings(deadline=deadline)
    if not stored or stored[0].authentication:
        return LATER
    kind = next(name for name, kinds in _KINDS.items() if kinds == (stored[0].ipv4, stored[0].ipv6))
    return replace(LATER, memory={_MEMORY: f"{kind},{stored[0].apn}"})


def restore(session: DataSession, memory: Mapping[str, str], *, deadline: Deadline) -> Outcome:
    """Restore the initial bearer's settings that `remember` has returned as memory.

    Raises:
        CardError: the modem does not answer in time, or its port has disappeared.
    """
    kind, _, apn = memory.get(_MEMORY, "").partition(",")
    if kind in _KINDS:
        ipv4, ipv6 = _KINDS[kind]
        _attach(session, SessionWish(apn=apn, ipv4=ipv4, ipv6=ipv6), deadline=deadline)
    return LATER


def open_at_once(session: DataSession, settings: NetworkSettings, *, deadline: Deadline) -> Outcome:
    """Set the initial bearer's APN, and open the session if the network allows this.

    The network may have denied the modem because of the previous settings.

    Raises:
        CardError: the modem does not answer in time, or its port has disappeared.
    """
    wish = _initial_bearer(settings)
    if wish is not None:
        _attach(session, wish, deadline=deadline)
    outcome = open_session(session, settings, deadline=deadline)
    decided = isinstance(outcome, Applied) or (isinstance(outcome, Failed) and outcome.cause is not None)
    return outcome if decided else LATER


def verify_session(session: DataSession, settings: NetworkSettings, *, deadline: Deadline) -> Outcome:
    """Return `Applied` if the session is open and the initial bearer has its settings, else `Failed`.

    The modem does not report the session's settings.

    Raises:
        CardError: the modem does not answer in time, or its port has disappeared.
    """
    wish = _initial_bearer(settings)
    if wish is not None and not all(_same(each, wish) for each in session.attach_settings(deadline=deadline)):
        told = "the modem attaches with settings that differ from the profile's"
        return Failed(layer=Layer.MODEM, told=told)
    if session.report(deadline=deadline).active:
        return Applied(told="the modem's data session is open")
    return Failed(layer=Layer.BEARER, told="the modem's data session is not open")


def look_at_session(session: DataSession, *, deadline: Deadline) -> Connection:
    """Return the states of the session's bearer and address.

    Raises:
        CardError: the modem does not answer in time, or its port has disappeared.
    """
    report = session.report(deadline=deadline)
    if report.active is None:
        return Connection()
    if not report.active:
        cause = _cause(report)
        told = "the data session is not open" + ("" if cause is None else f": {cause}")
        return Connection(bearer=Sight(state=State.DOWN, told=told, cause=cause))
    bearer = Sight(state=State.UP, told="the data session is open")
    if report.addresses is None:
        return Connection(bearer=bearer)
    address = Sight(
        state=State.UP if report.addresses else State.DOWN,
        told=", ".join(report.addresses) or "the modem reports no address",
    )
    return Connection(bearer=bearer, address=address, addresses=report.addresses)


def _initial_bearer(settings: NetworkSettings) -> SessionWish | None:
    """Return the settings for the attach; None: the modem's own. A separate APN has no credentials."""
    apn = settings.attach_apn
    if apn is None:
        return None
    wish = _wish(settings)
    return wish if apn == settings.apn else SessionWish(apn=apn, ipv4=wish.ipv4, ipv6=wish.ipv6)


def _attach(session: DataSession, wish: SessionWish, *, deadline: Deadline) -> None:
    """Attach with these settings, unless the modem has them or reports none; a refusal is only logged."""
    stored = session.attach_settings(deadline=deadline)
    if not stored:
        _log.info("the modem reports no settings for its initial bearer, so lpad leaves them")
    elif all(_same(each, wish) for each in stored) and not wish.password:
        _log.debug("the initial bearer has the wanted settings")
    elif not session.attach_with(wish, deadline=deadline):
        _log.warning("the modem refuses to attach with the APN '%s'", wish.apn)


def _same(stored: SessionWish, wish: SessionWish) -> bool:
    """Return whether stored settings are the wanted ones, ignoring the password and the APN's case."""
    return replace(stored, apn=stored.apn.casefold(), password="") == replace(
        wish, apn=wish.apn.casefold(), password=""
    )


def _wish(settings: NetworkSettings) -> SessionWish:
    return SessionWish(
        apn=settings.apn,
        username=settings.username,
        password=settings.password,
        authentication=_AUTHENTICATION[settings.authentication],
        ipv4=settings.ip is not IpType.IPV6,
        ipv6=settings.ip is not IpType.IPV4,
    )


def _cause(report: SessionReport) -> Cause | None:
    return None if report.cause is None else Cause(Procedure.ESM, report.cause)
