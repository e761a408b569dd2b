"""The simulated SM-DP+'s HTTP and TLS."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from typing import TYPE_CHECKING

import pytest

from lpad.simulator.pki.credential import Curve
from lpad.simulator.pki.pki import Pki
from lpad.simulator.smdp.address_file import AddressFile
from lpad.simulator.smdp.functions.faults import TlsIdentity
from lpad.simulator.smdp.server import SmDp
from simulator.smdp.bench import PREFIX, Connection, TestCard, Visit, b64, status_of

if TYPE_CHECKING:
    from pathlib import Path


def test_server_is_verified_by_name_with_the_ci_alone(smdp: SmDp, pki: Pki) -> None:
    """A TLS client that trusts only the CIs accepts the server as localhost and by SGP.26's name."""
    for name in ("localhost", "testsmdpplus1.example.com"):
        connection = Connection(smdp, pki, name=name)
        assert connection.post("handleNotification", b"{}").status == 400
        connection.close()


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        (TlsIdentity.EXPIRED, "expired"),
        (TlsIdentity.OTHER_NAME, "Hostname mismatch"),
        (TlsIdentity.UNKNOWN_CA, "unable to get local issuer|self.signed"),
    ],
)
def test_unfit_certificate_is_noticed_by_clients(
    smdp: SmDp, pki: Pki, identity: TlsIdentity, reason: str
) -> None:
    """With an invalid certificate, a client fails for its reason; the valid one can be restored."""
    smdp.show(identity)
    connection = Connection(smdp, pki)
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        connection.post("handleNotification", b"{}")
    smdp.show(TlsIdentity.GOOD)
    assert connection.post("handleNotification", b"{}").status == 400
    connection.close()
    assert smdp.counters.tcp_connects == 2


def test_old_tls_is_refused(smdp: SmDp, pki: Pki) -> None:
    """A client that supports at most TLS 1.1 is refused."""
    context = ssl.create_default_context(cadata=pki.ci[Curve.NIST].der)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    for bound in ("minimum_version", "maximum_version"):
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            setattr(context, bound, ssl.TLSVersion.TLSv1_1)
    with (
        socket.create_connection(("127.0.0.1", smdp.port), timeout=10) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain, server_hostname="localhost")


def test_answers_carry_the_headers_of_the_binding(connection: Connection) -> None:
    """An answer has the content type JSON and repeats the request's X-Admin-Protocol."""
    response = connection.post("cancelSession", b"{}", **{"X-Admin-Protocol": "gsma/rsp/v2.3.0"})
    body = json.loads(response.read())
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/json;charset=UTF-8"
    assert response.headers["X-Admin-Protocol"] == "gsma/rsp/v2.3.0"
    assert status_of(body) == "1.6/2.1"
    failed = body["header"]["functionExecutionStatus"]
    assert failed["status"] == "Failed"
    assert failed["statusCodeData"]["message"]


def test_empty_answer_has_a_type_too(visit: Visit) -> None:
    """The answer 204 has the content type JSON, because a client in the field requires this header."""
    notification = visit.card.installation_result(bytes(16), "x")
    body = json.dumps({"pendingNotification": b64(notification)}).encode()
    response = visit.connection.post("handleNotification", body)
    assert (response.status, response.read()) == (204, b"")
    assert response.headers["Content-Type"].startswith("application/json")
    assert response.headers["Content-Length"] is None


def test_client_without_the_version_header_is_served(connection: Connection) -> None:
    """If X-Admin-Protocol is empty, the server answers with its own version."""
    response = connection.post("cancelSession", b"{}", **{"X-Admin-Protocol": ""})
    response.read()
    assert response.headers["X-Admin-Protocol"].startswith("gsma/rsp/v2.")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe"])
def test_body_that_is_not_a_json_object_is_a_bad_request(connection: Connection, body: bytes) -> None:
    """A body that is not a JSON object gets 400 with the status 1.6/2.1."""
    response = connection.post("initiateAuthentication", body)
    assert response.status == 400
    assert status_of(json.loads(response.read())) == "1.6/2.1"


def test_connection_survives_failures(visit: Visit) -> None:
    """After an unknown path (404) and another method (501), the connection can still be used."""
    http = visit.connection
    for function in ("nothing", "../es2plus/downloadOrder"):
        response = http.post(function, b"{}")
        response.read()
        assert response.status == 404
    http.connection.request("GET", PREFIX)
    response = http.connection.getresponse()
    response.read()
    assert response.status == 501
    assert status_of(visit.initiate()) == "Executed-Success"


