"""Discovery against a simulated card, root SM-DS, alternative SM-DS and SM-DP+."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from lpa.bench import Caller
from lpa.smds_lab import ALTERNATIVE, OTHER_EID, ROOT, SMDP, Lab, errors, events
from lpad.base.deadline import Deadline
from lpad.base.errors import (
    Cancelled,
    CardRefused,
    Conflict,
    PolicyRefused,
    ServerListsEvents,
    ServerMalformed,
    ServerRefused,
    ServerUnreachable,
    ServerUntrusted,
)
from lpad.lpa.discovery import DEEPEST, MOST_EVENTS, MOST_SESSIONS
from lpad.lpa.owner_install_policy import InstallPolicy
from lpad.protocol.download_state_table import Step
from lpad.simulator.smdp.functions.faults import Fault, FaultKind, TlsIdentity

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpa.conftest import MakeBench
    from lpad.base.server_address import ServerAddress
    from lpad.simulator.pki.pki import Pki


@pytest.fixture
def lab(make_bench: MakeBench, pki: Pki, tmp_path: Path) -> Iterator[Lab]:
    """A lab with the card and the servers of a discovery."""
    with make_bench(host=SMDP) as bench, ExitStack() as running:
        yield Lab(bench, pki, tmp_path, running)


def test_an_smds_without_events_is_not_an_error(lab: Lab) -> None:
    """An SM-DS without events for this card is not an error, even if it has events for other cards."""
    lab.event("OTHERS", eid=OTHER_EID)
    found = lab.discover()
    assert found.events == ()
    assert [(str(each.address), each.events, each.error) for each in found.servers] == [(ROOT, 0, None)]


def test_events_in_their_order(lab: Lab) -> None:
    """Events are found oldest first, with unchanged IDs and the addresses of their servers."""
    lab.event("First-1")
    lab.event("second-2")
    found = lab.discover()
    assert events(found) == [("First-1", SMDP), ("second-2", SMDP)]
    assert {str(each.listed_by) for each in found.events} == {ROOT}


def test_an_event_is_the_order_of_a_download(lab: Lab) -> None:
    """After a discovery, the event's ID is the matching ID for a download from the event's server."""
    order = lab.bench.order(matching_id="EVENT-7", eid=lab.bench.card.eid)
    lab.event("EVENT-7")
    (event,) = lab.discover().events
    caller = Caller()
    lab.download(str(event.entry.address), caller, event_id=event.entry.event_id)
    assert Step.CANCEL_SESSION not in caller.steps
    assert lab.bench.state(order)[0] == "downloaded"


def test_a_root_event_leads_to_an_alternative_smds(lab: Lab) -> None:
    """An event at the root leads to an alternative SM-DS, where only the forwarded event is found."""
    lab.event("R-1", ALTERNATIVE)
    lab.event("E-1", SMDP, at=ALTERNATIVE, forwarded_as="R-1")
    lab.event("UNASKED", SMDP, at=ALTERNATIVE)
    found = lab.discover()
    assert events(found) == [("E-1", SMDP)]
    assert [str(each.address) for each in found.servers] == [ROOT, ALTERNATIVE]
    assert str(found.events[0].listed_by) == ALTERNATIVE


def test_a_cascade_keeps_the_place_of_its_event(lab: Lab) -> None:
    """Events found at an alternative SM-DS take the place of the event that leads to it."""
    lab.event("R-1", ALTERNATIVE)
    lab.event("LAST")
    lab.event("E-1", SMDP, at=ALTERNATIVE, forwarded_as="R-1")
    assert events(lab.discover()) == [("E-1", SMDP), ("LAST", SMDP)]


def test_an_sm_dp_plus_sees_no_card(lab: Lab) -> None:
    """A discovery asks an SM-DP+ once for its certificate, and the SM-DP+ counts no attempt for the order."""
    order = lab.bench.order(matching_id="E-1", eid=lab.bench.card.eid)
    lab.event("E-1")
    lab.event("E-2")
    lab.discover()
    assert lab.bench.smdp.counters.requests == {"initiateAuthentication": 1}
    assert lab.bench.smdp.orders.get(order.id).attempts == 0


def test_a_loop_ends(lab: Lab) -> None:
    """If an SM-DS's event always leads back to it under a new ID, lpad asks it a limited number of times."""
    lab.root.faults.add(Fault(kind=FaultKind.EVENT_LOOP, function="authenticateClient", value=ROOT, times=0))
    found = lab.discover()
    assert found.events == ()
    assert found.left_off == 1
    assert len(lab.asked) == DEEPEST + 1


def test_two_sm_dss_that_lead_to_each_other(lab: Lab) -> None:
    """If two SM-DSs lead to each other, lpad sends each query once, and the discovery ends."""
    lab.event("R-1", ALTERNATIVE)
    lab.event("R-1", ROOT, at=ALTERNATIVE)
    found = lab.discover()
    assert found.events == ()
    assert lab.asked == [ROOT, ALTERNATIVE, ROOT]


