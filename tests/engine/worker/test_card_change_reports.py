"""A modem on a control port that indicates that its card was taken out, put back or exchanged."""

from __future__ import annotations

import threading
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import pytest

from engine.lab import CARD, FIRST, SECOND, Lab
from journeys import mbim_gateway, qmi_gateway
from lpad.base.deadline import Deadline
from lpad.base.identifiers import Eid
from lpad.card.link.card_change_reports import CardReport
from lpad.card.mbim.mbim_link import open_mbim_link
from lpad.card.qmi.qmi_link import open_qmi_link
from lpad.codec.mbim.basic_connect import ReadyState, SubscriberReadyStatus
from lpad.codec.mbim.information_buffer import encode
from lpad.codec.mbim.messages import Command, Indication
from lpad.codec.mbim.services import BASIC_CONNECT, UICC, Basic, Uicc
from lpad.codec.qmi import card as uim
from lpad.codec.qmi.framing import BROADCAST, Message
from lpad.codec.qmi.framing import Kind as FrameKind
from lpad.codec.qmi.message_parameters import encode as encode_parameters
from lpad.codec.qmi.services import Service, Uim
from lpad.engine.change.change import Failure, Kind
from lpad.engine.running.card.card_with_open_link import Card, CardPort
from lpad.engine.snapshot.snapshot import CardState, Snapshot
from lpad.engine.worker import card_change_reports, connection_change_reports, presence
from lpad.engine.worker.card_change_reports import CardReports
from lpad.engine.worker.card_observer import Observer
from lpad.engine.worker.presence import Presence
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.mbim.behaviour import MbimBehaviour
from lpad.simulator.mbim.control_port import MbimModem
from lpad.simulator.modem.personality import ModemPersonality, Notices
from lpad.simulator.qmi.behaviour import QmiBehaviour
from lpad.simulator.qmi.control_port import QmiModem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lpad.base.errors import LpadError
    from lpad.card.link.link import Link
    from lpad.simulator.pki.pki import Pki

LADDERS = {"mbim": mbim_gateway.HURRIED_LADDER, "qmi": qmi_gateway.HURRIED_LADDER}
Modem: TypeAlias = MbimModem | QmiModem

HOUR = 3600.0
GATEWAY_PAUSES = card_change_reports.ABSENT_PAUSES
OTHER_EID = "89049032123451234512345678900135"


