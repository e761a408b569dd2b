"""The required reactions of an LPA to mistakes of a server (based on SGP.23, 4.4), one for each case.

The cases run with the bench's own SM-DP+, and need only a card with a test CI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hil.place.place import PATIENCE
from lpad.simulator.smdp.functions.faults import Fault, FaultKind, TlsIdentity

if TYPE_CHECKING:
    from hil.orders.own_smdp import OwnServer
    from hil.place.place import Place
    from lpad.client import Change

pytestmark = pytest.mark.needs("server")

INITIATE, AUTHENTICATE, GET_PACKAGE = "initiateAuthentication", "authenticateClient", "getBoundProfilePackage"

BEFORE_LOADING = {
    # initiateAuthentication and the server's first signature
    "transaction ID differs": (INITIATE, FaultKind.WRONG_TRANSACTION_ID, None, "server-malformed"),
    "signed transaction ID differs": (INITIATE, FaultKind.SIGNED_TRANSACTION_ID, None, "server-malformed"),
    "signed address of another server": (
        INITIATE,
        FaultKind.SIGNED_ADDRESS,
        "evil.example",
        "server-untrusted",
    ),
    "signed challenge differs": (INITIATE, FaultKind.SIGNED_CHALLENGE, None, "server-malformed"),
    "server's signature is wrong": (INITIATE, FaultKind.BAD_SIGNATURE, None, "card-refused"),
    "server's certificate is wrong": (INITIATE, FaultKind.BAD_CERTIFICATE, None, "card-refused"),
    "server's CI is unknown": (INITIATE, FaultKind.UNKNOWN_CI, None, "card-refused"),
    "server certificate with another role": (INITIATE, FaultKind.OTHER_ROLE, None, "card-refused"),
    "server selects a CI that the card did not offer": (
        INITIATE,
        FaultKind.OTHER_SIGNING_CI,
        None,
        "server-malformed",
    ),
    "server's OID differs from the one in the code": (
        INITIATE,
        FaultKind.OTHER_OID,
        None,
        "server-untrusted",
    ),
    "a certificate is missing": (INITIATE, FaultKind.FIELD_MISSING, "serverCertificate", "server-malformed"),
    "a signature is not valid base64": (
        INITIATE,
        FaultKind.BASE64_BROKEN,
        "serverSignature1",
        "server-malformed",
    ),
    "signed data lacks a byte": (INITIATE, FaultKind.DER_BROKEN, "serverSigned1", "server-malformed"),
    # authenticateClient and the second signature
    "package's signature is wrong": (AUTHENTICATE, FaultKind.BAD_SIGNATURE, None, "card-refused"),
    "package's certificate is wrong": (AUTHENTICATE, FaultKind.BAD_CERTIFICATE, None, "card-refused"),
    "package's certificate belongs to another server": (
        AUTHENTICATE,
        FaultKind.OTHER_OID,
        None,
        "server-untrusted",
    ),
    "package's certificate has another role": (AUTHENTICATE, FaultKind.OTHER_ROLE, None, "card-refused"),
    "second signed transaction ID differs": (
        AUTHENTICATE,
        FaultKind.SIGNED_TRANSACTION_ID,
        None,
        "server-malformed",
    ),
    "metadata are missing": (AUTHENTICATE, FaultKind.FIELD_MISSING, "profileMetadata", "server-malformed"),
    "metadata lack a byte": (AUTHENTICATE, FaultKind.DER_BROKEN, "profileMetadata", "server-malformed"),
    # transport
    "a web page": (INITIATE, FaultKind.BODY_HTML, None, "server-malformed"),
    "not JSON": (INITIATE, FaultKind.BODY_MALFORMED, None, "server-malformed"),
    "an empty body": (INITIATE, FaultKind.BODY_EMPTY, None, "server-malformed"),
    "half an answer": (INITIATE, FaultKind.BODY_TRUNCATED, None, "server-unreachable"),
    "answer exceeds the maximum size": (INITIATE, FaultKind.BODY_OVERSIZED, None, "server-malformed"),
    "redirected elsewhere": (AUTHENTICATE, FaultKind.REDIRECT, "https://evil.example/", "server-unreachable"),
    "HTTP 500": (AUTHENTICATE, FaultKind.HTTP_STATUS, 500, "server-failed"),
    "connection cut": (AUTHENTICATE, FaultKind.DROP_BEFORE, None, "server-unreachable"),
    "no package in the answer": (GET_PACKAGE, FaultKind.FIELD_MISSING, None, "server-malformed"),
}
"""Faults by name, each with its function, kind and value, and the required kind of error."""

REFUSALS = {
    INITIATE: ("8.8.1/3.8", "8.8.2/3.1", "8.8.3/3.1", "8.8.4/3.7"),
    AUTHENTICATE: (
        "8.1/4.8",
        "8.1.1/3.8",
        "8.2/1.2",
        "8.2.5/4.3",
        "8.2.6/3.8",
        "8.8.5/4.10",
        "8.8.5/6.4",
    ),
    GET_PACKAGE: ("8.2.7/6.4",),
}
"""Subject and reason codes of refusals, by function (SGP.22 v2.5, 5.6)."""

IN_THE_PACKAGE = {
    "metadata differ from those shown": (AUTHENTICATE, FaultKind.METADATA_MISMATCH, "server-malformed"),
    "length of the package is wrong": (GET_PACKAGE, FaultKind.BPP_OUTER_LENGTH, "server-malformed"),
    "no metadata in the package": (GET_PACKAGE, FaultKind.BPP_NO_METADATA, "server-malformed"),
    "no profile in the package": (GET_PACKAGE, FaultKind.BPP_NO_PROFILE, "server-malformed"),
    "bytes after the package": (GET_PACKAGE, FaultKind.BPP_TRAILING_BYTES, "server-malformed"),
    "package of another transaction": (GET_PACKAGE, FaultKind.BPP_TRANSACTION_ID, "server-malformed"),
    "signature in the package is wrong": (GET_PACKAGE, FaultKind.BPP_SIGNATURE, "card-refused"),
    "key type in the package is wrong": (GET_PACKAGE, FaultKind.BPP_KEY_TYPE, "card-refused"),
    "operation in the package is wrong": (GET_PACKAGE, FaultKind.BPP_OPERATION, "card-refused"),
    "one bit of the package is flipped": (GET_PACKAGE, FaultKind.BPP_BIT_FLIP, "card-refused"),
}
"""Faults that a card may notice only while it loads the package; each case tests the next download, too."""

PECULIAR = {
    "lower-case transaction ID": Fault(kind=FaultKind.LOWER_CASE_TRANSACTION_ID, times=0),
    "line breaks in base64": Fault(kind=FaultKind.BASE64_NEWLINES, times=0),
    "base64 without padding": Fault(kind=FaultKind.BASE64_UNPADDED, times=0),
    "ExecutedSuccess": Fault(kind=FaultKind.STATUS, value="ExecutedSuccess", times=0),
    "Executed-WithWarning": Fault(kind=FaultKind.STATUS, value="Executed-WithWarning", times=0),
    "notification answered with a body": Fault(
        kind=FaultKind.BODY_SUCCESS, function="handleNotification", times=0
    ),
    "notification answered 200": Fault(kind=FaultKind.BODY_EMPTY, function="handleNotification", times=0),
}
"""Deviations of servers in the field, which are not errors."""


def fails(place: Place, server: OwnServer, fault: Fault) -> Change:
    """Check that a download with a fault fails and installs no profile, and return the change."""
    before = {profile.iccid for profile in place.client.profiles(place.name)}
    server.do_wrong(fault)
    change = place.client.download_leased(place.name, server.order(place.eid), retry_for=0, wait=PATIENCE)
    server.do_right()
    assert change.error is not None, "the change was done"
    assert len(change.error.sentence) > 20, "the sentence must state what to do"
    assert {profile.iccid for profile in place.client.profiles(place.name)} == before
    return change


def works(place: Place, server: OwnServer) -> None:
    """Download a profile, and delete it again."""
    done = place.client.download_leased(place.name, server.order(place.eid), wait=PATIENCE).check()
    place.client.delete(place.name, str((done.result or {})["iccid"]), wait=PATIENCE).check()


@pytest.mark.parametrize("wrong", BEFORE_LOADING)
def test_before_loading(place: Place, server: OwnServer, wrong: str) -> None:
    """A fault before loading leads to the required kind of error, and no profile is installed."""
    function, kind, value, told = BEFORE_LOADING[wrong]
    change = fails(place, server, Fault(kind=kind, function=function, value=value, times=9))
    assert change.error is not None
    assert change.error.kind == told, change.error


@pytest.mark.parametrize(
    ("function", "codes"), [(function, codes) for function, all_of in REFUSALS.items() for codes in all_of]
)
def test_refusal(place: Place, server: OwnServer, function: str, codes: str) -> None:
    """A server's refusal is reported with its codes, and nothing is installed."""
    change = fails(place, server, Fault(kind=FaultKind.REFUSE, function=function, value=codes, times=9))
    assert change.error is not None
    assert change.error.kind == "server-refused", change.error
    told = change.error.details
    assert f"{told['subject_code']}/{told['reason_code']}" == codes


