"""The data session over QMI: what the link reports, and what it does not know."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from card.link_contract import soon
from card.scripted_card import ScriptedCard
from engine.lab import FIRST, Lab
from lpad.base.errors import CardUnreachable
from lpad.card.qmi.qmi_link import open_qmi_link
from lpad.codec.qmi.services import Service
from lpad.engine.change.change import Kind
from lpad.protocol.data_session import SessionReport
from lpad.simulator.modem.contexts import Subscription
from lpad.simulator.modem.personality import DENIED, ModemPersonality
from lpad.simulator.qmi.control_port import QmiModem
from lpad.simulator.qmi.function import QmiClient
from lpad.simulator.qmi.habits import QmiHabits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.card.qmi.qmi_link import QmiLink
    from lpad.simulator.modem.commands import Card

V4, V6 = "10.64.0.2", "2001:db8::2"
UNKNOWN, DOWN = SessionReport(), SessionReport(active=False)


@contextmanager
def rig(
    card: Card,
    path: Path,
    *,
    kind: str = "IPV4V6",
    personality: ModemPersonality | None = None,
    **habits: Any,
) -> Iterator[tuple[QmiModem, QmiLink]]:
    """A modem that starts a session of a kind by itself, and a link to it."""
    made = QmiHabits(**{"starts_session": True, **habits})
    with QmiModem(card, path=path, personality=personality, habits=made) as modem:
        modem.function.modem.contexts.contexts[1].kind = kind
        link = open_qmi_link(modem.path)
        try:
            yield modem, link
        finally:
            link.close()


def report(link: QmiLink) -> SessionReport:
    return link.modem.session(deadline=soon())


@pytest.fixture
def card(lab: Lab) -> Card:
    """A card with an enabled profile."""
    lab.install()
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).error is None
    return lab.card


@pytest.mark.parametrize(
    ("kind", "habits", "expected"),
    [
        ("IPV4V6", {}, SessionReport(active=True, addresses=(V4, V6))),
        ("IP", {}, SessionReport(active=True, addresses=(V4,))),
        ("IPV6", {}, SessionReport(active=True, addresses=(V6,))),
        ("IPV4V6", {"ip_families": False}, SessionReport(active=True, addresses=(V4,))),
        ("IPV6", {"ip_families": False}, UNKNOWN),
        ("IPV4V6", {"data_sessions": False}, UNKNOWN),
    ],
)
def test_state_and_addresses(
    kind: str, habits: dict[str, Any], expected: SessionReport, card: Card, tmp_path: Path
) -> None:
    """Each version of IP is asked about; one that the modem does not report on is unknown, not down."""
    with rig(card, tmp_path / "cdc-wdm0", kind=kind, **habits) as (modem, link):
        assert report(link) == expected
        assert report(link) == expected, "the second time, too"
        link.close()
        assert modem.function.clients == {}


def test_a_session_without_an_address(card: Card, tmp_path: Path) -> None:
    """An address of zeros means that there is no address."""
    personality = ModemPersonality(subscriptions={FIRST: Subscription(addresses=False)})
    with rig(card, tmp_path / "cdc-wdm0", personality=personality) as (_, link):
        assert report(link) == SessionReport(active=True, addresses=())


def test_no_session(card: Card, tmp_path: Path) -> None:
    """Without a profile, or if the network denies it, there is none."""
    with rig(ScriptedCard(), tmp_path / "cdc-wdm0") as (_, link):
        assert report(link) == DOWN
    personality = ModemPersonality(registration={FIRST: DENIED})
    with rig(card, tmp_path / "cdc-wdm1", personality=personality) as (_, link):
        assert report(link) == DOWN


def test_a_session_is_seen_again_after_a_reset(card: Card, tmp_path: Path) -> None:
    """The modem has forgotten the clients and the versions of IP that they chose."""
    with rig(card, tmp_path / "cdc-wdm0", announces_reset=False) as (modem, link):
        assert report(link).addresses == (V4, V6)
        modem.do(lambda function: function.lose_power())
        assert report(link).addresses == (V4, V6)


def test_no_free_client_is_unknown(card: Card, tmp_path: Path) -> None:
    """Other programs hold all clients of the data service; lpad still reaches the card."""
    with rig(card, tmp_path / "cdc-wdm0", clients=2) as (modem, link):
        others: dict[tuple[int, int], QmiClient] = {(Service.WDS, number): QmiClient() for number in (1, 2)}
        modem.do(lambda function: function.clients.update(others))
        assert report(link) == UNKNOWN
        assert link.imei(deadline=soon()) is not None


def test_a_vanished_port_is_an_error(tmp_path: Path) -> None:
    """It is an error, not a session that is down."""
    with rig(ScriptedCard(), tmp_path / "cdc-wdm0") as (modem, link):
        assert report(link) == DOWN
        modem.close()
        with pytest.raises(CardUnreachable):
            report(link)
