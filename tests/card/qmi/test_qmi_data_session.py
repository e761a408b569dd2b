"""The data session over QMI: the states that the link reports, and those that it reports as unknown."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from card.link_contract import soon
from card.scripted_card import ScriptedCard
from engine.lab import FIRST, Lab
from lpad.base.deadline import Deadline
from lpad.base.errors import CardUnreachable
from lpad.card.link.held_qmi_clients import HeldSession
from lpad.card.link.remembered_links import LinkMemory
from lpad.card.qmi import qmi_data_session
from lpad.card.qmi.qmi_link import open_qmi_link
from lpad.codec.qmi.data_session import IpFamily, StopNetwork
from lpad.codec.qmi.services import Service
from lpad.engine.change.change import Kind
from lpad.engine.policy.network_policy import STEP_LIMIT
from lpad.protocol.data_session_types import SessionReport, SessionWish
from lpad.simulator.modem.pdp_contexts import Subscription
from lpad.simulator.modem.personality import DENIED, ModemPersonality
from lpad.simulator.qmi.behaviour import QmiBehaviour
from lpad.simulator.qmi.control_port import QmiModem
from lpad.simulator.qmi.message_handling import QmiClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.card.qmi.qmi_link import QmiLink
    from lpad.simulator.modem.commands import Card
    from lpad.simulator.qmi.message_handling import QmiFunction

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
    """Yield a modem that starts a data session of the given IP type on its own, and a link to the modem."""
    made = QmiBehaviour(**{"starts_session": True, **habits})
    with QmiModem(card, path=path, personality=personality, behaviour=made) as modem:
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
    """Return a card with an enabled profile."""
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
    """The report has the session's addresses; if the modem reports no state, it is unknown, not down."""
    with rig(card, tmp_path / "cdc-wdm0", kind=kind, **habits) as (modem, link):
        assert report(link) == expected
        assert report(link) == expected, "the second time, too"
        link.close()
        assert modem.function.clients == {}


def test_a_session_without_an_address(card: Card, tmp_path: Path) -> None:
    """If the modem reports an address of zeros, the session has no address."""
    personality = ModemPersonality(subscriptions={FIRST: Subscription(addresses=False)})
    with rig(card, tmp_path / "cdc-wdm0", personality=personality) as (_, link):
        assert report(link) == SessionReport(active=True, addresses=())


def test_without_a_session_the_state_is_down(card: Card, tmp_path: Path) -> None:
    """Without a profile, or if the network denies registration, the session is reported as down."""
    with rig(ScriptedCard(), tmp_path / "cdc-wdm0") as (_, link):
        assert report(link) == DOWN
    personality = ModemPersonality(registration={FIRST: DENIED})
    with rig(card, tmp_path / "cdc-wdm1", personality=personality) as (_, link):
        assert report(link) == DOWN


def test_a_session_is_seen_again_after_a_reset(card: Card, tmp_path: Path) -> None:
    """After a reset of the modem, lpad allocates its clients again and sees the session."""
    with rig(card, tmp_path / "cdc-wdm0", announces_reset=False) as (modem, link):
        assert report(link).addresses == (V4, V6)
        modem.do(lambda function: function.lose_power())
        assert report(link).addresses == (V4, V6)


def test_no_free_client_is_unknown(card: Card, tmp_path: Path) -> None:
    """If other programs hold all clients of the data service, the state is unknown; the card still works."""
    with rig(card, tmp_path / "cdc-wdm0", clients=2) as (modem, link):
        others: dict[tuple[int, int], QmiClient] = {(Service.WDS, number): QmiClient() for number in (1, 2)}
        modem.do(lambda function: function.clients.update(others))
        assert report(link) == UNKNOWN
        assert link.imei(deadline=soon()) is not None


def test_a_vanished_port_is_an_error(tmp_path: Path) -> None:
    """A vanished port is reported as an error, and not as a closed session."""
    with rig(ScriptedCard(), tmp_path / "cdc-wdm0") as (modem, link):
        assert report(link) == DOWN
        modem.close()
        with pytest.raises(CardUnreachable):
            report(link)


def clients_of_sessions(modem: QmiModem) -> set[tuple[int, int]]:
    return {(Service.WDS, client) for client in modem.function.calls.of_clients}


def test_the_session_of_a_killed_process_is_continued_and_closed(card: Card, tmp_path: Path) -> None:
    """The note on disk has the session's clients and handles, so the next process sees and can end it."""
    wish = SessionWish(apn="em", username="user", password="secret", authentication=1)
    folder = tmp_path / "links"
    with QmiModem(card, path=tmp_path / "cdc-wdm0") as modem:
        killed = open_qmi_link(modem.path, memory=LinkMemory(folder))
        assert killed.modem.open_session(wish, deadline=soon()).addresses == (V4, V6)
        killed.modem.dialogue._port.close()
        (note,) = folder.glob("*.clients")
        assert "secret" not in note.read_text()
        link = open_qmi_link(modem.path, memory=LinkMemory(folder))
        assert report(link) == SessionReport(active=True, addresses=(V4, V6))
        link.close()
        assert set(modem.function.clients) == clients_of_sessions(modem) != set()
        link = open_qmi_link(modem.path, memory=LinkMemory(folder))
        link.modem._session.close(deadline=soon())
        assert report(link) == DOWN
        link.close()
        assert modem.function.clients == {}
        assert list(folder.glob("*.clients")) == []


