"""An AT modem that misbehaves, over real pyserial on a pty: deadlines, refusals, late answers."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import threading
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from card.csim_line import open_csim_link
from card.link_contract import EID, GET_EID, soon
from card.scripted_card import IMEI, ScriptedCard
from lpad.base.deadline import Deadline
from lpad.base.errors import CardBusy, CardError, CardMalformed, CardUnreachable
from lpad.card.at.at_link import open_at_link
from lpad.card.isdr.isdr import isdr_session
from lpad.card.modem.at_port import AtPort
from lpad.card.port.link_refused import LinkRefused
from lpad.card.port.serial_line import SerialLine
from lpad.card.quirks.quirks import AtTimeouts, LinkKind
from lpad.codec import es10_intents
from lpad.protocol.at_dialogue import AtCommand
from lpad.simulator.modem.personality import Handles, ModemPersonality
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.card.link.link import Link
    from lpad.protocol.at_dialogue import AtAnswer


def briefly() -> Deadline:
    """Return the deadline of calls that fail; successful ones get `soon`, enough even on a busy machine."""
    return Deadline.after(0.2)


@contextmanager
def bench(
    card: ScriptedCard | None = None,
    *,
    habits: ModemPersonality | None = None,
    patience: AtTimeouts | None = None,
) -> Iterator[tuple[PtyModem, Link, ScriptedCard]]:
    """Yield a modem with a card, an open link over +CSIM, and the card."""
    card = card or ScriptedCard(answers={GET_EID: EID})
    with PtyModem(card, personality=habits) as modem:
        link = open_csim_link(modem.path, patience=patience)
        try:
            yield modem, link, card
        finally:
            link.close()


def get_eid(link: Link) -> bytes:
    with isdr_session(link, deadline=soon()) as isdr:
        return isdr.command(GET_EID, deadline=soon())


def test_the_modem_is_set_up_once() -> None:
    """Once per opened port, lpad switches echo off and error numbers on; it sends nothing else of its own."""
    with bench() as (modem, link, _):
        get_eid(link)
        get_eid(link)
        heads = [line.partition("=")[0] for line in modem.received]
        assert heads == ["ATE0", "AT+CMEE"] + ["AT+CSIM"] * 8


def test_a_modem_that_refuses_the_set_up_is_used_nevertheless() -> None:
    """A modem that refuses ATE0 or AT+CMEE=1 is still used."""
    with bench() as (modem, link, _):
        modem.once("ATE0", instead=("ERROR",), executed=False)
        modem.once("AT+CMEE=1", instead=("+CME ERROR: 4",), executed=False)
        assert get_eid(link) == EID


@pytest.mark.parametrize(
    ("told", "error", "says"),
    [
        ("ERROR", LinkRefused, "may not support the command"),
        ("+CME ERROR: 0", LinkRefused, "phone failure"),
        ("+CME ERROR: 3", LinkRefused, "blocks the command"),
        ("+CME ERROR: operation not allowed", LinkRefused, "blocks the command"),
        ("+CME ERROR: 10", CardUnreachable, "active"),
        ("+CME ERROR: SIM not inserted", CardUnreachable, "active"),
        ("+CME ERROR: 13", CardUnreachable, "contacts"),
        ("+CME ERROR: 14", CardBusy, "try again in a few seconds"),
        ("+CME ERROR: SIM busy", CardBusy, "try again in a few seconds"),
        ("+CME ERROR: 20", LinkRefused, "out of memory"),
        ("+CME ERROR: 22", CardUnreachable, "no such object"),
        ("+CME ERROR: 100", LinkRefused, "gives no reason"),
        ("+CME ERROR: unknown", LinkRefused, "gives no reason"),
        ("+CME ERROR: 9999", LinkRefused, "9999"),
        ("+CMS ERROR: 310", LinkRefused, "310"),
        ("NO CARRIER", LinkRefused, "NO CARRIER"),
    ],
)
def test_a_refusal_becomes_a_sentence_immediately(told: str, error: type[CardError], says: str) -> None:
    """Each final result ends the wait; the error gives the remedy (another LPA hangs on +CME ERROR)."""
    with bench() as (modem, link, _):
        modem.once("AT+CSIM", instead=(told,), executed=False)
        with pytest.raises(error, match=says) as caught:
            get_eid(link)
        assert type(caught.value) is error
        assert caught.value.details["modem_error"] == told
        assert get_eid(link) == EID


def test_csim_that_cannot_open_a_channel_is_reported_as_such() -> None:
    """If a modem blocks MANAGE CHANNEL on +CSIM, the error suggests another link and is not retryable."""
    with bench() as (modem, link, card):
        modem.once("AT+CSIM", instead=("+CME ERROR: 3",), executed=False)
        with pytest.raises(LinkRefused, match="use another link") as caught:
            get_eid(link)
        assert not caught.value.retryable
        assert card.open == set()


def test_csim_that_fails_on_logical_channels_leaks_none() -> None:
    """If a modem opens a channel and then fails on it (+CME ERROR: 0 to SELECT), lpad closes the channel."""
    with bench() as (modem, link, card):
        modem.once('AT+CSIM=42,"01A404', instead=("+CME ERROR: 0",), executed=False)
        with pytest.raises(LinkRefused, match="phone failure"):
            get_eid(link)
        assert card.open == set()


def test_error_in_the_middle_of_a_command_is_never_answered_by_sending_it_again() -> None:
    """If a modem answers ERROR inside a chain, the command fails, and no block is sent again."""
    with bench() as (modem, link, card):
        modem.once('AT+CSIM=520,"81E21101', instead=("ERROR",))
        with isdr_session(link, deadline=soon()) as isdr, pytest.raises(LinkRefused):
            isdr.command(bytes(600), deadline=soon())
        assert [command.p2 for command in card.sent if command.ins == 0xE2] == [0, 1]
        assert get_eid(link) == EID


def test_short_lines_shrink_the_blocks() -> None:
    """A modem that accepts at most 300 characters in a line gets 120-byte blocks."""
    card = ScriptedCard()
    with bench(card, habits=ModemPersonality(line_limit=300)) as (_, link, _):
        with isdr_session(link, deadline=soon()) as isdr:
            isdr.command(bytes(600), deadline=soon())
            assert isdr.block_size == 120
        assert card.commands == [bytes(600)]


def test_a_silent_modem_ends_with_the_deadline() -> None:
    """A modem that answers nothing delays the caller only until the deadline."""
    with bench() as (modem, link, _):
        modem.once(instead=())
        modem.once(instead=())
        with pytest.raises(CardUnreachable, match="did not answer in time"):
            link.imei(deadline=Deadline.after(0.2))


def test_the_callers_deadline_caps_the_modems_patience() -> None:
    """The caller's deadline ends an APDU, even if the APDU alone may take longer."""
    with bench() as (modem, link, _):
        modem.once("AT+CSIM=22", instead=())
        with isdr_session(link, deadline=soon()) as isdr, pytest.raises(CardUnreachable):
            isdr.command(GET_EID, deadline=Deadline.after(0.2))


