"""The promises of docs/compatibility.md for backups and downgrades, tested with a daemon."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from engine.journal_file import become_newer
from journeys.gateway import CARD, Gateway
from lpad.client import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """A gateway with an enabled profile and another one."""
    with Gateway() as made:
        made.ready()
        made.install_profile(enable=True, name="Home")
        made.install_profile(name="Work")
        yield made


def test_a_restored_backup_believes_the_card(gateway: Gateway) -> None:
    """With a restored old state folder, lpad shows the card's present profiles, and works."""
    state, backup = gateway.folder / "state", gateway.folder / "backup"
    home, work = (profile.iccid for profile in gateway.client.profiles(CARD))
    gateway.stop()
    shutil.copytree(state, backup)
    gateway.start()
    gateway.ready()
    known = [change.id for change in gateway.client.changes()]
    gateway.client.enable(CARD, work, wait=120).check()
    gateway.client.delete(CARD, home, wait=120).check()
    gateway.stop()
    shutil.rmtree(state)
    shutil.copytree(backup, state)
    gateway.start()
    gateway.ready()
    assert [(each.iccid, each.state) for each in gateway.client.profiles(CARD)] == [(work, "enabled")]
    assert [change.id for change in gateway.client.changes()] == known
    third = gateway.install_profile(name="Third")
    gateway.client.enable(CARD, third, wait=120).check()
    Gateway.until(lambda: gateway.card.notifications == () and not gateway.client.notifications(CARD))
    assert str(gateway.card.enabled_iccid) == third


def test_a_newer_journal_moved_away_gives_way_to_a_new_one(gateway: Gateway) -> None:
    """With a newer lpad's journal, lpad refuses to switch; once the journal is moved away, lpad switches."""
    _, work = (profile.iccid for profile in gateway.client.profiles(CARD))
    gateway.stop()
    state = gateway.folder / "state"
    become_newer(state / "journal.db")
    gateway.start()
    gateway.ready()
    with pytest.raises(ApiError) as refused:
        gateway.client.enable(CARD, work)
    assert refused.value.kind == "journal-unavailable"
    gateway.stop()
    for path in state.glob("journal.db*"):
        path.rename(gateway.folder / path.name)
    gateway.start()
    gateway.ready()
    gateway.client.enable(CARD, work, wait=120).check()
    assert str(gateway.card.enabled_iccid) == work
