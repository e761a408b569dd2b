"""A modem on a control port that indicates that its card was taken out, put back or exchanged."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from engine.lab import CARD, FIRST, SECOND, Lab
from journeys import mbim_gateway, qmi_gateway
from lpad.base.backoff import Backoff
from lpad.base.identifiers import Eid
from lpad.card.mbim.mbim_link import open_mbim_link
from lpad.card.qmi.qmi_link import open_qmi_link
from lpad.codec.mbim.basic_connect import ReadyState, SubscriberReadyStatus
from lpad.codec.mbim.information_buffer import encode
from lpad.codec.mbim.messages import Command, Indication
from lpad.codec.mbim.services import BASIC_CONNECT, UICC, Basic, Uicc
from lpad.codec.qmi import card as uim
from lpad.codec.qmi.framing import BROADCAST, Message
from lpad.codec.qmi.framing import Kind as FrameKind
from lpad.codec.qmi.services import Service, Uim
from lpad.codec.qmi.values import encode as encode_parameters
from lpad.engine.change.change import Kind
from lpad.engine.running.card.open_card import CardPort
from lpad.engine.snapshot.snapshot import CardState
from lpad.engine.worker import card_reports, connection_reports, presence
from lpad.engine.worker.card_observer import Observer
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.mbim.control_port import MbimModem
from lpad.simulator.mbim.habits import MbimHabits
from lpad.simulator.modem.personality import ModemPersonality, Notices
from lpad.simulator.qmi.control_port import QmiModem
from lpad.simulator.qmi.habits import QmiHabits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lpad.engine.snapshot.snapshot import Snapshot
    from lpad.simulator.pki.pki import Pki

LADDERS = {"mbim": mbim_gateway.HURRIED_LADDER, "qmi": qmi_gateway.HURRIED_LADDER}
Modem: TypeAlias = MbimModem | QmiModem

HOUR = 3600.0
OTHER_EID = "89049032123451234512345678900135"


@pytest.fixture(autouse=True)
def _only_indications(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for an absent card by itself only after an hour; follow reports up quickly."""
    monkeypatch.setattr(presence, "REOPENING", (HOUR,))
    for module in (connection_reports, card_reports):
        monkeypatch.setattr(module, "SETTLING", 0.05)
    monkeypatch.setattr(card_reports, "PAUSES", Backoff((0.05,)))


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
        """Insert a card, which replaces the one that is there."""
        self.modem.do(lambda function: function.swap_card(card))

    def until(self, state: CardState) -> Snapshot:
        return self.lab.until(lambda: self.snapshot, lambda seen: seen.state is state)

    @property
    def sent(self) -> list[tuple[object, int]]:
        """The commands that the modem has received, by service and number."""
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

    def indicate(self, *, gone: bool) -> None:
        """Have the modem report the slot's state, whatever it is."""
        if isinstance(self.modem, MbimModem):
            state = ReadyState.SIM_NOT_INSERTED if gone else ReadyState.INITIALIZED
            info = encode(SubscriberReadyStatus(ready_state=state))
            self.modem.say(Indication(service=BASIC_CONNECT, cid=Basic.SUBSCRIBER_READY_STATUS, info=info))
            return
        slot = uim.Card(state=uim.CardState.ABSENT if gone else uim.CardState.PRESENT)
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
    """Return a function that starts an engine on a modem with these habits, with two profiles."""
    with ExitStack() as stack:

        def begin(*, notices: Notices = Notices.REFRESH, **habits: Any) -> ControlLab:
            personality = ModemPersonality(notices=notices)
            lab = stack.enter_context(Lab(tmp_path, pki, personality=personality))
            modem: Modem
            if request.param == "mbim":
                modem = MbimModem(
                    lab.card, path=tmp_path / "cdc-wdm0", personality=personality, habits=MbimHabits(**habits)
                )
            else:
                modem = QmiModem(
                    lab.card, path=tmp_path / "cdc-wdm0", personality=personality, habits=QmiHabits(**habits)
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
    """Both are noticed by the indication alone, several times."""
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
    """The card in its place has another EID, whether the modem reported the empty slot or not."""
    on = start()
    first = on.snapshot.eid
    on.insert(other)
    found = on.lab.until(lambda: on.snapshot, lambda seen: seen.eid != first)
    assert (found.state, found.profiles) == (CardState.READY, ())
    on.remove()
    on.insert(on.lab.card)
    on.lab.until(lambda: on.snapshot, lambda seen: seen.eid == first)


def test_an_empty_slot_at_the_start(start: Start) -> None:
    """The daemon listens to a modem that had no card when lpad was started."""
    on = start()
    on.lab.stop()
    on.remove()
    on.lab.start()
    on.until(CardState.ABSENT)
    on.insert(on.lab.card)
    on.until(CardState.READY)


def test_without_indications_the_timer_finds_the_card(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request finds the slot empty, and the timer finds the card that is back."""
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
    """The indications that lpad's own switch causes do not make it read the card."""
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
    """The known card is checked once; the next check waits for the pause, however many reports come."""
    on = start()
    _quiet(on)
    monkeypatch.setattr(card_reports, "PAUSES", Backoff((HOUR,)))
    opened, asked = on.channels_opened, on.iccids_asked
    for _ in range(300):
        on.indicate(gone=False)
    _quiet(on)
    assert (on.channels_opened, on.iccids_asked) in {(opened, asked), (opened, asked + 1)}


def test_a_flood_of_untrue_reports_of_a_card(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """An absent card is tried once until the pause is over; the card that comes then is found."""
    on = start()
    on.remove()
    on.until(CardState.ABSENT)
    _quiet(on)
    monkeypatch.setattr(card_reports, "PAUSES", Backoff((3.0,)))
    opened = on.channels_opened
    for _ in range(300):
        on.indicate(gone=False)
    on.lab.until_true(lambda: on.channels_opened > opened)
    # On a busy machine, the flood may last longer than a pause.
    assert on.channels_opened <= opened + 3
    assert on.snapshot.state is CardState.ABSENT
    on.insert(on.lab.card)
    on.until(CardState.READY)


def test_an_untrue_report_of_an_empty_slot(start: Start) -> None:
    """The card is read again, and stays ready; an empty slot that is reported again is not tried."""
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
