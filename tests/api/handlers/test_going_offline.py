"""Requests that would take the device offline are refused unless they contain accept_offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from engine.lab import CARD, FIRST, SECOND
from lpad.engine.change.change import RESCUE, Kind
from lpad.engine.change.params import DisableParams
from lpad.engine.policy.switching import SwitchPolicy
from lpad.engine.running.change_question_answer import Answer

if TYPE_CHECKING:
    from api.gateway import Gateway

EUICC = f"/v1/euiccs/{CARD}"


@pytest.fixture
def online(gateway: Gateway) -> Gateway:
    """Return a gateway whose card is in a modem, with one of two profiles enabled."""
    lab = gateway.lab
    lab.install()
    lab.install(iccid=SECOND, name="Second")
    lab.carry_out(Kind.ENABLE, iccid=FIRST)
    lab.engine.become([replace(lab.port, device="/dev/ttyUSB2")])
    lab.carry_out(Kind.REFRESH)
    return gateway


def post(gateway: Gateway, path: str, **body: Any) -> Any:
    return gateway.http.post(f"{EUICC}/{path}?wait=30", json=body)


@pytest.mark.parametrize(
    ("path", "body"),
    [(f"profiles/{FIRST}/disable", {}), ("reset", {"operational_profiles": True})],
)
def test_requests_that_take_the_device_offline_are_refused(
    online: Gateway, path: str, body: dict[str, Any]
) -> None:
    """Such a request gets 409, which names the profile and `accept_offline`; the profile stays enabled."""
    response = post(online, path, **body)
    problem = response.json()
    assert (response.status_code, problem["kind"]) == (409, "would-go-offline")
    assert problem["details"] == {"iccid": FIRST, "name": "First"}
    assert "accept_offline" in problem["detail"]
    assert online.get(f"{EUICC}/profiles/{FIRST}")["state"] == "enabled"


@pytest.mark.parametrize(
    ("path", "body"),
    [(f"profiles/{FIRST}/disable", {}), ("reset", {"operational_profiles": True})],
)
def test_accept_offline_has_such_a_request_carried_out(
    online: Gateway, path: str, body: dict[str, Any]
) -> None:
    """With accept_offline, a request that takes the device offline is carried out."""
    assert post(online, path, **body, accept_offline=True).json()["state"] == "done"


def test_changes_that_leave_the_enabled_profile_are_done(online: Gateway) -> None:
    """Disabling a disabled profile, or resetting test profiles and the default SM-DP+, is not refused."""
    assert post(online, f"profiles/{SECOND}/disable").json()["state"] == "done"
    assert post(online, "reset", test_profiles=True, default_smdp=True).json()["state"] == "done"


def test_a_card_in_a_reader_is_exempt(online: Gateway) -> None:
    """For a card in a reader, no request is refused, because a reader makes no data connection."""
    online.lab.engine.become([online.lab.port])
    online.lab.carry_out(Kind.REFRESH)
    assert post(online, f"profiles/{FIRST}/disable").json()["state"] == "done"


def test_the_owner_of_a_bench_accepts_it_for_every_request(online: Gateway) -> None:
    """The setting `switching.accept_offline` accepts all requests, for benches with another connection."""
    lab = online.lab
    policy = SwitchPolicy(accept_offline=True)
    lab.engine.become([replace(lab.port, device="/dev/ttyUSB2", policy=policy)])
    lab.carry_out(Kind.REFRESH)
    assert post(online, f"profiles/{FIRST}/disable").json()["state"] == "done"


def test_the_profile_is_checked_again_when_the_change_runs(online: Gateway) -> None:
    """A request that was harmless at first is refused if its profile is enabled when the change runs."""
    lab = online.lab
    enabling = lab.submit(Kind.ENABLE, iccid=SECOND)
    change = lab.submit(Kind.DISABLE, iccid=SECOND)
    assert lab.ended(enabling.id).error is None
    ended = lab.ended(change.id)
    assert ended.error is not None
    assert ended.error.kind == "would-go-offline"


def test_a_card_that_was_moved_to_a_reader_is_exempt_when_it_runs(online: Gateway) -> None:
    """When a change begins, lpad checks again where the card is; a card in a reader is then exempt."""
    lab = online.lab
    enabling = lab.submit(Kind.ENABLE, iccid=SECOND)
    change = lab.submit(Kind.DISABLE, iccid=SECOND)
    lab.engine.become([lab.port])
    assert lab.ended(enabling.id).error is None
    assert lab.ended(change.id).error is None
    assert lab.card.enabled_iccid is None


def test_rescue_is_exempt(online: Gateway) -> None:
    """Rescue may disable the only enabled profile, although the device then goes offline."""
    lab = online.lab
    change = lab.engine.submit(CARD, DisableParams(iccid=FIRST), origin=RESCUE).change
    assert lab.ended(change.id).error is None
    assert lab.card.enabled_iccid is None


def test_a_rollback_is_exempt(online: Gateway) -> None:
    """A rollback may return to no profile if none was enabled before the guarded switch."""
    lab = online.lab
    lab.carry_out(Kind.DISABLE, iccid=FIRST, accept_offline=True)
    change = lab.asked(lab.submit(Kind.ENABLE, iccid=SECOND, guard={"until": ["confirm"]}).id)
    lab.engine.answer(change.id, Answer(confirm=False))
    ended = lab.ended(change.id)
    assert ended.error is not None
    assert (ended.error.kind, ended.error.details["enabled"]) == ("switch-rolled-back", "")
    assert lab.card.enabled_iccid is None


def test_a_repetition_is_not_a_new_request(online: Gateway) -> None:
    """The same request with the same key leads to the same change, whatever was enabled in the meantime."""
    headers = {"Idempotency-Key": "once-and-only-once"}
    path = f"{EUICC}/profiles/{SECOND}/disable?wait=30"
    first = online.http.post(path, headers=headers, json={}).json()
    online.lab.carry_out(Kind.ENABLE, iccid=SECOND)
    again = online.http.post(path, headers=headers, json={})
    assert (again.status_code, again.json()["id"]) == (200, first["id"])


def test_deleting_the_enabled_profile_stays_a_conflict(online: Gateway) -> None:
    """Deleting the enabled profile is refused as a `conflict`, not as `would-go-offline`."""
    change = online.http.delete(f"{EUICC}/profiles/{FIRST}?wait=30").json()
    assert change["error"]["kind"] == "conflict"
