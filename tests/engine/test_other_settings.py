"""Cards that are added, removed and changed while the engine runs, when the settings are read again."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from card.csim_line import open_csim_link
from engine.lab import CARD, FIRST, Lab
from lpad.base.errors import CardBusy, Conflict, NotFound
from lpad.base.guard_condition import Condition
from lpad.base.identifiers import Eid, Imei
from lpad.engine.change.change import Kind, State
from lpad.engine.change.params import RefreshParams
from lpad.engine.policy.health_rules import FailoverPolicy, HealthRule
from lpad.engine.policy.switching import SwitchPolicy
from lpad.engine.snapshot.snapshot import CardState
from lpad.engine.worker import presence
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.base.deadline import Deadline
    from lpad.card.link.link import Link
    from lpad.engine.running.card.card_with_open_link import CardPort

OTHER = "other"
OTHER_EID = "89049032123451234512345678901300"
IMEI = "356938035643809"


class Counted:
    """Opens the lab's modem and counts the openings."""

    def __init__(self, lab: Lab) -> None:
        self.path = str(lab.folder / "tty")
        self.times = 0

    def open(self, _deadline: Deadline) -> Link:
        self.times += 1
        return open_csim_link(self.path)


@pytest.fixture
def way(lab: Lab) -> Counted:
    return Counted(lab)


@pytest.fixture
def port(lab: Lab, way: Counted) -> CardPort:
    return replace(lab.port, open_link=way.open)


@pytest.fixture
def other(lab: Lab) -> Iterator[CardPort]:
    """Yield the port of another card in another modem."""
    path = str(lab.folder / "other-tty")
    with (
        SoftCard(lab.folder / "other", pki=lab.pki, eid=Eid.parse(OTHER_EID)) as card,
        PtyModem(card, path=path),
    ):
        yield replace(lab.port, name=OTHER, open_link=lambda _deadline: open_csim_link(path))


def ready(lab: Lab, name: str = CARD) -> None:
    lab.until(lambda: lab.engine.snapshot(name).state, lambda seen: seen is CardState.READY)


def asking(lab: Lab) -> int:
    """Begin a download that asks for consent, and return its number."""
    code = lab.code(lab.order())
    change = lab.asked(lab.submit(Kind.DOWNLOAD, secrets={"activation_code": code}, confirm=True).id)
    assert change.question is not None
    return change.id


def test_a_card_comes(lab: Lab, port: CardPort, way: Counted, other: CardPort) -> None:
    """A card that the settings add gets a worker immediately; the other cards' changes continue."""
    lab.start(port)
    asks = asking(lab)
    events = lab.engine.subscribe(lambda: None)
    lab.engine.become([port, other])
    assert [each.name for each in lab.engine.snapshots()] == [CARD, OTHER]
    ready(lab, OTHER)
    assert {"name": OTHER, "state": "starting", "eid": None, "error": None} in [
        event.data for event in events.take()
    ]
    events.close()
    assert lab.engine.change(asks).state is State.WAITING
    assert way.times == 1
    assert lab.ended(lab.engine.submit(OTHER, RefreshParams()).change.id).state is State.DONE


def test_a_card_goes(lab: Lab, port: CardPort, other: CardPort) -> None:
    """If the settings remove a card, all its changes end with the reason, and its port is closed."""
    lab.start(port, other)
    ready(lab, OTHER)
    asks = asking(lab)
    queued = lab.submit(Kind.REFRESH).id
    events = lab.engine.subscribe(lambda: None)
    lab.engine.become([other])
    assert [each.name for each in lab.engine.snapshots()] == [OTHER]
    with pytest.raises(NotFound, match="the settings list: other"):
        lab.submit(Kind.REFRESH)
    taken_back, ended = lab.ended(asks), lab.ended(queued)
    assert (taken_back.state, ended.state) == (State.CANCELLED, State.FAILED)
    assert taken_back.error is not None
    assert taken_back.error.sentence == f"the settings no longer name a card '{CARD}'"
    assert ended.error is not None
    assert ended.error.kind == "not-found"
    lab.until_true(lambda: f"card-{CARD}" not in {each.name for each in threading.enumerate()})
    assert [event.data["state"] for event in events.take() if event.type == "euicc"] == ["removed"]
    events.close()
    assert lab.card.open_channels == ()
    open_csim_link(str(lab.folder / "tty")).close()  # No other worker uses the port.
    assert lab.engine.alive


def test_a_change_of_a_card_that_goes_can_be_answered_until_it_has_ended(lab: Lab, port: CardPort) -> None:
    """The record of a change does not depend on its card; an ended change cannot be cancelled."""
    lab.start(port)
    asks = asking(lab)
    lab.engine.become([])
    lab.ended(asks)
    with pytest.raises(Conflict):
        lab.engine.cancel(asks)


def test_a_card_goes_and_comes_back(lab: Lab, port: CardPort) -> None:
    """However fast the settings change, the new worker gets the card once the old one has released it."""
    lab.start(port)
    asks = asking(lab)
    lab.engine.become([])
    lab.engine.become([port])
    ready(lab)
    assert lab.engine.change(asks).state is State.CANCELLED
    assert lab.carry_out(Kind.REFRESH).state is State.DONE


