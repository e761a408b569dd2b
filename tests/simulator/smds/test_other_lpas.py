"""The simulated SM-DS with an LPA other than lpad's: its forms of requests, and its answers.

The LPA is the small one of the simulated SM-DP+'s tests; it shares no code with lpad's own.
"""

from __future__ import annotations

import base64
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from lpad.codec.x509.certificate_holder_and_role import Certificate, Role
from lpad.simulator.pki.pki import DEFAULT_EID
from lpad.simulator.smds.server import events_of, make_smds
from simulator.smdp.bench import Connection, Fields, TestCard, Visit, b64, decoded, status_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki
    from lpad.simulator.smdp.server import SmDp

NAME, SMDP = "smds.example.com", "smdp.example.com"


@pytest.fixture
def smds(pki: Pki, tmp_path: Path) -> Iterator[SmDp]:
    """An SM-DS with two events for the card, and one for another card."""
    with make_smds(tmp_path / "smds", pki=pki, host=NAME) as server:
        events = events_of(server.folder)
        for event_id in ("Second-2", "FIRST-1"):
            events.register(eid=DEFAULT_EID.digits, address=SMDP, event_id=event_id)
        events.register(eid="89049032000000000000000000000000", address=SMDP, event_id="OTHERS")
        yield server


@pytest.fixture
def visit(smds: SmDp, pki: Pki) -> Iterator[Visit]:
    """A card that is connected to the SM-DS."""
    connection = Connection(smds, pki)
    yield Visit(smds, TestCard.of(pki), connection)
    connection.close()


def proof(visit: Visit, **details: Any) -> bytes:
    """Return the card's signed answer to the server's first answer."""
    return visit.card.authenticate_server(visit.initiated, **details)


def authenticated(visit: Visit, response: str, *, transaction_id: str | None = None) -> Fields:
    fields = {
        "transactionId": transaction_id or visit.initiated["transactionId"],
        "authenticateServerResponse": response,
    }
    return visit.connection.call("authenticateClient", fields)


def ids(answer: Fields) -> list[str]:
    assert status_of(answer) == "Executed-Success"
    return [each["eventId"] for each in answer["eventEntries"]]


@pytest.mark.parametrize("matching_id", [None, ""])
def test_no_matching_id_means_all_events(visit: Visit, matching_id: str | None) -> None:
    """Without a matching ID, or with an empty one, all events of the card come in order of registration."""
    visit.initiate()
    assert authenticated(visit, b64(proof(visit, matching_id=matching_id))) == {
        "header": {"functionExecutionStatus": {"status": "Executed-Success"}},
        "transactionId": visit.initiated["transactionId"],
        "eventEntries": [
            {"eventId": "Second-2", "rspServerAddress": SMDP},
            {"eventId": "FIRST-1", "rspServerAddress": SMDP},
        ],
    }


def test_an_id_asks_for_one_event(visit: Visit) -> None:
    """With an event's ID, the answer has that event; with another case, it is refused with 8.9.5/3.9."""
    visit.initiate()
    assert ids(authenticated(visit, b64(proof(visit, matching_id="FIRST-1")))) == ["FIRST-1"]
    visit.initiate()
    answer = authenticated(visit, b64(proof(visit, matching_id="first-1")))
    assert status_of(answer) == "8.9.5/3.9"
    assert answer["header"]["functionExecutionStatus"]["status"] == "Failed"


def test_the_first_answer_is_that_of_es9plus(visit: Visit) -> None:
    """The first answer has the fields of ES9+, the server's name, and an SM-DS's certificate."""
    answer = visit.initiate()
    assert set(answer) == {
        "header",
        "transactionId",
        "serverSigned1",
        "serverSignature1",
        "euiccCiPKIdToBeUsed",
        "serverCertificate",
    }
    signed = decoded("ServerSigned1", answer["serverSigned1"])
    assert signed["serverAddress"].partition(":")[0] == NAME
    assert signed["transactionId"].hex().upper() == answer["transactionId"]
    certificate = Certificate.decode(base64.b64decode(answer["serverCertificate"]))
    assert set(certificate.roles) == {Role.DS_AUTH}


@pytest.mark.parametrize("form", ["{name}", "{name}:{port}", "{upper}", "testrootsmds.example.com"])
def test_the_name_in_the_request(visit: Visit, smds: SmDp, form: str) -> None:
    """The server accepts its names with or without a port, and in capitals."""
    told = form.format(name=NAME, port=smds.port, upper=NAME.upper())
    assert status_of(visit.initiate(smdpAddress=told)) == "Executed-Success"
    assert ids(authenticated(visit, b64(proof(visit)))) == ["Second-2", "FIRST-1"]


def test_another_servers_name_is_refused(visit: Visit) -> None:
    """Another server's name is refused with 8.9.1/3.8."""
    assert status_of(visit.initiate(smdpAddress="lpa.ds.gsma.com")) == "8.9.1/3.8"


def test_forms_of_json_and_base64(visit: Visit) -> None:
    """Unknown fields, unusual base64 and a transaction ID in lower case are accepted."""
    visit.initiate(
        euiccChallenge=b64(visit.card.challenge).rstrip("="),
        header={"functionRequesterIdentifier": "x", "functionCallIdentifier": "y"},
        lpaRspCapability="AAAA",
    )
    response = "\r\n".join(textwrap.wrap(b64(proof(visit)), 76)).rstrip("=")
    answer = authenticated(visit, response, transaction_id=visit.initiated["transactionId"].lower())
    assert ids(answer) == ["Second-2", "FIRST-1"]


@pytest.mark.parametrize("protocol", ["gsma/rsp/v2.0.0", "gsma/rsp/v2.2.0", "gsma/rsp/v3.1.0"])
def test_the_requests_protocol_comes_back(visit: Visit, protocol: str) -> None:
    """The answer repeats the request's X-Admin-Protocol.

    Content-Type may have parameters, and User-Agent may be anything.
    """
    headers = {"X-Admin-Protocol": protocol, "User-Agent": "other", "Content-Type": "application/json; x=y"}
    response = visit.connection.post("initiateAuthentication", b"{}", **headers)
    response.read()
    assert response.headers["X-Admin-Protocol"] == protocol
    assert response.headers["Content-Type"].startswith("application/json")


def test_a_transaction_is_for_one_question(visit: Visit) -> None:
    """A second authenticateClient in the same transaction is refused with 8.10.1/3.9."""
    visit.initiate()
    response = b64(proof(visit))
    assert ids(authenticated(visit, response)) == ["Second-2", "FIRST-1"]
    assert status_of(authenticated(visit, response)) == "8.10.1/3.9"


@pytest.mark.parametrize("function", ["cancelSession", "getBoundProfilePackage", "handleNotification"])
def test_functions_that_an_sm_ds_lacks(visit: Visit, function: str) -> None:
    """A function that an SM-DS lacks gets 404, and the session continues."""
    visit.initiate()
    response = visit.connection.post(function, b"{}")
    response.read()
    assert response.status == 404
    assert ids(authenticated(visit, b64(proof(visit)))) == ["Second-2", "FIRST-1"]
