"""The modem's registration, over real pyserial on a pty."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from card.link_contract import soon
from lpad.base.deadline import Deadline
from lpad.base.errors import CardError, CardUnreachable
from lpad.base.identifiers import Iccid
from lpad.card.at.at_modem import AtModem
from lpad.card.modem.at_port import AtPort
from lpad.card.modem.registration_watch import RegistrationWatch
from lpad.card.port.serial_line import SerialLine
from lpad.card.quirks.quirks import AtTimeouts
from lpad.protocol.at_dialogue import AtCommand
from lpad.simulator.modem.personality import ModemPersonality, Notices
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from collections.abc import Iterator

FIRST = "8900101000000000017"
SECOND = "8900101000000000025"


class Card:
    """A card that has only files: its EF.ICCID can be read."""

    def __init__(self) -> None:
        self.iccid = FIRST

    def transmit(self, apdu: bytes) -> bytes:
        read = apdu == bytes.fromhex("00B000000A")
        return (bytes(Iccid.parse(self.iccid)) if read else b"") + b"\x90\x00"

    def reset(self) -> bytes:
        return b"\x3b\x00"


@contextmanager
def bench(**habits: Any) -> Iterator[tuple[PtyModem, AtModem, Card]]:
    """Yield a modem with the given habits, its opened port and its card."""
    card = Card()
    with PtyModem(card, personality=ModemPersonality(**habits)) as modem:
        host = AtModem(AtPort(SerialLine(modem.path)))
        try:
            yield modem, host, card
        finally:
            host.close()


def heard(watch: RegistrationWatch) -> list[str]:
    return [str(each) for each in watch.status]


def test_asks_for_each_network_that_the_modem_knows() -> None:
    """Lpad asks about 4G, 5G and older networks, and leaves out those that the modem does not know."""
    with bench(registration_commands=("+CEREG", "+C5GREG"), registration={FIRST: 5}) as (_, host, _card):
        status = host.registrations(deadline=soon())
        assert [(each.network, each.status) for each in status] == [("+CEREG", 5), ("+C5GREG", 5)]


def test_asks_for_no_further_network_than_the_first_that_registered_it() -> None:
    """Lpad asks about the next network only while none has reported that the modem is registered."""
    with bench(registration={FIRST: 5}) as (modem, host, _card):
        status = host.registrations(first=True, deadline=soon())
        assert [(each.network, each.status) for each in status] == [("+CEREG", 5)]
        assert [line for line in modem.received if "REG" in line] == ["AT+CEREG?"]
    with bench(registration={FIRST: 2}) as (_, host, _card):
        assert len(host.registrations(first=True, deadline=soon())) == 2


def test_a_modem_without_any_of_the_commands_reports_nothing() -> None:
    """If a modem lacks all these commands, the list of registrations is empty, so a guard can be refused."""
    with bench(registration_commands=()) as (_, host, _card):
        assert host.registrations(deadline=soon()) == ()


@pytest.mark.parametrize("reason", [10, 14], ids=["no SIM", "SIM busy"])
def test_a_modem_without_a_sim_knows_the_command_nevertheless(reason: int) -> None:
    """An error because of the SIM counts as a modem that is not registered, so a guard may wait."""
    with bench(registration_commands=("+CEREG",)) as (modem, host, _):
        modem.once("AT+CEREG?", instead=(f"+CME ERROR: {reason}",), executed=False)
        assert [str(each) for each in host.registrations(deadline=soon())] == ["CEREG 0 (not registered)"]


def test_a_modem_that_swallows_what_it_does_not_know_is_asked_for_that_once() -> None:
    """A command that the modem does not answer is sent once; the other commands still get their answers."""
    with bench() as (modem, host, _):
        host.at_port.patience = AtTimeouts(information=0.3)
        modem.once("AT+C5GREG?", instead=(), executed=False)
        watch = RegistrationWatch(host, deadline=soon())
        assert [each.network for each in watch.status] == ["+CEREG", "+CGREG"]
        watch.ask(deadline=soon())
        assert list(modem.received).count("AT+C5GREG?") == 1


def test_hears_that_the_modem_has_registered() -> None:
    """The modem announces its registration, so lpad queries each kind of network only once."""
    with bench(registers_after=0.3) as (modem, host, _):
        watch = RegistrationWatch(host, deadline=soon())
        assert heard(watch) == ["CEREG 2 (searching)", "CGREG 2 (searching)"]
        while not watch.registered:
            assert watch.listen(deadline=soon())
        assert [line for line in modem.received if line.endswith("REG?")] == [
            "AT+CEREG?",
            "AT+CGREG?",
            "AT+C5GREG?",
        ]


@pytest.mark.parametrize(("status", "word"), [(2, "searching"), (3, "denied")])
def test_hears_that_it_does_not(status: int, word: str) -> None:
    """With a profile without service, the registration is reported as searching or denied."""
    with bench(registration={SECOND: status}, registration_commands=("+CEREG",)) as (modem, host, card):
        watch = RegistrationWatch(host, deadline=soon())
        assert watch.registered
        card.iccid = SECOND
        modem.register(SECOND, status)
        watch.ask(deadline=soon())
        assert heard(watch) == [f"CEREG {status} ({word})"]
        assert not watch.listen(deadline=Deadline.after(0.2))


def test_a_modem_that_announces_nothing_here_is_asked_again() -> None:
    """A modem that announces nothing on this port is asked again from time to time."""
    with bench(tells_registration=False, registration={FIRST: 2}) as (modem, host, _):
        watch = RegistrationWatch(host, deadline=soon())
        modem.register(FIRST, 1)
        assert not watch.listen(deadline=Deadline.after(0.2))
        assert heard(watch) == ["CEREG 2 (searching)", "CGREG 2 (searching)"]
        watch.ask(deadline=soon())
        assert watch.registered


def test_reports_are_switched_back_afterwards() -> None:
    """Reports that another program has switched on stay on; lpad switches off those that it switched on."""
    with bench() as (modem, host, _):
        host.at_port.ask(AtCommand("AT+CGREG=2"), patience=5, deadline=soon())
        watch = RegistrationWatch(host, deadline=soon())
        assert {each.network: each.level for each in watch.status} == {"+CEREG": 0, "+CGREG": 2}
        watch.end(deadline=soon())
        assert [line for line in modem.received if "REG=" in line] == [
            "AT+CGREG=2",
            "AT+CEREG=1",
            "AT+CEREG=0",
        ]


@pytest.mark.parametrize("level", [0, 1, 2, 3, 4, 5])
def test_the_reports_stay_as_they_were_when_lpad_asks_for_the_reject_cause(level: int) -> None:
    """The level of reports that another program has set is restored after lpad has asked for the cause."""
    with bench() as (modem, host, _):
        host.at_port.ask(AtCommand(f"AT+CEREG={level}"), patience=5, deadline=soon())
        host.reject_cause(deadline=soon())
        (now,) = host.registrations(networks=["+CEREG"], deadline=soon())
        assert now.level == level
        assert "AT+CEREG=3" in modem.received


def test_the_bearer_cause_is_read_although_the_modem_swallows_a_command() -> None:
    """If the modem does not answer the query for the level, lpad still asks for the cause of the bearer."""
    with bench() as (modem, host, _):
        host.at_port.patience = AtTimeouts(information=0.3)
        modem.once("AT+CEREG?", instead=(), executed=False)
        host.reject_cause(deadline=soon())
        assert "AT+CEER" in modem.received


def test_the_level_is_restored_although_the_modem_swallows_the_query() -> None:
    """If the modem does not answer at the level of causes, lpad restores the earlier level, even too late."""
    with bench() as (modem, host, _):
        host.at_port.patience = AtTimeouts(information=1)
        host.at_port.ask(AtCommand("AT+CEREG=2"), patience=5, deadline=soon())
        modem.once("AT+CEREG?")
        modem.once("AT+CEREG?", instead=(), executed=False)
        with suppress(CardError):
            host.reject_cause(deadline=Deadline.after(0.5))
        assert modem.received[-1] == "AT+CEREG=2"


def test_a_modem_that_was_taken_down_is_not_registered() -> None:
    """After AT+CFUN=0 and AT+CFUN=1, the modem is searching, and no longer registered."""
    with bench(registers_after=0.3, notices=Notices.RADIO_CYCLE) as (_, host, card):
        watch = RegistrationWatch(host, deadline=soon())
        while not watch.registered:
            assert watch.listen(deadline=soon())
        card.iccid = SECOND
        for text in ("AT+CFUN=0", "AT+CFUN=1"):
            host.at_port.ask(AtCommand(text), patience=5, deadline=soon())
        watch.ask(deadline=soon())
        assert heard(watch) == ["CEREG 2 (searching)", "CGREG 2 (searching)"]


def test_a_vanished_port_ends_the_wait() -> None:
    """A wait for a modem that is gone ends immediately."""
    with bench(registration={FIRST: 2}) as (modem, host, _):
        watch = RegistrationWatch(host, deadline=soon())
        modem.vanish()
        with pytest.raises(CardUnreachable, match="disappeared"):
            watch.listen(deadline=soon())