class Slow:
    """A connection to the lab's modem that is released only after it was refused to another worker."""

    def __init__(self, lab: Lab) -> None:
        self.path = str(lab.folder / "tty")
        self.refused = threading.Event()

    def open(self, _deadline: Deadline) -> Link:
        link = open_csim_link(self.path)
        close = link.close

        def later() -> None:
            self.refused.wait(30)
            close()

        link.close = later  # type: ignore[method-assign]  # whatever holds up the end of a worker
        return link

    def open_next(self, _deadline: Deadline) -> Link:
        try:
            return open_csim_link(self.path)
        except CardBusy:
            self.refused.set()
            raise


@pytest.mark.parametrize("name", [CARD, OTHER])
def test_a_port_that_is_released_late(lab: Lab, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A worker that was refused a port gets it as soon as it is released, and not only at the next check."""
    monkeypatch.setattr(presence, "REOPENING", (3600,))
    slow = Slow(lab)
    lab.start(replace(lab.port, open_link=slow.open))
    ready(lab)
    lab.engine.become([])
    lab.engine.become([replace(lab.port, name=name, open_link=slow.open_next)])
    ready(lab, name)
    assert slow.refused.is_set()


def test_cards_that_change_places(lab: Lab, monkeypatch: pytest.MonkeyPatch, other: CardPort) -> None:
    """Of two cards that change places, each gets the other's port as soon as it is free."""
    monkeypatch.setattr(presence, "REOPENING", (3600,))
    slow = Slow(lab)
    lab.start(replace(lab.port, open_link=slow.open), other)
    ready(lab)
    ready(lab, OTHER)
    before = {each.name: each.eid for each in lab.engine.snapshots()}
    lab.engine.become(
        [replace(other, name=CARD), replace(lab.port, name=OTHER, open_link=slow.open_next)],
    )
    for name, came_from in ((CARD, OTHER), (OTHER, CARD)):
        lab.until(
            lambda name=name: lab.engine.snapshot(name),  # type: ignore[misc]  # name is bound
            lambda seen, eid=before[came_from]: seen.state is CardState.READY and seen.eid == eid,  # type: ignore[misc]  # likewise
        )
    assert slow.refused.is_set()


def test_settings_that_take_effect_without_reopening(lab: Lab, port: CardPort, way: Counted) -> None:
    """Settings such as IMEI and policy take effect with the next change, without reopening the port."""
    lab.start(port)
    lab.install()
    lab.engine.become([replace(port, imei=Imei.parse(IMEI), policy=SwitchPolicy(protected=(FIRST,)))])
    refused = lab.carry_out(Kind.DELETE, iccid=FIRST)
    assert refused.error is not None
    assert refused.error.kind == "protected"
    assert lab.engine.card(CARD).policy().protected == (FIRST,)
    lab.carry_out(Kind.REFRESH)
    assert lab.engine.snapshot(CARD).imei == IMEI
    assert way.times == 1
    lab.engine.become([port])
    assert lab.carry_out(Kind.DELETE, iccid=FIRST).state is State.DONE
    assert lab.engine.snapshot(CARD).imei == "490154203237518", "the modem's own"
    assert way.times == 1


def test_a_way_that_is_another_waits_for_the_change(
    lab: Lab, port: CardPort, way: Counted, other: CardPort
) -> None:
    """If a card gets another port, the current change ends on the old port; the next uses the new port."""
    lab.start(port)
    asks = asking(lab)
    before = lab.engine.snapshot(CARD).eid
    lab.engine.become([replace(other, name=CARD, transport="elsewhere")])
    assert lab.engine.change(asks).state is State.WAITING
    lab.engine.cancel(asks)
    lab.ended(asks)
    lab.until(
        lambda: lab.engine.snapshot(CARD),
        lambda seen: seen.state is CardState.READY and seen.eid != before,
    )
    assert lab.engine.snapshot(CARD).transport == "elsewhere"
    assert way.times == 1
    assert lab.carry_out(Kind.REFRESH).state is State.DONE


def test_failover_comes_and_goes(lab: Lab, port: CardPort) -> None:
    """A new failover policy starts checks, an equal policy continues them, and without one they end."""
    rules = tuple(
        HealthRule(iccid=iccid, conditions=(Condition.parse("registered"),), interval=60, lasting=600)
        for iccid in (FIRST, FIRST[:-1] + "0")
    )
    watched = replace(port, failover=FailoverPolicy(rules=rules, within=60, cooldown=60))
    lab.start(port)
    ready(lab)
    assert lab.engine.card(CARD).failover() is None
    lab.engine.become([watched])
    assert lab.engine.card(CARD).failover() is not None
    (thread,) = (each for each in threading.enumerate() if each.name == f"failover-{CARD}")
    lab.engine.become([replace(watched, imei=Imei.parse(IMEI))])
    assert thread.is_alive()
    assert lab.engine.alive
    lab.engine.become([port])
    thread.join(30)
    assert not thread.is_alive()
    assert lab.engine.card(CARD).failover() is None
    assert lab.engine.alive
