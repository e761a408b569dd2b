"""A gateway without users gets its first profile, and copes with a newer or a damaged journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.journal_file import become_newer
from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.client import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable


def test_the_first_profile_comes_without_a_request(profile: Callable[[], bytes]) -> None:
    """With `provision: on_empty`, one change of lpad gives an empty card an enabled profile."""
    with Gateway(settings={"provision": "on_empty"}) as gateway:
        gateway.ready()
        gateway.server.orders.add_order(profile(), eid=gateway.card.eid)
        gateway.client.set_default_smdp(CARD, gateway.server.address, wait=PATIENCE).check()
        gateway.until(lambda: any(each.enabled for each in gateway.card.profiles))
        (change,) = [each for each in gateway.client.changes() if each.origin == "provision"]
        assert gateway.client.wait(change.id, seconds=PATIENCE).state == "done"
        gateway.stop()
        gateway.start()
        gateway.ready()
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        assert len([each for each in gateway.client.changes() if each.origin == "provision"]) == 1
        told = gateway.client.euicc(CARD).provisioning
        assert told is not None
        assert told.attempts == 0
        assert "'provision: on_empty' is read as 'provisioning.on_empty: [default-smdp]'" in gateway.log


def test_a_journal_of_a_newer_lpad(profile: Callable[[], bytes], own_gateway: Gateway) -> None:
    """With a newer lpad's journal, the daemon shows the card, but refuses changes and leaves the file."""
    gateway = own_gateway
    iccid = str((gateway.download(gateway.order(profile())).check().result or {})["iccid"])
    gateway.stop()
    path = gateway.folder / "state" / "journal.db"
    become_newer(path)
    before = path.read_bytes()
    gateway.start()
    gateway.ready()
    health = gateway.client.system().health
    assert (health.ok, health.journal.state) == (False, "newer")
    assert [each.iccid for each in gateway.client.profiles(CARD)] == [iccid]
    assert gateway.client.changes() == []
    with pytest.raises(ApiError) as caught:
        gateway.client.enable(CARD, iccid)
    assert (caught.value.kind, caught.value.status) == ("journal-unavailable", 503)
    assert not gateway.card.profiles[0].enabled
    gateway.stop()
    assert path.read_bytes() == before


def test_a_journal_that_was_spoilt(profile: Callable[[], bytes], own_gateway: Gateway) -> None:
    """If the journal is damaged, the daemon keeps it, starts a new one, and accepts the next change."""
    gateway = own_gateway
    iccid = str((gateway.download(gateway.order(profile())).check().result or {})["iccid"])
    gateway.until(lambda: gateway.card.open_channels == () and gateway.card.notifications == ())
    gateway.kill()
    for file in (gateway.folder / "state").glob("journal.db*"):
        file.write_bytes(b"\x00\x01 spoilt by a dying memory card " * 200)
    gateway.start()
    gateway.ready()
    health = gateway.client.system().health
    assert (health.ok, health.journal.state) == (True, "ok")
    assert len(health.journal.set_aside) == 1
    change = gateway.client.enable(CARD, iccid, wait=PATIENCE).check()
    assert change.id > 1
    assert gateway.card.profiles[0].enabled