@pytest.mark.parametrize("kind", [LinkKind.CSIM, LinkKind.CGLA])
def test_commands_that_alter_the_card_have_more_time(kind: LinkKind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block of a command that alters the card may take longer than a query and its GET RESPONSE."""
    given: list[float] = []
    ask = AtPort.ask

    def noted(modem: AtPort, command: AtCommand, *, patience: float, deadline: Deadline) -> AtAnswer:
        given.append(patience)
        return ask(modem, command, patience=patience, deadline=deadline)

    habits = ModemPersonality(handles=Handles.NUMBER)
    with (
        PtyModem(ScriptedCard(answers={GET_EID: EID}), personality=habits) as modem,
        contextlib.ExitStack() as stack,
    ):
        link = open_at_link(modem.path, overrides={"links": [kind]})
        stack.callback(link.close)
        isdr = stack.enter_context(isdr_session(link, block_size=63, deadline=soon()))
        monkeypatch.setattr(AtPort, "ask", noted)
        isdr.command(GET_EID, intent=es10_intents.GET_EID, deadline=soon())
        assert set(given) == {AtTimeouts().apdu}
        given.clear()
        isdr.command(bytes(100), intent=es10_intents.ENABLE_PROFILE, deadline=soon())
        assert given == [AtTimeouts().change] * 2


@pytest.mark.parametrize("echo_stays", [False, True])
def test_a_late_answer_is_not_the_next_commands(echo_stays: bool) -> None:  # noqa: FBT001 - a column
    """If an abandoned command's answer arrives during the next command, that still gets its own answer."""
    habits = ModemPersonality(echo_can_be_switched_off=not echo_stays)
    card = ScriptedCard(answers={GET_EID: EID, b"\xbf\x20\x00": b"\xbf\x20\x01\x00"})
    with (
        bench(card, habits=habits) as (modem, link, _),
        isdr_session(link, deadline=soon()) as isdr,
    ):
        modem.once('AT+CSIM=16,"81E2', delay=0.6)
        with pytest.raises(CardUnreachable):
            isdr.command(b"\xbf\x20\x00", deadline=briefly())
        assert isdr.command(GET_EID, deadline=soon()) == EID
    assert [line for line in modem.received if "BF2000" in line] == ['AT+CSIM=16,"81E2910003BF2000"']


@pytest.mark.parametrize("late", [(), ("ERROR",), ("OK",), ('+CSIM: 4,"6F00"', "OK"), ('=4,"9000"', "OK")])
def test_the_answer_to_an_earlier_apdu_is_ignored(late: tuple[str, ...]) -> None:
    """After a port is opened again, the answer to an APDU from before is ignored."""
    with bench() as (modem, link, _):
        with isdr_session(link, deadline=soon()) as isdr:
            modem.once('AT+CSIM=16,"81E2', delay=0.3, instead=late or None)
            with pytest.raises(CardUnreachable):
                isdr.command(b"\xbf\x20\x00", deadline=Deadline.after(0.1))
            link.close()
        again = open_csim_link(modem.path)
        assert again.imei(deadline=soon()) == IMEI
        assert get_eid(again) == EID
        again.close()


def test_a_lost_answer_does_not_shift_the_next() -> None:
    """If an answer never comes, lpad sends a probe; its answer shows which command is answered next."""
    with bench() as (modem, link, _), isdr_session(link, deadline=soon()) as isdr:
        modem.once("AT+CSIM", instead=())
        with pytest.raises(CardUnreachable):
            isdr.command(GET_EID, deadline=briefly())
        assert isdr.command(GET_EID, deadline=soon()) == EID
        assert modem.received[-2] == "AT+CMEE?"


def test_half_an_answer_does_not_spoil_the_next() -> None:
    """Fragments of an answer that lpad no longer waits for are dropped before the next answer."""
    with bench() as (modem, link, _), isdr_session(link, deadline=soon()) as isdr:
        modem.once("AT+CSIM", instead=('=4,"9000"', '+CSIM: 4,"9000"'))
        with pytest.raises(CardUnreachable):
            isdr.command(GET_EID, deadline=briefly())
        modem.say_raw(b'\r\n+CSIM: 4,"90')
        modem.once("AT+CSIM", before=('=4,"9000"',))
        assert isdr.command(GET_EID, deadline=soon()) == EID


def test_a_late_answer_that_has_come_makes_the_probe_needless() -> None:
    """If a late answer has arrived, lpad sends no probe."""
    with bench() as (modem, link, _), isdr_session(link, deadline=soon()) as isdr:
        modem.once("AT+CSIM", instead=())
        with pytest.raises(CardUnreachable):
            isdr.command(GET_EID, deadline=briefly())
        modem.unsolicited('+CSIM: 4,"6F00"', "OK")
        assert isdr.command(GET_EID, deadline=soon()) == EID
        assert "AT+CMEE?" not in modem.received


def test_a_modem_that_stays_silent_is_unreachable_and_then_found_again() -> None:
    """While probes get no answer, no APDU is sent; once the modem answers again, everything works."""
    with bench() as (modem, link, card), isdr_session(link, deadline=soon()) as isdr:
        modem.once("AT+CSIM", instead=())
        modem.once("AT+CMEE?", instead=())
        with pytest.raises(CardUnreachable, match="in time"):
            isdr.command(GET_EID, deadline=briefly())
        before = len(card.sent)
        with pytest.raises(CardUnreachable, match="still does not answer"):
            isdr.command(GET_EID, deadline=briefly())
        assert len(card.sent) == before
        assert isdr.command(GET_EID, deadline=soon()) == EID


def test_ok_without_the_result_is_malformed_before_long() -> None:
    """After OK without a result, lpad waits for a short time only, not as long as for an APDU."""
    patience = AtTimeouts(information=0.3, apdu=60)
    with bench(patience=patience) as (modem, link, _):
        link.imei(deadline=soon())
        modem.once("AT+CSIM", instead=("OK",), executed=False)
        with pytest.raises(CardMalformed, match="without the result"):
            link.open_channel((), deadline=soon())


def test_a_length_that_contradicts_the_hex_is_malformed() -> None:
    """If an answer's length contradicts its hex digits, as after a loss of characters, it is malformed."""
    with bench() as (modem, link, card):
        modem.once("AT+CSIM=16", instead=('+CSIM: 46,"BF3E12"', "OK"))
        with (
            pytest.raises(CardMalformed, match="characters were lost"),
            isdr_session(link, deadline=soon()) as isdr,
        ):
            isdr.command(b"\xbf\x20\x00", deadline=soon())
        assert card.open == set()


@pytest.mark.parametrize("told", ["+CGSN: 1", "490154203237510", "ERROR", "+CME ERROR: 4", "+CME ERROR: 100"])
def test_no_valid_imei_is_none(told: str) -> None:
    """If the modem reports no valid IMEI, the link returns None, because the settings can contain an IMEI."""
    with bench() as (modem, link, _):
        final = () if "ERROR" in told else ("OK",)
        modem.once("AT+CGSN", instead=(told, *final))
        assert link.imei(deadline=soon()) is None
        assert link.imei(deadline=soon()) == IMEI


def test_unsolicited_lines_between_commands_are_ignored() -> None:
    """Lines that the modem sends between commands are read and dropped before the next command."""
    with bench() as (modem, link, _):
        assert get_eid(link) == EID
        modem.unsolicited("RING", "+CREG: 1", "OK", '+CSIM: 4,"9000"', "ERROR")
        assert get_eid(link) == EID


def test_a_line_that_is_waited_for_ends_the_waiting() -> None:
    """`wait_for` returns an unsolicited line, even one after other lines, or from before the wait."""
    with PtyModem(ScriptedCard()) as double:
        modem = AtPort(SerialLine(double.path))
        try:
            modem.ask(AtCommand("AT"), patience=5, deadline=soon())
            double.unsolicited("RING", "+QUSIM: 1")
            assert modem.wait_for(["+SIMREADY", "+qusim"], deadline=soon()) == "+QUSIM: 1"
            double.unsolicited("+QUSIM: 2")
            modem.ask(AtCommand("AT"), patience=5, deadline=soon())
            assert modem.wait_for(["+QUSIM"], deadline=soon()) == "+QUSIM: 2"
            modem.forget_unsolicited()
            assert modem.wait_for(["+QUSIM"], deadline=Deadline.after(0.05)) is None
        finally:
            modem.close()


def test_a_port_that_vanishes_in_the_middle_is_unreachable() -> None:
    """If a modem is unplugged during a command, the error reports that the port has disappeared."""
    with bench() as (modem, link, _):
        modem.once("AT+CSIM=16", vanish=True)
        with isdr_session(link, deadline=soon()) as isdr, pytest.raises(CardUnreachable, match="disappeared"):
            isdr.command(b"\xbf\x20\x00", deadline=soon())
        with pytest.raises(CardUnreachable):
            get_eid(link)


def test_a_refresh_is_the_modems_own_business() -> None:
    """After 91xx the modem resets the card; the session ends normally, and the next one works."""
    card = ScriptedCard(answers={GET_EID: EID}, proactive=bytes.fromhex("D009810301010482028182"))
    card.status = 0x910B
    with bench(card) as (_, link, _):
        with isdr_session(link, deadline=soon()) as isdr:
            assert isdr.command(GET_EID, deadline=soon()) == EID
        card.status = 0x9000
        assert get_eid(link) == EID
        assert card.resets == 1
        assert card.open == set()


def test_a_modem_that_never_stops_talking_ends_with_the_deadline() -> None:
    """If lines arrive without end, the caller waits for the answer only until the deadline."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    over = threading.Event()

    def talk() -> None:
        with contextlib.suppress(OSError):
            while not over.is_set():
                if select.select([], [master], [], 0.05)[1]:
                    os.write(master, b"+NOISE: 1\r\n" * 10)

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        line = SerialLine(os.ttyname(slave))
        modem = AtPort(line)
        with pytest.raises(CardError):
            modem.ask(AtCommand("AT+CGSN", prefix="+CGSN"), patience=30, deadline=Deadline.after(0.5))
        line.close()
    finally:
        over.set()
        talker.join()
        os.close(slave)
        os.close(master)


@pytest.mark.parametrize(
    ("lines", "reports"),
    [
        ("+CEREG: 2", True),
        ("+CREG: 0", True),
        ("+c5greg: 1", True),
        ("+CGEV: NW DETACH", True),
        ("NO CARRIER", True),
        ("RING", False),
        ('+CMTI: "SM",1', False),
        ("+CEREGX: 1", False),
        ("garbage +CEREG: 1", False),
        ('RING\r\n+CGREG: 3\r\n+CMTI: "SM",1', True),
    ],
)
def test_hears_reports_on_the_connection(lines: str, *, reports: bool) -> None:
    """Lines about registration and contexts are reported once; other lines are not reports."""
    host, modem = pty.openpty()
    tty.setraw(modem)
    try:
        heard = AtPort(SerialLine(os.ttyname(modem)))
        assert not heard.hear(deadline=soon())
        os.write(host, f"\r\n{lines}\r\n".encode())
        assert select.select([heard.fileno()], [], [], 60)[0], "the descriptor shows it"
        assert heard.hear(deadline=soon()) is reports
        assert not heard.hear(deadline=soon())
        heard.close()
        with pytest.raises(CardUnreachable):
            heard.fileno()
    finally:
        os.close(host)
        os.close(modem)