def test_oversized_request_is_refused(connection: Connection) -> None:
    """A request whose Content-Length is too large gets 413 before its body is sent."""
    connection.post("initiateAuthentication", b"{}").read()
    connection.connection.putrequest("POST", PREFIX + "initiateAuthentication")
    connection.connection.putheader("Content-Length", "2000000")
    connection.connection.endheaders()
    assert connection.connection.getresponse().status == 413


def test_chunked_request_is_read(visit: Visit, card: TestCard) -> None:
    """A request in chunks, without a Content-Length, is read."""
    fields = {"smdpAddress": visit.smdp.address, "euiccChallenge": "AA==", "euiccInfo1": "AA=="}
    body = json.dumps(fields).encode()
    visit.connection.post("cancelSession", b"{}").read()
    visit.connection.connection.request(
        "POST", PREFIX + "initiateAuthentication", iter([body[:20], body[20:]]), encode_chunked=True
    )
    response = visit.connection.connection.getresponse()
    assert status_of(json.loads(response.read())) == "1.6/2.1"


@pytest.mark.parametrize(
    ("size", "status"), [(b"zz", 400), (b"-5", 400), (b"", 400), (b"0x2", 400), (b"FFFFFFFF", 413)]
)
def test_chunks_of_an_impossible_size(visit: Visit, size: bytes, status: int) -> None:
    """A chunk size that is not a number gets 400, a too large one 413; the server then closes."""
    http = visit.connection.connection
    visit.connection.post("cancelSession", b"{}").read()
    http.putrequest("POST", PREFIX + "cancelSession")
    http.putheader("Transfer-Encoding", "chunked")
    http.endheaders(size + b"\r\n{}\r\n0\r\n\r\n")
    response = http.getresponse()
    assert (response.status, response.headers["Connection"]) == (status, "close")


def test_parallel_connections_are_served(smdp: SmDp, pki: Pki) -> None:
    """While one connection is open and silent, another one is served."""
    with socket.create_connection(("127.0.0.1", smdp.port), timeout=10):
        connection = Connection(smdp, pki)
        assert connection.post("handleNotification", b"{}").status == 400
        connection.close()


def test_stop_cuts_connections_and_ends_all_threads(pki: Pki, tmp_path: Path) -> None:
    """When a server stops, its connections and threads end, and its port can be used again."""
    before = threading.active_count()
    server = SmDp(tmp_path / "smdp", pki=pki)
    server.start()
    port = server.port
    connection = Connection(server, pki)
    connection.post("handleNotification", b"{}").read()
    with socket.create_connection(("127.0.0.1", port), timeout=10):
        server.stop()
    assert threading.active_count() == before
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.close()
    with SmDp(tmp_path / "smdp", pki=pki, port=port) as again:
        assert again.port == port


def test_the_folder_has_the_servers_address_and_oid(smdp: SmDp) -> None:
    """The server's folder has a file with its address and OID."""
    told = AddressFile.read(smdp.folder)
    assert (told.address, told.oid) == (smdp.address, "2.999.10")
    assert smdp.address == f"localhost:{smdp.port}"


@pytest.mark.test_data
def test_published_pki_serves(test_data: Path, tmp_path: Path) -> None:
    """With SGP.26's PKI and name, a download works, and SGP.26's TLS certificates are used."""
    pki = Pki.open(test_data / "sgp26", minted=tmp_path / "minted")
    name = "testsmdpplus1.example.com"
    with SmDp(tmp_path / "smdp", pki=pki, host=name, aliases=()) as smdp:
        connection = Connection(smdp, pki, name=name)
        visit = Visit(smdp, TestCard.of(pki), connection)
        profile = (test_data / "upp" / "TS48V3-SAIP2-3-BERTLV-UNIQUE.der").read_bytes()
        order = smdp.orders.add_order(profile)
        opened = visit.card.load(visit.up_to_package(order.matching_id), pki.dp_pb[Curve.NIST])
        assert b"".join(opened["profilePieces"]) == profile
        shown = connection.connection.sock.getpeercert(binary_form=True)
        assert shown in {path.read_bytes() for path in (test_data / "sgp26" / "dptls").glob("*NIST.valid*")}
        connection.close()
        smdp.show(TlsIdentity.EXPIRED)
        late = Connection(smdp, pki, name=name)
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            late.post("handleNotification", b"{}")