def test_a_session_noted_before_a_reset_is_left_alone(card: Card, tmp_path: Path) -> None:
    """Clients of a note for an earlier device node are left alone, as they may be another program's now."""
    folder = tmp_path / "links"
    with QmiModem(card, path=tmp_path / "cdc-wdm0") as modem:
        killed = open_qmi_link(modem.path, memory=LinkMemory(folder))
        assert killed.modem.open_session(SessionWish(apn="em"), deadline=soon()).active
        killed.modem.dialogue._port.close()
        before = clients_of_sessions(modem)
        (note,) = folder.glob("*.clients")
        inode = str((tmp_path / "cdc-wdm0").stat().st_ino)
        note.write_text(note.read_text().replace(f" {inode}", " 999999999"))
        link = open_qmi_link(modem.path, memory=LinkMemory(folder))
        link.modem._session.close(deadline=soon())
        link.close()
        assert clients_of_sessions(modem) == before


def test_without_a_note_the_session_ends_with_the_link(card: Card, tmp_path: Path) -> None:
    """A process without a state folder, such as `lpad probe`, leaves no client in the modem."""
    with rig(card, tmp_path / "cdc-wdm0", starts_session=False) as (modem, link):
        assert link.modem.open_session(SessionWish(apn="em"), deadline=soon()).active
        link.close()
        assert modem.function.clients == {}


@pytest.mark.parametrize("handle", [7, None])
def test_a_handle_that_the_modem_does_not_know(handle: int | None, card: Card, tmp_path: Path) -> None:
    """If the session has ended, or its start was not confirmed, lpad still releases the session's client."""
    folder = tmp_path / "links"
    with QmiModem(card, path=tmp_path / "cdc-wdm0") as modem:
        link = open_qmi_link(modem.path, memory=LinkMemory(folder))
        assert link.modem.open_session(SessionWish(apn="em", ipv6=False), deadline=soon()).active
        held = link.modem.dialogue.held
        (session,) = held.sessions.values()
        held.keep_session(HeldSession(session.family, session.client, handle))
        link.modem._session.close(deadline=soon())
        assert report(link) == DOWN
        link.close()
        assert modem.function.clients == {}


@pytest.mark.parametrize("ipv6", [False, True])
def test_a_modem_that_does_not_answer_the_stop(ipv6: bool, card: Card, tmp_path: Path) -> None:  # noqa: FBT001 - of the table
    """If a stop is not answered, lpad releases the session's client, and opens the next in the same step."""
    with QmiModem(card, path=tmp_path / "cdc-wdm0") as modem:
        link = open_qmi_link(modem.path, memory=LinkMemory(tmp_path / "links"))
        assert link.modem.open_session(SessionWish(apn="old", ipv6=ipv6), deadline=soon()).active
        opened = len(modem.function.calls.of_clients)
        for _ in range(opened):
            modem.once(StopNetwork, lost=True, executed=False)
        limit = Deadline.after(6.0)  # A step's limit may be shorter than that of a stop.
        assert link.modem.open_session(SessionWish(apn="new", ipv6=ipv6), deadline=limit).active
        assert [each.bearer.apn for each in modem.function.calls.of_clients.values()] == ["new"] * opened
        link.modem._session.close(deadline=soon())
        link.close()
        assert modem.function.clients == {}


def test_a_stop_leaves_most_of_a_step() -> None:
    """If the stops of both IP versions get no answer, a third of a step's limit is left for the start."""
    left = STEP_LIMIT
    for _ in IpFamily:
        left -= qmi_data_session.stop_patience(left)
    assert left >= STEP_LIMIT / 3


def test_a_session_client_that_another_program_gave_back(card: Card, tmp_path: Path) -> None:
    """If another program releases the session's client, the session is down; other clients are kept."""
    folder = tmp_path / "links"
    with QmiModem(card, path=tmp_path / "cdc-wdm0") as modem:
        link = open_qmi_link(modem.path, memory=LinkMemory(folder))
        assert link.imei(deadline=soon()) is not None
        assert link.modem.open_session(SessionWish(apn="em"), deadline=soon()).active
        others = set(modem.function.clients) - clients_of_sessions(modem)

        def give_back(function: QmiFunction) -> None:
            for key in clients_of_sessions(modem):
                del function.clients[key]
            function.calls.forget_all()

        modem.do(give_back)
        assert report(link) == DOWN
        assert others <= set(modem.function.clients)
        link.close()
        assert modem.function.clients == {}
