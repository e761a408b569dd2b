"""Discovery with unusual servers, addresses and codes, and for devices without an IMEI."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from lpa.bench import DEVICE, Caller
from lpa.smds_lab import ALTERNATIVE, ROOT, SMDP, Lab, errors, events
from lpad.base.errors import ServerListsEvents
from lpad.codec.asn1 import tlv
from lpad.lpa.euicc import Euicc
from lpad.protocol.download_state_table import Step
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from lpad.simulator.pki.credential import Curve
from lpad.simulator.smdp.functions.faults import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from lpa.conftest import MakeBench
    from lpad.codec.messages.authentication import AuthenticateServerRequest
    from lpad.simulator.pki.pki import Pki

MATCHING_ID, DEVICE_INFO, IMEI, CAPABILITIES = 0x80, 0xA1, 0x82, 0xA1
"""Elements of ctxParams1 (SGP.22 v2.5, 5.7.13)."""


@pytest.fixture
def lab(make_bench: MakeBench, pki: Pki, tmp_path: Path) -> Iterator[Lab]:
    """A lab with the card and the servers of a discovery."""
    with make_bench(host=SMDP) as bench, ExitStack() as running:
        yield Lab(bench, pki, tmp_path, running)


@pytest.fixture
def signed(monkeypatch: pytest.MonkeyPatch) -> list[tlv.Tlv]:
    """A list to which the ctxParams1 of each AuthenticateServer is added."""
    seen: list[tlv.Tlv] = []
    original = Euicc.authenticate_server

    def watched(euicc: Euicc, request: AuthenticateServerRequest, **details: Any) -> Any:
        seen.append(tlv.parse(request.ctx_params1))
        return original(euicc, request, **details)

    monkeypatch.setattr(Euicc, "authenticate_server", watched)
    return seen


def test_all_events_are_asked_for_without_a_matching_id(lab: Lab, signed: list[tlv.Tlv]) -> None:
    """Lpad sends no matching ID, an empty one after a refusal, and the event's ID in a cascade."""
    lab.event("R-1", ALTERNATIVE)
    lab.event("E-1", SMDP, at=ALTERNATIVE, forwarded_as="R-1")
    lab.root.faults.add(Fault(kind=FaultKind.REFUSE, function="authenticateClient", value="8.2.6/3.8"))
    assert events(lab.discover()) == [("E-1", SMDP)]
    sent = [element.value if (element := each.find(MATCHING_ID)) else None for each in signed]
    assert sent == [None, b"", b"R-1"]


def test_a_device_without_an_imei(lab: Lab, signed: list[tlv.Tlv]) -> None:
    """For a device without an IMEI, a discovery sends the device's capabilities, but no IMEI."""
    lab.event("E-1")
    assert events(lab.discover(device=replace(DEVICE, imei=None))) == [("E-1", SMDP)]
    lab.discover()
    info = [each.get(DEVICE_INFO) for each in signed]
    assert [each.find(IMEI) is not None for each in info] == [False, True]
    assert all(each.find(CAPABILITIES) is not None for each in info)


@pytest.mark.parametrize("curves", [(Curve.NIST,), (Curve.BRAINPOOL,)])
def test_an_sm_ds_of_another_ci(
    make_bench: MakeBench, pki: Pki, tmp_path: Path, curves: tuple[Curve, ...]
) -> None:
    """An SM-DS without a CI that the card trusts has the error 8.9.4/3.7, and the next is asked."""
    other = Curve.BRAINPOOL if curves == (Curve.NIST,) else Curve.NIST
    behaviour = CardBehaviour(verification_curves=curves)
    with make_bench(host=SMDP, behaviour=behaviour) as bench, ExitStack() as running:
        lab = Lab(bench, pki, tmp_path, running)
        lab.add_smds("other.example.com", curve=other)
        lab.event("E-1")
        found = lab.discover("other.example.com", ROOT)
        assert events(found) == [("E-1", SMDP)]
        error = found.servers[0].error
        assert error is not None
        assert (error.details.get("subject_code"), error.details.get("reason_code")) == ("8.9.4", "3.7")
        assert "SM-DS" in error.sentence


@pytest.mark.parametrize("event_id", ["lower-Case", "E_1.a/b+c=", "Ereignis \u00fc", "e" * 255])
def test_an_event_id_goes_to_its_server_as_it_is(lab: Lab, signed: list[tlv.Tlv], event_id: str) -> None:
    """An event's ID stays unchanged in the list of events, and as the matching ID of the download."""
    lab.bench.order(matching_id=event_id, eid=lab.bench.card.eid)
    lab.event(event_id)
    (event,) = lab.discover().events
    assert event.entry.event_id == event_id
    lab.download(str(event.entry.address), Caller(), event_id=event.entry.event_id)
    assert signed[-1].get(MATCHING_ID).value == event_id.encode()


def test_an_address_with_a_port_in_capitals(lab: Lab) -> None:
    """Addresses that differ only in case or in the port 443 are the same server, which is asked once."""
    lab.event("E-1", "SMDP.Example.COM")
    lab.event("E-2", "smdp.example.com")
    lab.event("E-3", "smdp.example.com:443")
    lab.event("E-4", "smdp2.invalid:8443")
    found = events(lab.discover())
    assert found == [("E-1", SMDP), ("E-2", SMDP), ("E-3", SMDP), ("E-4", "smdp2.invalid:8443")]
    assert lab.asked.count(SMDP) == 1


def test_a_code_with_an_oid_that_leads_to_an_sm_ds(lab: Lab) -> None:
    """A download from an SM-DS raises ServerListsEvents even if the activation code has an OID."""
    caller = Caller()
    with pytest.raises(ServerListsEvents):
        lab.download(ROOT, caller, oid="2.999.10")
    assert caller.steps[-1] is Step.INITIATE_AUTHENTICATION


def test_a_discovery_leaves_no_session_behind(lab: Lab, signed: list[tlv.Tlv]) -> None:
    """After a discovery during which the SM-DS fails, a download works."""
    lab.event("E-1")
    lab.bench.order(matching_id="E-1", eid=lab.bench.card.eid)
    lab.root.faults.add(Fault(kind=FaultKind.DROP_BEFORE, function="authenticateClient", times=0))
    assert errors(lab.discover()) == {ROOT: "server-unreachable"}
    assert len(signed) >= 1
    lab.download(SMDP, Caller(), event_id="E-1")
    assert [str(each.iccid) for each in lab.bench.card.profiles]
