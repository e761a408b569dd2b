"""Failures of PC/SC, with a real pcscd: each gives a clear error, and the link works again afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from smartcard import scard

from card.link_contract import EID, GET_EID, soon
from card.private_pcscd import FIRST, SECOND, PrivatePcscd, Slot, wait_for_cards, wait_until_free
from card.scripted_card import ScriptedCard
from lpad.base.deadline import Deadline
from lpad.base.errors import CardBusy, CardError, CardUnreachable
from lpad.base.identifiers import ISD_R
from lpad.card.isdr.isdr import isdr_session
from lpad.card.pcsc.calls import CARD_PRESENT, Connection, Context
from lpad.card.pcsc.error_codes import PROTO_MISMATCH
from lpad.card.pcsc.pcsc_link import PcscLink, open_pcsc_link
from lpad.protocol.apdu import Apdu, store_data
from lpad.simulator.virtual_reader import VirtualReaderCard

if TYPE_CHECKING:
    from collections.abc import Iterator

OTHER_PROGRAM = """
import sys
from smartcard.scard import *
reader, mode = sys.argv[1:]
_, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
how = SCARD_SHARE_EXCLUSIVE if mode == "alone" else SCARD_SHARE_SHARED
code, card, _ = SCardConnect(context, reader, how, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1)
print(code, flush=True)
for line in sys.stdin:
    done = {
        "begin": lambda: SCardBeginTransaction(card),
        "end": lambda: SCardEndTransaction(card, SCARD_LEAVE_CARD),
        "reset": lambda: SCardReconnect(card, how, SCARD_PROTOCOL_T0, SCARD_RESET_CARD)[0],
        "status": lambda: SCardTransmit(card, SCARD_PCI_T0, [0x80, 0xF2, 0, 0, 0])[0],
    }[line.strip()]()
    print(done, flush=True)
