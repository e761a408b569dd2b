"""The simulated SM-DP+ answers any bytes with an HTTP status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpad.base.identifiers import Iccid
from lpad.simulator.profile_package.made_up_profile import made_up_profile
from lpad.simulator.smdp.functions.faults import ActiveFaults
from lpad.simulator.smdp.server import SmDp
from simulator.smdp.bench import Connection, TestCard, Visit, b64

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.simulator.pki.pki import Pki

ICCID = Iccid.parse("8949000000000000015")


@pytest.fixture(scope="module")
def standing(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """A visit at one server, which all examples of this file use."""
    with SmDp(tmp_path_factory.mktemp("smdp"), pki=pki) as smdp:
        connection = Connection(smdp, pki)
        smdp.orders.add_order(made_up_profile(ICCID, size=0), matching_id="FUZZ", attempt_limit=1_000_000)
        yield Visit(smdp, TestCard.of(pki), connection)
        connection.close()


def mangled(data: bytes, place: int, value: int, cut: int) -> bytes:
    """Return `data` with one changed byte, and without its last `cut` bytes."""
    altered = bytearray(data)
    altered[place % len(data)] = value
    return bytes(altered[: len(data) - cut])


def answered(visit: Visit, function: str, fields: dict[str, str]) -> int:
    return visit.smdp.carry_out(function, json.dumps(fields).encode(), ActiveFaults()).status


MANGLING = (st.integers(0, 5000), st.integers(0, 255), st.integers(0, 3))


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=20), st.binary(max_size=20), st.binary(max_size=60))
def test_any_first_request(standing: Visit, address: str, challenge: bytes, info1: bytes) -> None:
    """A request initiateAuthentication with any address, challenge and EUICCInfo1 gets the status 200."""
    fields = {"smdpAddress": address, "euiccChallenge": b64(challenge), "euiccInfo1": b64(info1)}
    assert answered(standing, "initiateAuthentication", fields) == 200


@settings(deadline=None, max_examples=80)
@given(*MANGLING)
def test_a_damaged_authentication_gets_an_answer(standing: Visit, place: int, value: int, cut: int) -> None:
    """A request authenticateClient with a changed byte or a missing end gets the HTTP status 200."""
    standing.initiate()
    response = standing.card.authenticate_server(standing.initiated, matching_id="FUZZ")
    fields = {
        "transactionId": standing.initiated["transactionId"],
        "authenticateServerResponse": b64(mangled(response, place, value, cut)),
    }
    assert answered(standing, "authenticateClient", fields) == 200


@settings(deadline=None, max_examples=40)
@given(*MANGLING)
def test_a_damaged_preparation_gets_an_answer(standing: Visit, place: int, value: int, cut: int) -> None:
    """A request getBoundProfilePackage with a changed byte or a missing end gets the HTTP status 200."""
    standing.up_to_metadata("FUZZ")
    response = standing.card.prepare_download(standing.authenticated)
    fields = {
        "transactionId": standing.initiated["transactionId"],
        "prepareDownloadResponse": b64(mangled(response, place, value, cut)),
    }
    assert answered(standing, "getBoundProfilePackage", fields) == 200


@settings(deadline=None, max_examples=100)
@given(place=MANGLING[0], value=MANGLING[1], cut=MANGLING[2], result=st.booleans())
def test_a_damaged_notification_is_accepted_or_a_bad_request(
    standing: Visit, place: int, value: int, cut: int, *, result: bool
) -> None:
    """A request handleNotification with a changed byte or a missing end gets 204 or 400."""
    card = standing.card
    whole = (
        card.installation_result(bytes(16), "x")
        if result
        else card.other_notification("x", 1, iccid=bytes(ICCID))
    )
    fields = {"pendingNotification": b64(mangled(whole, place, value, cut))}
    assert answered(standing, "handleNotification", fields) in (204, 400)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=100) | st.just(b"[" * 100_000))
def test_any_body_gets_an_answer(standing: Visit, body: bytes) -> None:
    """A request cancelSession with any bytes as its body gets 200 or 400."""
    assert standing.smdp.carry_out("cancelSession", body, ActiveFaults()).status in (200, 400)
