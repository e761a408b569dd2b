"""The two functions of ES11 (SGP.22 v2.5, 5.8): the SM-DS proves its identity and lists a card's events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.simulator.smdp.functions import status_codes
from lpad.simulator.smdp.functions.authenticate_client import verified_card
from lpad.simulator.smdp.functions.faults import FaultKind
from lpad.simulator.smdp.functions.initiation import initiate_authentication
from lpad.simulator.smdp.functions.sessions import SessionState
from lpad.simulator.smdp.functions.status_codes import Refusal, Status
from lpad.simulator.smdp.store.smds_events import new_event_id

if TYPE_CHECKING:
    from lpad.base.identifiers import Eid
    from lpad.simulator.smdp.functions.function_call import Call
    from lpad.simulator.smdp.functions.function_table import Functions
    from lpad.simulator.smdp.functions.server_context import ServerContext
    from lpad.simulator.smdp.store.smds_events import Events

_MANY = 5000

ADDRESS_REFUSED = Status("8.9.1", "3.8", "The address is not this SM-DS's")
SIGNING_CI_UNSUPPORTED = Status("8.9.2", "3.1", "None of the eUICC's signing CIs is supported")
SVN_UNSUPPORTED = Status("8.9.3", "3.1", "The eUICC's specification version is not supported")
NO_SERVER_CERTIFICATE = Status("8.9.4", "3.7", "No SM-DS certificate of a CI that the eUICC verifies with")
UNKNOWN_EVENT = Status("8.9.5", "3.9", "Unknown event")

_AS_SMDS = {
    status_codes.ADDRESS_REFUSED: ADDRESS_REFUSED,
    status_codes.SIGNING_CI_UNSUPPORTED: SIGNING_CI_UNSUPPORTED,
    status_codes.SVN_UNSUPPORTED: SVN_UNSUPPORTED,
    status_codes.NO_SERVER_CERTIFICATE: NO_SERVER_CERTIFICATE,
}


def functions_on(events: Events) -> Functions:
    """Return the functions of an SM-DS with these events."""

    def authenticate_client(site: ServerContext, call: Call) -> dict[str, Any]:
        """Verify the card and answer with its events; the session ends.

        Raises:
            Refusal: the card cannot be verified, or the requested event is unknown (8.9.5/3.9).
        """
        session = site.sessions.get(call.transaction_id(), SessionState.INITIATED)
        site.sessions.end(session)
        _, eid, device = verified_card(call, session)
        listed = _listed(site, events, call, eid, device.matching_id)
        if device.matching_id and not listed:
            raise Refusal(UNKNOWN_EVENT, subject_identifier=device.matching_id)
        entries = [{"eventId": event_id, "rspServerAddress": address} for event_id, address in listed]
        return {"transactionId": session.transaction_id.hex().upper(), "eventEntries": entries}

    return {"initiateAuthentication": _initiate, "authenticateClient": authenticate_client}


def _initiate(site: ServerContext, call: Call) -> dict[str, str]:
    """Start a session like an SM-DP+, but refuse with the status codes of an SM-DS."""
    try:
        return initiate_authentication(site, call)
    except Refusal as refusal:
        own = _AS_SMDS.get(refusal.status, refusal.status)
        raise Refusal(own, subject_identifier=refusal.subject_identifier) from refusal


def _listed(
    site: ServerContext, events: Events, call: Call, eid: Eid, event_id: str
) -> list[tuple[str, str]]:
    """Return the IDs and addresses of the events, as altered by the faults."""
    faults = call.faults
    if FaultKind.NO_EVENTS in faults:
        return []
    if FaultKind.EVENT_LOOP in faults:
        return [(new_event_id(), faults.value(FaultKind.EVENT_LOOP, str(site.addresses[0])))]
    known = events.of(eid.digits, event_id, deleted=FaultKind.DELETED_EVENTS in faults)
    listed = [(each.event_id, each.address) for each in known]
    if FaultKind.MANY_EVENTS in faults:
        number = int(faults.number(FaultKind.MANY_EVENTS, _MANY))
        listed = [(f"MADE-UP-{place}", "smdp.invalid") for place in range(number)] + listed
    if FaultKind.EVENT_ADDRESS in faults:
        listed = [(each, faults.value(FaultKind.EVENT_ADDRESS, "smdp.invalid")) for each, _ in listed]
    return listed