"""


class OtherProgram:
    """A process that uses a reader as other programs do."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        assert self.answer() == "0"

    def __call__(self, command: str) -> str:
        self.tell(command)
        return self.answer()

    def tell(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def other_program(mode: str) -> Iterator[OtherProgram]:
    """Run a program that is connected to the first reader, alone or shared."""
    with subprocess.Popen(
        [sys.executable, "-c", OTHER_PROGRAM, FIRST, mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield OtherProgram(process)
        finally:
            process.terminate()


@dataclass
class Bench:
    """A pcscd, and a card in its first reader."""

    pcscd: PrivatePcscd
    slot: Slot
    inserted: VirtualReaderCard

    @property
    def card(self) -> ScriptedCard:
        assert isinstance(self.slot.card, ScriptedCard)
        return self.slot.card


@pytest.fixture
def bench() -> Iterator[Bench]:
    slot = Slot()
    assert isinstance(slot.card, ScriptedCard)
    slot.card.answers[GET_EID] = EID
    with PrivatePcscd() as pcscd, VirtualReaderCard(slot, port=pcscd.port) as inserted:
        wait_for_cards(present={FIRST})
        yield Bench(pcscd, slot, inserted)


@pytest.fixture
def link(bench: Bench) -> Iterator[PcscLink]:
    with closing(open_pcsc_link(FIRST, deadline=soon())) as opened:
        yield opened


@pytest.fixture
def shared(bench: Bench) -> Iterator[PcscLink]:
    with closing(open_pcsc_link(FIRST, shared=True, deadline=soon())) as opened:
        yield opened


def works(link: PcscLink) -> bool:
    with isdr_session(link, deadline=soon()) as isdr:
        return isdr.command(GET_EID, deadline=soon()) == EID


def test_without_pcscd_the_error_states_how_to_get_it() -> None:
    """Without pcscd the error states how to get it."""
    with pytest.raises(
        CardUnreachable, match=r"pcscd is not running.*systemctl start pcscd.socket"
    ) as caught:
        open_pcsc_link(0, deadline=soon())
    assert caught.value.retryable
    assert caught.value.details["pcsc"] == "8010001D"


def test_without_pyscard_the_error_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyscard the error names pip's extra and the Debian package."""
    monkeypatch.setitem(sys.modules, "smartcard", None)
    with pytest.raises(CardUnreachable, match=r"pip install 'lpad\[pcsc\]'.*python3-pyscard") as caught:
        open_pcsc_link(0, deadline=soon())
    assert not caught.value.retryable


def test_a_missing_reader_is_reported_with_the_existing_ones(bench: Bench) -> None:
    """The error for a missing reader lists the existing readers."""
    with pytest.raises(CardUnreachable, match=f"'Gemalto': there are only '{FIRST}', '{SECOND}'"):
        open_pcsc_link("Gemalto", deadline=soon())


def test_a_reader_without_a_card_is_reported(bench: Bench) -> None:
    """A reader without a card is reported as such."""
    with pytest.raises(CardUnreachable, match="no card is in the reader; put a card in"):
        open_pcsc_link(SECOND, deadline=soon())


@pytest.mark.parametrize("mode", ["alone", "shared"])
def test_reader_taken_by_another_program(bench: Bench, mode: str) -> None:
    """Lpad cannot lock a reader in use; the error names the other program (PCSC#215, YubiKey-Guide#277)."""
    with (
        other_program(mode) as other,
        pytest.raises(
            CardBusy, match=rf"another program uses the reader .*\(pid {other.pid}\).*stop"
        ) as caught,
    ):
        open_pcsc_link(FIRST, deadline=soon())
    assert caught.value.details["pcsc"] == "8010000B"


def test_a_locked_reader_is_taken_from_those_who_would_share_it(bench: Bench) -> None:
    """Lpad gets no reader that another program uses exclusively, even if lpad would share it."""
    with other_program("alone"), pytest.raises(CardBusy, match="another program uses the reader"):
        open_pcsc_link(FIRST, shared=True, deadline=soon())


def test_a_taken_reader_does_not_end_the_search(bench: Bench) -> None:
    """The search does not connect to readers in use, so it finds the free one after them (lpac#253)."""
    second = Slot()
    with VirtualReaderCard(second, port=bench.pcscd.port + 1), other_program("alone"):
        wait_for_cards(present={FIRST, SECOND})
        with closing(open_pcsc_link("*01", deadline=soon())) as link, isdr_session(link, deadline=soon()):
            pass


def test_the_reader_is_free_after_close(bench: Bench) -> None:
    """When a link is closed, its reader is released immediately."""
    open_pcsc_link(FIRST, deadline=soon()).close()
    with other_program("alone"):
        pass


def test_other_programs_wait_for_the_end_of_a_session(shared: PcscLink) -> None:
    """During a session, other programs wait for their turn, and then get it (gsm-sip-bridge#17)."""
    with other_program("shared") as other:
        with isdr_session(shared, deadline=soon()) as isdr:
            other.tell("begin")
            for _ in range(3):
                assert isdr.command(GET_EID, deadline=soon()) == EID
        assert other.answer() == "0"
        assert other("status") == "0"
        assert other("end") == "0"
        assert works(shared)


def test_a_turn_that_does_not_end(shared: PcscLink) -> None:
    """A program that keeps its turn delays lpad until the deadline; once the turn has ended, lpad works."""
    with other_program("shared") as other:
        other("begin")
        with pytest.raises(CardBusy, match=rf"another program .*\(pid {other.pid}\).* did not end its turn"):
            shared.open_channel((ISD_R,), deadline=Deadline.after(0.3))
        with pytest.raises(CardUnreachable, match="an earlier call by lpad still hangs"):
            shared.open_channel((ISD_R,), deadline=Deadline.after(0.1))
        other("end")
        assert works(shared)
        assert other("begin") == "0", "lpad's late turn has ended"


def test_no_connecting_during_another_turn(bench: Bench) -> None:
    """Even connecting waits for a program that has its turn; the error names the program."""
    with other_program("shared") as other:
        other("begin")
        with pytest.raises(
            CardBusy, match=rf"no answer came in time; .*\(pid {other.pid}\).* may be using the card"
        ):
            open_pcsc_link(FIRST, shared=True, deadline=Deadline.after(0.3))
    with closing(open_pcsc_link(FIRST, shared=True, deadline=soon())) as link:
        assert works(link)


def test_a_card_reset_by_another_program(bench: Bench, shared: PcscLink) -> None:
    """If another program resets the card between two sessions, the next session notices and continues."""
    assert works(shared)
    with other_program("shared") as other:
        for _ in range(2):
            assert other("reset") == "0"
            assert works(shared)
    assert bench.card.open == set()


@contextmanager
def suppress_reset() -> Iterator[None]:
    """Allow a session to fail, but only with a retryable error."""
    try:
        yield
    except CardError as error:
        if not error.retryable:
            raise


def test_a_program_that_dies_in_its_turn(shared: PcscLink) -> None:
    """Pcscd ends the turn of a program that is gone and resets the card, perhaps in the next turn.

    A session during that reset fails with an error that allows another attempt; the next one works.
    """
    for _ in range(5):
        with other_program("shared") as other:
            other("begin")
        with suppress_reset():
            assert works(shared)
        assert works(shared)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_reset_while_a_channel_is_opened(
    bench: Bench, shared: PcscLink, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """If pcscd resets the card during lpad's turn because another program died, lpad reopens the channel."""
    assert works(shared)
    sent: list[int] = []

    def lose_the_protocol_once(*arguments: object) -> object:
        sent.append(len(sent) + 1)
        return (PROTO_MISMATCH - (1 << 32), []) if sent[-1] == at else transmit(*arguments)

    transmit = scard.SCardTransmit
    monkeypatch.setattr(scard, "SCardTransmit", lose_the_protocol_once)
    assert works(shared)
    assert len(sent) > at


def test_resets_without_end_while_a_channel_is_opened(
    shared: PcscLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If other programs keep resetting the card, lpad stops after some attempts; the error states this."""
    assert works(shared)
    monkeypatch.setattr(scard, "SCardTransmit", lambda *_: (PROTO_MISMATCH - (1 << 32), []))
    with pytest.raises(CardBusy, match="the card was reset meanwhile") as refused:
        works(shared)
    assert refused.value.retryable


def test_card_pulled_between_sessions(bench: Bench, link: PcscLink) -> None:
    """A removed card is reported; once the card is back, the same link finds it."""
    assert works(link)
    bench.inserted.pull()
    wait_for_cards(present=set())
    with pytest.raises(CardUnreachable, match="no card is in the reader"):
        works(link)
    bench.inserted.insert()
    wait_for_cards(present={FIRST})
    assert works(link)


def test_card_pulled_and_back_between_sessions(bench: Bench, link: PcscLink) -> None:
    """A card that was out for a while is used like a new one, without an error."""
    assert works(link)
    bench.inserted.pull()
    wait_for_cards(present=set())
    bench.inserted.insert()
    wait_for_cards(present={FIRST})
    assert works(link)


def test_a_reader_that_is_released_slowly(
    bench: Bench, link: PcscLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next connection waits until pcscd has released the lost one, which does not count as in use."""
    assert works(link)
    released = Connection.close

    def release_slowly(connection: Connection, *, unpower: bool) -> None:
        time.sleep(0.5)
        released(connection, unpower=unpower)

    monkeypatch.setattr(Connection, "close", release_slowly)
    bench.inserted.pull()
    wait_for_cards(present=set())
    bench.inserted.insert()
    wait_for_cards(present={FIRST})
    assert works(link)


def test_a_card_whose_contacts_broke_during_a_reset(bench: Bench) -> None:
    """If pcscd reports an empty reader although the card is back, lpad has pcscd check the reader again."""
    with closing(Context()) as context:
        connection = context.connect(FIRST, shared=False)
        bench.inserted.pull()
        with pytest.raises(CardUnreachable, match="no card is in the reader"):
            connection.reset()
        bench.inserted.insert()
        connection.close(unpower=False)
        again = context.connect(FIRST, shared=False)
        assert context.look([FIRST])[FIRST] & CARD_PRESENT
        again.close(unpower=True)


def test_card_pulled_in_a_session(bench: Bench, link: PcscLink) -> None:
    """A card pulled in a session is an error of that session; nothing is sent to it once it is back."""
    with isdr_session(link, deadline=soon()) as isdr:
        bench.inserted.pull()
        with pytest.raises(CardUnreachable, match=r"did not answer|taken out|no card"):
            isdr.command(GET_EID, deadline=soon())
        wait_for_cards(present=set())
        bench.inserted.insert()
        wait_for_cards(present={FIRST})
        before = len(bench.card.sent)
        with pytest.raises(CardUnreachable, match="was lost"):
            isdr.command(GET_EID, deadline=soon())
        assert len(bench.card.sent) == before
    assert works(link)


class MuteCard(ScriptedCard):
    """A card that does not answer until the test allows it."""

    def __init__(self) -> None:
        super().__init__()
        self.answers[GET_EID] = EID
        self.mute = threading.Event()
        self.heard = threading.Event()
        self.go_on = threading.Event()

    def transmit(self, apdu: bytes, *, deadline: Deadline | None = None) -> bytes:
        if self.mute.is_set():
            self.heard.set()
            self.go_on.wait(60)
        return super().transmit(apdu, deadline=deadline)


@pytest.fixture
def mute(bench: Bench) -> Iterator[MuteCard]:
    card = MuteCard()
    bench.slot.card = card
    yield card
    card.go_on.set()


def test_a_silent_card(mute: MuteCard, link: PcscLink) -> None:
    """Lpad waits for a silent card only until its deadline; while the call hangs, it makes no other."""
    threads = threading.active_count()
    mute.mute.set()
    with pytest.raises(CardUnreachable, match="no answer came in time; take the card out"):
        link.open_channel((ISD_R,), deadline=Deadline.after(0.2))
    for _ in range(3):
        with pytest.raises(CardUnreachable, match="still hangs in the reader's driver"):
            link.open_channel((ISD_R,), deadline=Deadline.after(0.05))
    with pytest.raises(CardUnreachable, match="still hangs in the reader's driver"):
        open_pcsc_link(FIRST, deadline=Deadline.after(0.05))
    assert threading.active_count() == threads
    mute.mute.clear()
    mute.go_on.set()
    assert works(link)
    assert threading.active_count() == threads


def test_a_shared_card_that_was_lost_is_reset(mute: MuteCard, shared: PcscLink) -> None:
    """After an interrupted session the card is restarted, even if other programs keep it powered."""
    channel = shared.open_channel((ISD_R,), deadline=soon())
    mute.mute.set()
    with pytest.raises(CardUnreachable, match="no answer came in time"):
        channel.transmit(Apdu(store_data(GET_EID)[0]), deadline=Deadline.after(0.1))
    with pytest.raises(CardUnreachable):
        channel.close(deadline=soon())
    mute.mute.clear()
    mute.go_on.set()
    before = mute.resets
    assert works(shared)
    assert mute.resets > before
    assert mute.open == set()


def test_a_silent_card_that_is_pulled(bench: Bench, mute: MuteCard, link: PcscLink) -> None:
    """If a silent card is pulled, the call that waits for it ends."""
    mute.mute.set()
    caught: list[CardUnreachable] = []

    def use() -> None:
        try:
            works(link)
        except CardUnreachable as error:
            caught.append(error)

    user = threading.Thread(target=use)
    user.start()
    assert mute.heard.wait(30)
    puller = threading.Thread(target=bench.inserted.pull)  # This waits for the card's thread.
    puller.start()
    user.join(30)
    assert len(caught) == 1
    mute.go_on.set()
    puller.join(30)


def test_pcscd_killed_in_a_session(bench: Bench, link: PcscLink) -> None:
    """When pcscd crashes the session fails; once it is back the same link works (PCSC#165)."""
    with isdr_session(link, deadline=soon()) as isdr:
        bench.pcscd.kill()
        with pytest.raises(CardUnreachable, match="pcscd"):
            isdr.command(GET_EID, deadline=soon())
    with pytest.raises(CardUnreachable, match="pcscd is not running"):
        works(link)
    bench.pcscd.start()
    wait_for_cards(present={FIRST})
    assert works(link)


def test_pcscd_restarted_between_sessions(bench: Bench, link: PcscLink) -> None:
    """A restart of pcscd between two sessions is not an error."""
    assert works(link)
    bench.pcscd.kill()
    bench.pcscd.start()
    wait_for_cards(present={FIRST})
    assert works(link)


def test_an_unplugged_reader_is_reported_with_the_others(bench: Bench, link: PcscLink) -> None:
    """An unplugged reader is reported, with the readers that are left (PCSC#261)."""
    assert works(link)
    bench.pcscd.kill()
    bench.pcscd.start(reader="another reader")
    with pytest.raises(CardUnreachable, match="there are only 'another reader 00 00'"):
        works(link)


def test_after_the_deadline_no_call_is_made(bench: Bench, link: PcscLink) -> None:
    """After the deadline no call is made, and the link can still be used."""
    before = len(bench.card.sent)
    with pytest.raises(CardUnreachable, match="no time was left"):
        link.open_channel((ISD_R,), deadline=Deadline.after(0))
    assert len(bench.card.sent) == before
    assert works(link)


def test_a_process_that_crashed_leaves_no_channel(bench: Bench) -> None:
    """When lpad is killed in a session, pcscd resets the card, so that no channel stays open."""
    script = (
        "import os, sys\n"
        "from lpad.card.pcsc.pcsc_link import open_pcsc_link\n"
        "from lpad.base.deadline import Deadline\n"
        "from lpad.base.identifiers import ISD_R\n"
        "link = open_pcsc_link(sys.argv[1], deadline=Deadline.after(30))\n"
        "link.open_channel((ISD_R,), deadline=Deadline.after(30))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    for _ in range(5):
        killed = subprocess.run([sys.executable, "-c", script, FIRST], env=os.environ, check=False)
        assert killed.returncode == -9
        wait_until_free(FIRST)
    with closing(open_pcsc_link(FIRST, deadline=soon())) as link:
        assert works(link)
    assert bench.card.open == set()