def test_thousands_of_events(lab: Lab) -> None:
    """Of thousands of events, some are kept, the others counted, and their server is asked once."""
    lab.root.faults.add(Fault(kind=FaultKind.MANY_EVENTS, function="authenticateClient", value=3000))
    found = lab.discover()
    assert len(found.events) == MOST_EVENTS
    assert found.left_off == 3000 - MOST_EVENTS
    assert len(lab.asked) == 2


def test_the_number_of_queries_is_limited(lab: Lab) -> None:
    """The number of queries of one discovery is limited; an event beyond the limit is still listed."""
    for place in range(MOST_SESSIONS + 4):
        lab.event(f"E-{place}", f"smdp{place}.invalid")
    found = lab.discover()
    assert len(found.events) == MOST_SESSIONS + 4
    assert len(lab.asked) == MOST_SESSIONS


def test_a_dead_server_hides_no_other(lab: Lab) -> None:
    """The events of one server are found although earlier servers fail."""
    lab.event("E-1", at=ALTERNATIVE)
    found = lab.discover("dead.invalid", ROOT, ALTERNATIVE)
    assert events(found) == [("E-1", SMDP)]
    assert errors(found) == {"dead.invalid": "server-unreachable"}


def test_a_silent_server(lab: Lab) -> None:
    """An SM-DS that accepts a request but does not answer by the deadline is unreachable."""
    lab.root.faults.add(Fault(kind=FaultKind.DELAY, value=3, function="initiateAuthentication"))
    found = lab.discover(deadline=Deadline.after(2))
    assert errors(found) == {ROOT: "server-unreachable"}


def test_a_server_that_the_policy_forbids(lab: Lab) -> None:
    """An event for a server that is not allowed is listed as forbidden; lpad does not contact it."""
    lab.event("E-1", "evil.example.com")
    found = lab.discover(policy=InstallPolicy(servers=("*.allowed.example",)))
    assert events(found) == [("E-1", "evil.example.com")]
    assert isinstance(found.events[0].forbidden, PolicyRefused)
    assert lab.asked == [ROOT]


def test_an_sm_ds_of_the_settings_is_allowed_in_a_cascade(lab: Lab) -> None:
    """An event may lead to an SM-DS that the discovery names but the download policy does not."""
    lab.event("R-1", ALTERNATIVE)
    lab.event("E-1", SMDP, at=ALTERNATIVE, forwarded_as="R-1")
    found = lab.discover(ROOT, ALTERNATIVE, policy=InstallPolicy(servers=(SMDP,)))
    assert events(found) == [("E-1", SMDP)]


REFUSALS = {  # After 8.10.1/3.9, lpad repeats the session once; here, the SM-DS answers the same again.
    "8.9.1/3.8": "initiateAuthentication",
    "8.9.2/3.1": "initiateAuthentication",
    "8.9.3/3.1": "initiateAuthentication",
    "8.9.4/3.7": "initiateAuthentication",
    "8.1.1/6.1": "authenticateClient",
    "8.1.1/6.3": "authenticateClient",
    "8.1.2/6.1": "authenticateClient",
    "8.1.2/6.3": "authenticateClient",
    "8.1.3/6.1": "authenticateClient",
    "8.1.3/6.3": "authenticateClient",
    "8.1/6.1": "authenticateClient",
    "8.10.1/3.9": "authenticateClient",
}


@pytest.mark.parametrize("code", REFUSALS)
def test_each_refusal_of_an_sm_ds(lab: Lab, code: str) -> None:
    """An SM-DS's refusal is reported as its ES11 error with both codes, and lpad asks the next server."""
    lab.event("E-1", at=ALTERNATIVE)
    lab.root.faults.add(Fault(kind=FaultKind.REFUSE, function=REFUSALS[code], value=code, times=0))
    found = lab.discover(ROOT, ALTERNATIVE)
    assert events(found) == [("E-1", SMDP)]
    (error,) = [each.error for each in found.servers if each.error is not None]
    assert isinstance(error, ServerRefused)
    assert f"{error.details['subject_code']}/{error.details['reason_code']}" == code
    assert error.details["function"].startswith("ES11.")
    again = error.details["remedy"] == "restart-session"
    assert lab.asked == [ROOT, *([ROOT] if again else []), ALTERNATIVE, SMDP]


@pytest.mark.parametrize("code", ["8.10.1/3.9", "8.1/6.1"])
def test_a_lost_session_is_begun_again_once(lab: Lab, code: str) -> None:
    """If an SM-DS refuses a session once as lost or badly signed, lpad opens another without an error."""
    lab.event("E-1")
    lab.root.faults.add(Fault(kind=FaultKind.REFUSE, function="authenticateClient", value=code))
    found = lab.discover()
    assert (events(found), errors(found)) == ([("E-1", SMDP)], {})


def test_an_event_that_was_deleted_meanwhile(lab: Lab) -> None:
    """If the alternative SM-DS lacks the root's event, nothing is found, which is not an error."""
    lab.event("R-1", ALTERNATIVE)
    found = lab.discover()
    assert (events(found), errors(found)) == ([], {})


