"""The applier `at` on a control port: the modem's data session in place of AT contexts.

It is MBIM's CONNECT, or QMI's Start Network. A control port has no stored contexts that lpad could restore:
the session is opened with a profile's settings once the modem is registered, and a rollback opens it with the
previous ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.network.applier import Applied, Connection, Failed, Sight, State, TryAgain
from lpad.network.layer_names import Layer
from lpad.network.network_cause import Cause, Procedure
from lpad.network.network_settings import Authentication, IpType
from lpad.protocol.data_session import SessionWish
from lpad.protocol.registration_answer import DENIED

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.network.applier import DataSession, Outcome
    from lpad.network.network_settings import NetworkSettings
    from lpad.protocol.data_session import SessionReport

LATER = Applied(told="the modem's data session is opened once it is registered")
_AUTHENTICATION = {Authentication.NONE: 0, Authentication.PAP: 1, Authentication.CHAP: 2}
_PAUSE = 2.0


def open_session(session: DataSession, settings: NetworkSettings, *, deadline: Deadline) -> Outcome:
    """Open the session with a profile's settings.

    Raises:
        CardError: the port is gone.
    """
    told = session.registration(deadline=deadline)
    registered = not told or any(each.registered for each in told)
    denied = any(each.status == DENIED for each in told)
    state = ", ".join(map(str, told))
    if not registered and not denied:
        return TryAgain(
            layer=Layer.REGISTERED, told=f"the modem is not registered yet: {state}", after=_PAUSE
        )
    # LTE attaches with a bearer, so a network that denies the modem may do so for its settings.
    wish = SessionWish(
        apn=settings.apn,
        username=settings.username,
        password=settings.password,
        authentication=_AUTHENTICATION[settings.authentication],
        ipv4=settings.ip is not IpType.IPV6,
        ipv6=settings.ip is not IpType.IPV4,
    )
    report = session.open(wish, deadline=deadline)
    if report.active:
        return Applied(told=f"the modem's data session uses {settings.apn or 'the default APN'}")
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


def open_at_once(session: DataSession, settings: NetworkSettings, *, deadline: Deadline) -> Outcome:
    """Open the session if the network lets it: a modem may be denied because of its previous settings.

    Raises:
        CardError: the port is gone.
    """
    outcome = open_session(session, settings, deadline=deadline)
    decided = isinstance(outcome, Applied) or (isinstance(outcome, Failed) and outcome.cause is not None)
    return outcome if decided else LATER


def verify_session(session: DataSession, *, deadline: Deadline) -> Outcome:
    """Return whether the session is open; the modem does not report its settings.

    Raises:
        CardError: the port is gone.
    """
    if session.report(deadline=deadline).active:
        return Applied(told="the modem's data session is open")
    return Failed(layer=Layer.BEARER, told="the modem's data session is not open")


def look_at_session(session: DataSession, *, deadline: Deadline) -> Connection:
    """Return the states of bearer and address.

    Raises:
        CardError: the port is gone.
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


def _cause(report: SessionReport) -> Cause | None:
    return None if report.cause is None else Cause(Procedure.ESM, report.cause)
