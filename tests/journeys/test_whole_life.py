"""The life of profiles, managed over the socket of a real daemon."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.base.identifiers import Iccid

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_download_switch_and_delete(own_gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """Two profiles are downloaded, switched, renamed and deleted; the operators get each notification."""
    client = own_gateway.client
    first, second = (
        str(own_gateway.download(own_gateway.order(profile())).check().result["iccid"])  # type: ignore[index]  # checked: done
        for _ in range(2)
    )
    client.enable(CARD, first, wait=PATIENCE).check()
    client.enable(CARD, second, wait=PATIENCE).check()
    client.rename(CARD, first, "Ersatz für später", wait=PATIENCE).check()
    states = {each.iccid: (each.state, each.nickname) for each in client.profiles(CARD)}
    assert states == {first: ("disabled", "Ersatz für später"), second: ("enabled", None)}
    assert own_gateway.card.enabled_iccid == Iccid.parse(second)

    client.disable(CARD, second, accept_offline=True, wait=PATIENCE).check()
    client.delete(CARD, first, wait=PATIENCE).check()
    client.delete(CARD, second, wait=PATIENCE).check()
    assert client.profiles(CARD) == []
    assert own_gateway.card.profiles == ()

    def told() -> set[tuple[str, str | None]]:
        return {(each.event, each.iccid) for each in own_gateway.server.notifications if each.verified}

    everything = {
        (event, iccid) for event in ("install", "enable", "disable", "delete") for iccid in (first, second)
    }
    own_gateway.until(lambda: told() == everything)
    own_gateway.until(lambda: not own_gateway.card.notifications)
    own_gateway.until(lambda: client.notifications(CARD) == [])


def test_operators_hear_in_order(own_gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """Notifications reach a server in ascending order of their numbers, and each arrives once."""
    iccid = str((own_gateway.download(own_gateway.order(profile())).check().result or {})["iccid"])
    for _ in range(3):
        own_gateway.client.enable(CARD, iccid, wait=PATIENCE).check()
        own_gateway.client.disable(CARD, iccid, accept_offline=True, wait=PATIENCE).check()
    own_gateway.until(lambda: not own_gateway.card.notifications)
    numbers = [each.sequence_number for each in own_gateway.server.notifications]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 2 + 6


def test_the_default_smdp_finds_the_order_by_eid(own_gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """With the default SM-DP+ in the card and no activation code, the server finds the order by the EID."""
    client = own_gateway.client
    own_gateway.server.orders.add_order(profile(), eid=own_gateway.card.eid)
    client.set_default_smdp(CARD, own_gateway.server.address, wait=PATIENCE).check()
    assert client.download(CARD, wait=PATIENCE).check().state == "done"
    assert len(client.profiles(CARD)) == 1


def test_verbs_are_idempotent(own_gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """Enabling an enabled profile, or disabling a disabled one, succeeds and leads to no notification."""
    client = own_gateway.client
    iccid = str((own_gateway.download(own_gateway.order(profile())).check().result or {})["iccid"])
    disable = partial(client.disable, accept_offline=True)
    for verb in (disable, client.enable, client.enable, disable, disable):
        verb(CARD, iccid, wait=PATIENCE).check()
    own_gateway.until(lambda: not own_gateway.card.notifications)
    assert [each.event for each in own_gateway.server.notifications] == [
        "install",
        "install",
        "enable",
        "disable",
    ]


def test_reset_empties_the_card(own_gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """A memory reset deletes even the enabled profile, and the server is notified of the deletion."""
    client = own_gateway.client
    own_gateway.download(own_gateway.order(profile()), enable=True).check()
    client.reset(CARD, operational_profiles=True, accept_offline=True, wait=PATIENCE).check()
    assert client.profiles(CARD) == []
    own_gateway.until(lambda: any(each.event == "delete" for each in own_gateway.server.notifications))


@pytest.mark.test_data
@pytest.mark.parametrize(
    "name", ["TS48V1-A-UNIQUE", "TS48V3-SAIP2-3-BERTLV-UNIQUE", "TS48V5-SAIP2-3-BERTLV-SUCI-UNIQUE"]
)
def test_published_profile_arrives_whole(test_data: Path, name: str) -> None:
    """A TS.48 profile arrives unchanged on a card; card and server have certificates of SGP.26."""
    package = (test_data / "upp" / f"{name}.der").read_bytes()
    with Gateway(sgp26=test_data / "sgp26") as gateway:
        gateway.ready()
        gateway.download(gateway.order(package)).check()
        assert [each.package for each in gateway.card.profiles] == [package]


def test_made_up_profile_arrives_whole(gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """A made-up profile arrives unchanged on the card."""
    package = profile()
    gateway.download(gateway.order(package)).check()
    assert package in [each.package for each in gateway.card.profiles]


def test_progress_is_reported_by_step_and_byte(gateway: Gateway, profile: Callable[[], bytes]) -> None:
    """A program that follows a download gets its progress in bytes up to the whole package, and its steps."""
    change = gateway.client.download(CARD, activation_code=gateway.order(profile()))
    events = list(gateway.client.follow(change.id))
    sent = [event.data["sent"] for event in events if event.type == "progress"]
    assert sent == sorted(sent)
    assert len(sent) > 3
    assert sent[-1] == next(event.data["total"] for event in events if event.type == "progress")
    steps = [step.name for step in events[-1].change.steps]
    assert steps[:4] == [
        "get-euicc-info1",
        "get-euicc-challenge",
        "initiate-authentication",
        "authenticate-server",
    ]
    assert "load-bound-profile-package" in steps
