"""Two eUICCs on one card: one port, two links, one at a time."""

from __future__ import annotations

import threading

import pytest

from card.link_contract import EID, GET_EID, LinkContract, Rig, soon
from card.scripted_card import BenchDevice, ScriptedCard
from lpad.base.deadline import Deadline
from lpad.base.errors import CardBusy, CardUnreachable
from lpad.card.channel.logical_channel import RawLink
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.isdr_aids import ESTK_SE0, ESTK_SE1
from lpad.card.link.port_of_two_euiccs import SharedPort


class Bench:
    """A port that counts how often it is opened."""

    def __init__(self) -> None:
        self.card = ScriptedCard(answers={GET_EID: EID}, applications=(bytes(ESTK_SE0), bytes(ESTK_SE1)))
        self.devices: list[BenchDevice] = []
        self.shared = SharedPort(self._open, name="ttyX")

    def _open(self, deadline: Deadline) -> RawLink:
        self.devices.append(BenchDevice())
        return RawLink(self._card(), device=self.devices[-1])

    def _card(self) -> ScriptedCard:
        return self.card


class TestSharedLink(LinkContract):
    """The contract of links, while another link shares the port."""

    @pytest.fixture
    def rig(self) -> Rig:
        class Card(ScriptedCard):
            def transmit(self, apdu: bytes, *, deadline: Deadline | None = None) -> bytes:
                if deadline is not None and deadline.passed:
                    raise CardUnreachable("no time left")
                return super().transmit(apdu, deadline=deadline)

        card = Card()
        shared = SharedPort(lambda _: RawLink(card, device=BenchDevice()), name="ttyX")
        shared.open_link(soon())
        return Rig(shared.open_link(soon()), card)


def test_the_port_is_opened_once_and_closed_after_the_last() -> None:
    """The port is opened once for two links, and closed with the last one."""
    bench = Bench()
    first, second = bench.shared.open_link(soon()), bench.shared.open_link(soon())
    for link, aid in ((first, ESTK_SE0), (second, ESTK_SE1)):
        with isdr_session(link, aids=(aid,), deadline=soon()) as isdr:
            assert isdr.aid == aid
    assert len(bench.devices) == 1
    first.close()
    first.close()
    assert bench.devices[0].closed == 0
    second.close()
    assert bench.devices[0].closed == 1


def test_a_link_waits_while_the_other_one_works() -> None:
    """A link waits while the other works, so that their APDUs are not mixed (gsm-sip-bridge#17)."""
    bench = Bench()
    first, second = bench.shared.open_link(soon()), bench.shared.open_link(soon())
    done = threading.Event()

    def work() -> None:
        with isdr_session(second, aids=(ESTK_SE1,), deadline=soon()) as isdr:
            isdr.command(GET_EID, deadline=soon())
        done.set()

    with isdr_session(first, aids=(ESTK_SE0,), deadline=soon()):
        thread = threading.Thread(target=work)
        thread.start()
        assert not done.wait(0.05)
        assert bench.card.commands == []
    assert done.wait(30)
    thread.join()
    assert bench.card.open == set()


def test_waiting_ends_with_the_deadline() -> None:
    """A link that waits without success until its deadline raises CardBusy with the reason."""
    bench = Bench()
    first, second = bench.shared.open_link(soon()), bench.shared.open_link(soon())
    with isdr_session(first, aids=(ESTK_SE0,), deadline=soon()):
        with pytest.raises(CardBusy, match="other eUICC"):
            second.open_channel((ESTK_SE1,), deadline=Deadline.after(0.05))
        with pytest.raises(CardBusy):
            bench.shared.open_link(Deadline.after(0.01))


def test_a_failure_to_open_ends_the_turn() -> None:
    """If one link cannot open a channel, the other link can still use the port."""
    bench = Bench()
    first, second = bench.shared.open_link(soon()), bench.shared.open_link(soon())
    bench.card.taken.update(bench.card.free_channels)
    bench.card.free_channels.clear()
    with pytest.raises(Exception, match="no free channel"):
        first.open_channel((ESTK_SE0,), deadline=soon())
    bench.card.taken.remove(1)
    bench.card.free_channels.append(1)
    second.open_channel((ESTK_SE1,), deadline=soon()).close(deadline=soon())


def test_a_vanished_port_is_reopened_for_all_links() -> None:
    """If a link is closed during another's session, the session continues; the next reopens the port."""
    bench = Bench()
    first, second = bench.shared.open_link(soon()), bench.shared.open_link(soon())
    with isdr_session(second, aids=(ESTK_SE1,), deadline=soon()) as isdr:
        first.close()
        assert isdr.command(GET_EID, deadline=soon()) == EID
    with isdr_session(second, aids=(ESTK_SE1,), deadline=soon()):
        pass
    assert [device.closed for device in bench.devices] == [1, 0]
    again = bench.shared.open_link(soon())
    second.close()
    again.close()
    assert bench.devices[-1].closed == 1


def test_the_last_to_leave_in_a_session_does_not_tear_it() -> None:
    """If the only link is closed within its session, the port is closed at the end of the session."""
    bench = Bench()
    link = bench.shared.open_link(soon())
    with isdr_session(link, aids=(ESTK_SE0,), deadline=soon()) as isdr:
        link.close()
        assert isdr.command(GET_EID, deadline=soon()) == EID
        assert bench.devices[0].closed == 0
    assert bench.devices[0].closed == 1
    bench.shared.open_link(soon())
    assert [device.closed for device in bench.devices] == [1, 0]
