"""Network settings are stored by ICCID and deleted with their profile; odd ones are ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.lab import FIRST, SECOND
from lpad.engine.journal import Journal
from lpad.engine.network_settings.settings_store import NetworkStore
from lpad.network.network_settings import Authentication, InitialBearer, IpType, NetworkSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EID = "89049032000000000000000000000123"
OTHER = "89049032000000000000000000000224"
FULL = NetworkSettings(
    apn="iot.example",
    username="user",
    password="pa55-of-the-journal",
    authentication=Authentication.CHAP,
    ip=IpType.IPV6,
    roaming=False,
    initial_bearer=InitialBearer.APN,
    initial_bearer_apn="first.example",
    mtu=1400,
)
SHORT = NetworkSettings(apn="short")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = Journal(tmp_path / "journal.db")
    yield made
    made.close()


@pytest.fixture
def networks(journal: Journal) -> NetworkStore:
    return NetworkStore(journal.memos)


@pytest.fixture
def restarted(journal: Journal, tmp_path: Path) -> Iterator[Callable[[], NetworkStore]]:
    """Yield a function that opens the journal again, as after a restart, and returns its network settings."""
    opened: list[Journal] = []

    def restart() -> NetworkStore:
        journal.close()
        opened.append(Journal(tmp_path / "journal.db"))
        return NetworkStore(opened[-1].memos)

    yield restart
    for each in opened:
        each.close()


def test_settings_are_on_the_disk(networks: NetworkStore, restarted: Callable[[], NetworkStore]) -> None:
    """Stored settings are read again after a restart, those of the owner and those of the order."""
    networks.put(FIRST, FULL)
    networks.put_ordered(FIRST, SHORT, change=7, eid=EID)
    again = restarted()
    kept = again.get(FIRST)
    assert (kept.owner, kept.order) == (FULL, SHORT)
    assert again.get(SECOND).owner is None


def test_clearing_leaves_what_the_order_brought(networks: NetworkStore) -> None:
    """Clearing removes only the owner's settings, not those that came with an order."""
    networks.put(FIRST, FULL)
    networks.put_ordered(FIRST, SHORT, change=7, eid=EID)
    networks.clear(FIRST)
    kept = networks.get(FIRST)
    assert (kept.owner, kept.order) == (None, SHORT)


def test_settings_are_deleted_with_their_profile(
    networks: NetworkStore, restarted: Callable[[], NetworkStore]
) -> None:
    """If a card no longer has a profile, its settings are deleted, even after a power cut in between."""
    networks.put(FIRST, FULL)
    assert networks.follow(EID, {FIRST, SECOND}, complete=True) == ()
    again = restarted()
    assert again.follow(EID, {SECOND}, complete=True) == (FIRST,)
    assert again.get(FIRST).owner is None


def test_settings_for_a_future_profile_stay(networks: NetworkStore) -> None:
    """Settings that were made before the download stay, whatever the card holds until then."""
    networks.put(FIRST, FULL)
    assert networks.follow(EID, {SECOND}, complete=True) == ()
    assert networks.get(FIRST).owner == FULL


def test_nothing_follows_from_a_list_that_cannot_be_read(networks: NetworkStore) -> None:
    """A profile may exist although an incomplete list, or another card's, lacks it: its settings stay."""
    networks.put(FIRST, FULL)
    networks.follow(EID, {FIRST}, complete=True)
    assert networks.follow(EID, set(), complete=False) == ()
    assert networks.follow(OTHER, set(), complete=True) == ()
    assert networks.get(FIRST).owner == FULL


def test_an_order_that_failed_takes_its_own_along(
    networks: NetworkStore, restarted: Callable[[], NetworkStore]
) -> None:
    """A failed order's settings are deleted once the card certainly lacks the profile."""
    networks.put(FIRST, FULL)
    networks.put_ordered(FIRST, SHORT, change=7, eid=EID)
    for eid, gone, over in ((OTHER, FIRST, 7), (EID, SECOND, 7), (EID, FIRST, 8)):
        assert networks.drop_unused(eid, lacks=gone.__eq__, ended=over.__eq__) == ()
    again = restarted()
    assert again.drop_unused(EID, lacks=FIRST.__eq__, ended=(7).__eq__) == (FIRST,)
    assert (again.get(FIRST).owner, again.get(FIRST).order) == (FULL, None)


def test_a_profile_that_came_keeps_its_orders_settings(networks: NetworkStore) -> None:
    """Once the profile is on the card, its order's settings stay, whatever happens to the order's change."""
    networks.put_ordered(FIRST, SHORT, change=7, eid=EID)
    networks.follow(EID, {FIRST}, complete=True)
    assert networks.drop_unused(EID, lacks=lambda _: True, ended=lambda _: True) == ()
    assert networks.get(FIRST).order == SHORT


def test_senseless_settings_are_ignored(
    journal: Journal, networks: NetworkStore, restarted: Callable[[], NetworkStore]
) -> None:
    """Invalid settings, from a damaged disk or another version of lpad, are ignored; valid ones are read."""
    networks.put(SECOND, SHORT)
    journal.memos.put(
        f"network:{FIRST}", {"owner": {"apn": "a b", "ip": "ipv9"}, "order": {"apn": "em", "x": 1}}
    )
    journal.memos.put("network:8999", ["no", "settings"])
    again = restarted()
    kept = again.get(FIRST)
    assert (kept.owner, kept.order) == (None, NetworkSettings(apn="em"))
    assert again.get("8999").owner is None
    assert again.get(SECOND).owner == SHORT