def test_an_sm_ds_that_wants_an_empty_matching_id(lab: Lab) -> None:
    """If an SM-DS refuses a request without a matching ID as malformed, lpad repeats it with an empty one."""
    lab.event("E-1")
    lab.root.faults.add(Fault(kind=FaultKind.REFUSE, function="authenticateClient", value="1.6/2.2"))
    assert events(lab.discover()) == [("E-1", SMDP)]


def test_an_sm_dp_plus_in_place_of_an_sm_ds(lab: Lab) -> None:
    """An SM-DP+ in place of an SM-DS is untrusted; lpad finds this after the server's first answer."""
    found = lab.discover(SMDP)
    assert errors(found) == {SMDP: "server-untrusted"}
    assert lab.bench.smdp.counters.requests == {"initiateAuthentication": 1}


def test_an_sm_ds_with_the_role_of_an_sm_dp_plus(lab: Lab) -> None:
    """An SM-DS that signs as an SM-DP+ is refused."""
    lab.root.faults.add(Fault(kind=FaultKind.OTHER_ROLE, function="initiateAuthentication"))
    (asked,) = lab.discover().servers
    assert isinstance(asked.error, ServerUntrusted)
    assert asked.error.details["cause"] == "wrong-role"


@pytest.mark.parametrize(
    ("kind", "function", "error"),
    [
        (FaultKind.BAD_SIGNATURE, "initiateAuthentication", CardRefused),
        (FaultKind.BAD_CERTIFICATE, "initiateAuthentication", CardRefused),
        (FaultKind.UNKNOWN_CI, "initiateAuthentication", ServerUntrusted),
        (FaultKind.SIGNED_ADDRESS, "initiateAuthentication", ServerUntrusted),
        (FaultKind.SIGNED_CHALLENGE, "initiateAuthentication", ServerMalformed),
        (FaultKind.WRONG_TRANSACTION_ID, "authenticateClient", ServerMalformed),
        (FaultKind.BODY_HTML, "authenticateClient", ServerMalformed),
        (FaultKind.BODY_OVERSIZED, "authenticateClient", ServerMalformed),
        (FaultKind.DROP_AFTER, "authenticateClient", ServerUnreachable),
    ],
)
def test_a_faulty_smds_does_not_stop_the_next(
    lab: Lab, kind: FaultKind, function: str, error: type[Exception]
) -> None:
    """A fault of one SM-DS is reported as that server's error, and the next server is asked."""
    lab.event("E-1", at=ALTERNATIVE)
    value = "other.example.com" if kind is FaultKind.SIGNED_ADDRESS else None
    lab.root.faults.add(Fault(kind=kind, function=function, value=value, times=0))
    found = lab.discover(ROOT, ALTERNATIVE)
    assert events(found) == [("E-1", SMDP)]
    assert isinstance(found.servers[0].error, error)


def test_an_expired_certificate(lab: Lab) -> None:
    """An SM-DS whose TLS certificate has expired is untrusted."""
    lab.root.show(TlsIdentity.EXPIRED)
    assert errors(lab.discover()) == {ROOT: "server-untrusted"}


def test_an_answer_without_a_list(lab: Lab) -> None:
    """An answer without an event list means that no event waits."""
    lab.event("E-1")
    fault = Fault(kind=FaultKind.FIELD_MISSING, function="authenticateClient", value="eventEntries")
    lab.root.faults.add(fault)
    assert lab.discover().events == ()


def test_an_unreachable_sm_dp_plus_is_still_an_event(lab: Lab) -> None:
    """If the server of an event is unreachable, the event is still listed, and no error is reported."""
    lab.event("E-1", "gone.invalid")
    found = lab.discover()
    assert (events(found), errors(found)) == ([("E-1", "gone.invalid")], {})


def test_a_swapped_card_sends_no_query(lab: Lab) -> None:
    """If the card's EID differs from the one in the request, a discovery ends with a conflict."""
    with pytest.raises(Conflict):
        lab.discover(eid=OTHER_EID)


def test_a_discovery_is_cancelled_between_servers(lab: Lab) -> None:
    """A discovery can be cancelled before its first query to a server."""

    def stop(_: ServerAddress) -> None:
        raise Cancelled("taken back")

    with pytest.raises(Cancelled):
        lab.discover(on_server=stop)
    assert lab.asked == []


def test_a_download_from_an_sm_ds(lab: Lab) -> None:
    """A download from an SM-DS ends before the card signs anything, with the advice to discover."""
    caller = Caller()
    lab.event("E-1")
    with pytest.raises(ServerListsEvents, match="lpactl discover --server"):
        lab.download(ROOT, caller)
    assert caller.steps[-1] is Step.INITIATE_AUTHENTICATION


def test_events_in_the_place_of_a_profile(lab: Lab) -> None:
    """If a server answers AuthenticateClient of a download with events, the session is cancelled."""
    lab.event("E-1")
    lab.root.faults.add(Fault(kind=FaultKind.OTHER_ROLE, function="initiateAuthentication"))
    caller = Caller()
    with pytest.raises(ServerListsEvents):
        lab.download(ROOT, caller)
    assert caller.steps[-2:] == [Step.AUTHENTICATE_CLIENT, Step.CANCEL_SESSION]