@pytest.fixture(autouse=True)
def _only_indications(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the timer try an absent card only after an hour, and make attempts follow reports quickly."""
    monkeypatch.setattr(presence, "REOPENING", (HOUR,))
    for module in (connection_change_reports, card_change_reports):
        monkeypatch.setattr(module, "SETTLING", 0.05)
    for pauses in ("PAUSES", "ABSENT_PAUSES"):
        monkeypatch.setattr(card_change_reports, pauses, (0.05,))


class ControlLab:
    """A lab whose card is in a modem with a control port."""

    def __init__(self, lab: Lab, modem: Modem) -> None:
        self.lab = lab
        self.modem = modem

    @property
    def snapshot(self) -> Snapshot:
        return self.lab.engine.snapshot(CARD)

    def remove(self) -> None:
        """Take the card out."""
        self.modem.do(lambda function: function.remove_card())

    def insert(self, card: SoftCard) -> None:
        """Insert a card, in place of any present one."""
        self.modem.do(lambda function: function.swap_card(card))

    def until(self, state: CardState) -> Snapshot:
        return self.lab.until(lambda: self.snapshot, lambda seen: seen.state is state)

    @property
    def sent(self) -> list[tuple[object, int]]:
        """The MBIM commands or QMI messages that the modem has received, as pairs of service and number."""
        return [
            (each.service, each.cid if isinstance(each, Command) else each.number)
            for each in tuple(self.modem.received)
            if isinstance(each, Command | Message)
        ]

    @property
    def channels_opened(self) -> int:
        wanted = ((UICC, Uicc.OPEN_CHANNEL), (Service.UIM, Uim.OPEN_LOGICAL_CHANNEL))
        return sum(each in wanted for each in self.sent)

    @property
    def iccids_asked(self) -> int:
        wanted = ((BASIC_CONNECT, Basic.SUBSCRIBER_READY_STATUS), (Service.UIM, Uim.GET_SLOT_STATUS))
        return sum(each in wanted for each in self.sent)

    def indicate(self, *, gone: bool, failing: bool = False) -> None:
        """Have the modem indicate a state of the card slot, whether or not the state is true."""
        if isinstance(self.modem, MbimModem):
            card = ReadyState.FAILURE if failing else ReadyState.INITIALIZED
            state = ReadyState.SIM_NOT_INSERTED if gone else card
            info = encode(SubscriberReadyStatus(ready_state=state))
            self.modem.say(Indication(service=BASIC_CONNECT, cid=Basic.SUBSCRIBER_READY_STATUS, info=info))
            return
        there = uim.CardState.ERROR if failing else uim.CardState.PRESENT
        slot = uim.Card(state=uim.CardState.ABSENT if gone else there)
        body = uim.CardStatusIndication(status=uim.Cards(cards=(slot,)))
        self.modem.say(
            Message(
                kind=FrameKind.INDICATION,
                service=Service.UIM,
                client=BROADCAST,
                transaction=0,
                number=Uim.CARD_STATUS,
                parameters=encode_parameters(body),
            )
        )


Start: TypeAlias = "Callable[..., ControlLab]"


@pytest.fixture(params=["mbim", "qmi"])
def start(request: pytest.FixtureRequest, tmp_path: Path, pki: Pki) -> Iterator[Start]:
    """Return a function that starts an engine on a modem with the given habits, and installs two profiles."""
    with ExitStack() as stack:

        def begin(*, notices: Notices = Notices.REFRESH, **habits: Any) -> ControlLab:
            personality = ModemPersonality(notices=notices)
            lab = stack.enter_context(Lab(tmp_path, pki, personality=personality))
            modem: Modem
            if request.param == "mbim":
                modem = MbimModem(
                    lab.card,
                    path=tmp_path / "cdc-wdm0",
                    personality=personality,
                    behaviour=MbimBehaviour(**habits),
                )
            else:
                modem = QmiModem(
                    lab.card,
                    path=tmp_path / "cdc-wdm0",
                    personality=personality,
                    behaviour=QmiBehaviour(**habits),
                )
            stack.enter_context(modem)
            stack.callback(lab.stop)
            path = modem.path
            open_link = open_mbim_link if request.param == "mbim" else open_qmi_link
            quirks = {"refresh_ladder": LADDERS[request.param]}
            lab.start(
                CardPort(
                    name=CARD,
                    transport=request.param,
                    device=path,
                    open_link=lambda _deadline: open_link(path, overrides=quirks),
                )
            )
            made = ControlLab(lab, modem)
            made.until(CardState.READY)
            lab.install(iccid=FIRST)
            lab.install(iccid=SECOND)
            assert lab.carry_out(Kind.ENABLE, iccid=FIRST).error is None
            return made

        yield begin


@pytest.fixture
def other(tmp_path: Path, pki: Pki) -> Iterator[SoftCard]:
    with SoftCard(tmp_path / "other", pki=pki, eid=Eid.parse(OTHER_EID)) as card:
        yield card


def test_a_card_is_taken_out_and_put_back(start: Start) -> None:
    """Lpad notices by indications alone that a card is taken out and put back, several times."""
    on = start()
    for _ in range(3):
        on.remove()
        seen = on.until(CardState.ABSENT)
        assert seen.error is not None
        assert seen.error.kind == "card-unreachable"
        on.insert(on.lab.card)
        seen = on.until(CardState.READY)
        assert seen.listed.enabled is not None
        assert seen.listed.enabled.iccid == FIRST


def test_another_card_is_noticed(start: Start, other: SoftCard) -> None:
    """Another card in the slot is noticed, whether or not the modem reported the empty slot."""
    on = start()
    first = on.snapshot.eid
    on.insert(other)
    found = on.lab.until(lambda: on.snapshot, lambda seen: seen.eid != first)
    assert (found.state, found.profiles) == (CardState.READY, ())
    on.remove()
    on.insert(on.lab.card)
    on.lab.until(lambda: on.snapshot, lambda seen: seen.eid == first)


def test_an_empty_slot_at_the_start(start: Start) -> None:
    """If the slot is empty when lpad starts, lpad notices a card that is inserted later."""
    on = start()
    on.lab.stop()
    on.remove()
    on.lab.start()
    on.until(CardState.ABSENT)
    on.insert(on.lab.card)
    on.until(CardState.READY)


def test_without_indications_the_timer_finds_the_card(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without indications, a request finds the slot empty, and the timer finds the card once it is back."""
    on = start(indication_delay=None)
    on.remove()
    asked = len(on.sent)
    assert on.lab.carry_out(Kind.REFRESH).error is not None
    assert on.snapshot.state is CardState.ABSENT
    assert len(on.sent) > asked
    monkeypatch.setattr(presence, "REOPENING", (0.05,))
    assert on.lab.carry_out(Kind.REFRESH).error is not None
    on.insert(on.lab.card)
    on.until(CardState.READY)


@pytest.mark.parametrize("delay", [0.0, 0.5], ids=["immediate", "late"])
@pytest.mark.parametrize("notices", [Notices.REFRESH, Notices.RADIO_CYCLE], ids=str)
def test_a_switch_by_lpad_is_not_taken_for_another_card(
    start: Start, notices: Notices, delay: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The indications that lpad's own switch causes do not make lpad read the card."""
    on = start(indication_delay=delay, notices=notices)
    _quiet(on)
    looks: list[float] = []
    look = Observer.look

    def counted(observer: Observer, *, seconds: float) -> bool:
        looks.append(seconds)
        return look(observer, seconds=seconds)

    monkeypatch.setattr(Observer, "look", counted)
    states: list[object] = []
    subscription = on.lab.engine.subscribe(lambda: states.append(on.snapshot.state))
    change = on.lab.carry_out(Kind.ENABLE, iccid=SECOND, guard={"until": ["registered"], "within": 60})
    assert change.error is None
    on.lab.until_true(lambda: not on.lab.engine.card(CARD).owes_copies())
    _quiet(on)
    opened, asked = on.channels_opened, on.iccids_asked
    on.indicate(gone=False)
    on.lab.until_true(lambda: on.iccids_asked > asked)
    _quiet(on)
    assert on.channels_opened == opened
    assert looks == []
    assert set(states) <= {CardState.READY}
    subscription.close()


def _quiet(on: ControlLab) -> None:
    """Wait until lpad has sent nothing for as long as several checks take."""
    sent = -1
    while sent != len(on.sent):
        sent = len(on.sent)
        threading.Event().wait(1.0)


def test_a_flood_of_indications_leads_to_one_check(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many indications arrive, a known card is checked at most once until the pause is over."""
    on = start()
    _quiet(on)
    monkeypatch.setattr(card_change_reports, "PAUSES", (HOUR,))
    opened, asked = on.channels_opened, on.iccids_asked
    for _ in range(300):
        on.indicate(gone=False)
    _quiet(on)
    assert (on.channels_opened, on.iccids_asked) in {(opened, asked), (opened, asked + 1)}


def test_a_flood_of_untrue_reports_of_a_card(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many untrue reports lead to few attempts on an absent card; a card inserted later is found."""
    on = start()
    on.remove()
    on.until(CardState.ABSENT)
    _quiet(on)
    monkeypatch.setattr(card_change_reports, "ABSENT_PAUSES", (3.0,))
    opened = on.channels_opened
    for _ in range(300):
        on.indicate(gone=False)
    on.lab.until_true(lambda: on.channels_opened > opened)
    # On a busy machine, the flood may last longer than a pause.
    assert on.channels_opened <= opened + 3
    assert on.snapshot.state is CardState.ABSENT
    on.insert(on.lab.card)
    on.until(CardState.READY)


def test_a_modem_that_reports_something_with_each_attempt(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If each attempt causes a report, the pauses grow; after a new state lpad tries immediately."""
    monkeypatch.setattr(presence, "REOPENING", (0.05, 0.05, HOUR))
    monkeypatch.setattr(card_change_reports, "ABSENT_PAUSES", (0.05, 0.05, 0.05, HOUR))
    on = start()
    attempts = []
    look = Observer.look

    def followed_by_report(observer: Observer, *, seconds: float) -> bool:
        attempts.append(seconds)
        try:
            return look(observer, seconds=seconds)
        finally:
            on.indicate(gone=False, failing=True)

    monkeypatch.setattr(Observer, "look", followed_by_report)
    on.remove()
    on.until(CardState.ABSENT)
    _quiet(on)
    # After reports: the removal, the failing card, three repetitions. By the timer: two per series.
    assert 3 <= len(attempts) <= 9
    made = len(attempts)
    for _ in range(20):
        on.indicate(gone=False, failing=True)
    _quiet(on)
    assert len(attempts) == made
    on.insert(on.lab.card)
    on.until(CardState.READY)


def test_a_card_inserted_during_a_failing_attempt(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A report of a card that arrives during a failing attempt leads to another attempt."""
    on = start()
    on.remove()
    on.until(CardState.ABSENT)
    _quiet(on)
    absent = Observer.absent
    refused = threading.Event()

    def late(observer: Observer, error: LpadError) -> None:
        if not refused.is_set():
            refused.set()
            on.insert(on.lab.card)
            card = observer._card

            def heard() -> bool:
                """Read the port, as the next answer would; return whether a report has arrived."""
                card.hear(deadline=Deadline.after(1))
                return bool(card.card_report)

            on.lab.until_true(heard)
        absent(observer, error)

    monkeypatch.setattr(Observer, "absent", late)
    assert on.lab.carry_out(Kind.REFRESH).error is not None
    on.until(CardState.READY)


class AbsentCard:
    """An observer whose card remains absent, to test the times of the attempts."""

    ready = False

    def __init__(self) -> None:
        self.presence = Presence()
        self.kind = self.next_kind = "card-unreachable"

    @property
    def snapshot(self) -> Snapshot:
        error = Failure(kind=self.kind, sentence="there is no card")
        return Snapshot(name=CARD, transport="mbim", state=CardState.ABSENT, error=error)

    def look(self) -> None:
        self.presence.begins()
        self.kind = self.next_kind
        self.presence.missed()


@pytest.fixture
def absent_card() -> AbsentCard:
    return AbsentCard()


@pytest.fixture
def reports(absent_card: AbsentCard, monkeypatch: pytest.MonkeyPatch) -> CardReports:
    """Reports on an absent card, with the pauses of a gateway."""
    monkeypatch.setattr(card_change_reports, "ABSENT_PAUSES", GATEWAY_PAUSES)
    return CardReports(
        Card(CardPort(name=CARD, transport="mbim", open_link=_no_link)),
        observer=cast("Observer", absent_card),
        presence=absent_card.presence,
        waking=nullcontext,
        look=absent_card.look,
    )


def _no_link(_deadline: Deadline) -> Link:
    raise AssertionError("an absent card's modem is asked for nothing before the attempt")


def pause(reports: CardReports, report: CardReport) -> float:
    """Return the seconds from the last attempt to the next one, after a report."""
    reports.take(report)
    assert reports.due_at is not None
    return round(reports.due_at - reports._presence.tried_at)


def test_the_pauses_between_attempts_that_repeat_themselves(
    reports: CardReports, absent_card: AbsentCard
) -> None:
    """The pauses between attempts grow to 15 minutes; after another state or error they start again."""
    absent_card.look()
    assert pause(reports, CardReport.OTHER) == 5
    reports.check()
    for seconds in (5, 10, 30, 60, 120, 300, 900, 900):
        assert pause(reports, CardReport.OTHER) == seconds
        reports.check()
    reports.take(CardReport.OTHER)
    absent_card.look()
    assert pause(reports, CardReport.OTHER) == 900
    assert pause(reports, CardReport.STARTED) == 5
    reports.check()
    for kind, seconds in (
        ("card-unreachable", 5),
        ("card-busy", 10),
        ("card-unreachable", 5),
        ("card-busy", 10),
    ):
        assert pause(reports, CardReport.STARTED | CardReport.OTHER) == seconds
        absent_card.next_kind = kind
        reports.check()


def test_an_attempt_of_the_timer_follows_up_an_earlier_report(
    reports: CardReports, absent_card: AbsentCard
) -> None:
    """If the timer's attempt has begun after a report, the report leads to no second attempt."""
    reports.take(CardReport.OTHER)
    absent_card.look()
    tried_at = absent_card.presence.tried_at
    reports.check()
    assert absent_card.presence.tried_at == tried_at
    assert reports.due_at is None


def test_an_untrue_report_of_an_empty_slot(start: Start) -> None:
    """An untrue report of an empty slot has the card read again; true repeated reports do not."""
    on = start()
    _quiet(on)
    opened = on.channels_opened
    on.indicate(gone=True)
    on.lab.until_true(lambda: on.channels_opened > opened)
    _quiet(on)
    assert on.snapshot.state is CardState.READY
    on.remove()
    on.until(CardState.ABSENT)
    _quiet(on)
    opened = on.channels_opened
    for _ in range(20):
        on.indicate(gone=True)
    _quiet(on)
    assert on.channels_opened == opened
    on.indicate(gone=False)
    on.lab.until_true(lambda: on.channels_opened > opened)
    on.insert(on.lab.card)
    on.until(CardState.READY)