@pytest.mark.parametrize("wrong", IN_THE_PACKAGE)
def test_in_the_package(place: Place, server: OwnServer, wrong: str) -> None:
    """A fault in the package leads to the required error and no profile, and the next download works."""
    function, kind, told = IN_THE_PACKAGE[wrong]
    change = fails(place, server, Fault(kind=kind, function=function))
    assert change.error is not None
    assert change.error.kind == told, change.error
    works(place, server)


@pytest.mark.parametrize("identity", [each for each in TlsIdentity if each is not TlsIdentity.GOOD])
def test_tls(place: Place, server: OwnServer, identity: TlsIdentity) -> None:
    """A download from a server that cannot prove its identity fails with `server-untrusted`."""
    server.show(identity)
    change = place.client.download_leased(place.name, server.order(place.eid), retry_for=0, wait=PATIENCE)
    assert change.error is not None
    assert change.error.kind == "server-untrusted", change.error


@pytest.mark.parametrize("fault", PECULIAR.values(), ids=PECULIAR)
def test_peculiar(place: Place, server: OwnServer, fault: Fault) -> None:
    """A harmless deviation does not make the download fail."""
    server.do_wrong(fault)
    works(place, server)


def test_the_next_download_works(place: Place, server: OwnServer) -> None:
    """After all faults, another download succeeds."""
    works(place, server)
