"""The simulated modem on a pseudo-terminal, tested with plain pyserial."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import serial

from lpad.base.deadline import Deadline
from lpad.base.errors import CardUnreachable, InternalError, InvalidValue
from lpad.simulator.modem.personality import ModemPersonality
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from collections.abc import Iterator


class Card:
    """A card that gives the scripted answers, then 9000, and records the commands."""

    def __init__(self, *answers: str) -> None:
        self.answers = [bytes.fromhex(answer) for answer in answers]
        self.sent: list[str] = []

    def transmit(self, apdu: bytes) -> bytes:
        self.sent.append(apdu.hex().upper())
        return self.answers.pop(0) if self.answers else b"\x90\x00"

    def reset(self) -> bytes:
        self.sent.append("reset")
        return b"\x3b\x00"


class Port:
    """The host's end of the modem's port."""

    def __init__(self, path: str) -> None:
        self._serial = serial.Serial(path, timeout=10, exclusive=True)

    def ask(self, line: str, *, until: bytes = b"\r\nOK\r\n") -> bytes:
        self._serial.write(line.encode() + b"\r")
        return self.hear(until)

    def hear(self, until: bytes) -> bytes:
        return self._serial.read_until(until)

    def close(self) -> None:
        self._serial.close()


@pytest.fixture
def modem() -> Iterator[PtyModem]:
    with PtyModem(Card()) as modem:
        yield modem


@pytest.fixture
def port(modem: PtyModem) -> Iterator[Port]:
    port = Port(modem.path)
    yield port
    port.close()


def test_echoes_until_told_not_to(port: Port) -> None:
    """The modem echoes its input until ATE0, and again after ATE1."""
    assert port.ask("AT") == b"AT\r\r\nOK\r\n"
    assert port.ask("ATE0") == b"ATE0\r\r\nOK\r\n"
    assert port.ask("AT") == b"\r\nOK\r\n"
    port.ask("ATE1")
    assert port.ask("at") == b"at\r\r\nOK\r\n"


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("ATI", b"\r\nlpad\r\n\r\nPtyModem\r\n\r\nRevision: 1.0\r\n\r\nOK\r\n"),
        ("AT+CGMI", b"\r\nlpad\r\n\r\nOK\r\n"),
        ("AT+CGMM", b"\r\nPtyModem\r\n\r\nOK\r\n"),
        ("AT+CGMR", b"\r\n1.0\r\n\r\nOK\r\n"),
        ("AT+CGSN", b"\r\n490154203237518\r\n\r\nOK\r\n"),
        ("AT+CSIM=?", b"\r\nOK\r\n"),
        ("ATE0Q0V1", b"\r\nOK\r\n"),
        ("AT+CMEE?", b"\r\n+CMEE: 0\r\n\r\nOK\r\n"),
        ('AT+CSIM=10,"0070000001"', b'\r\n+CSIM: 4,"9000"\r\n\r\nOK\r\n'),
        ("AT+CSIM=10,0070000001", b'\r\n+CSIM: 4,"9000"\r\n\r\nOK\r\n'),
    ],
)
def test_knows_its_commands(port: Port, command: str, told: bytes) -> None:
    """Each command has its answer, whose lines begin and end with CR LF."""
    port.ask("ATE0")
    assert port.ask(command) == told


@pytest.mark.parametrize("level", [0, 1, 2])
def test_errors_are_reported_as_cmee_asks(port: Port, level: int) -> None:
    """A wrong length in AT+CSIM gets ERROR, an error number or words, as AT+CMEE selects."""
    port.ask("ATE0")
    port.ask(f"AT+CMEE={level}")
    told = ["ERROR", "+CME ERROR: 50", "+CME ERROR: Incorrect parameters"][level]
    expected = f"\r\n{told}\r\n".encode()
    assert port.ask('AT+CSIM=8,"0070000001"', until=expected) == expected


@pytest.mark.parametrize("command", ["AT+FOO", "AT+CCHO=1", "ATD123", "AT+CSIM", 'AT+CSIM=4,"0070"'])
def test_says_error_to_what_it_does_not_know(port: Port, command: str) -> None:
    """An unknown or incomplete command gets ERROR; a line that does not begin with AT gets no answer."""
    port.ask("ATE0")
    assert port.ask(f"hello\r{command}", until=b"\r\nERROR\r\n") == b"\r\nERROR\r\n"


def test_lines_glued_together_are_served_in_turn(port: Port) -> None:
    """Two commands that arrive in one write get two answers, in order."""
    port.ask("ATE0")
    assert port.ask("AT+CGMI\rAT", until=b"OK\r\n\r\nOK\r\n") == b"\r\nlpad\r\n\r\nOK\r\n\r\nOK\r\n"


def test_counts_what_passes(modem: PtyModem, port: Port) -> None:
    """The modem counts its commands, and the characters in each direction with the echo."""
    port.ask("ATE0")
    port.ask("AT+CGMI")
    assert modem.counters.characters_in == len("ATE0\rAT+CGMI\r")
    answers = len("ATE0\r\r\nOK\r\n" + "\r\nlpad\r\n\r\nOK\r\n")
    deadline = Deadline.after(30)
    while modem.counters.characters_out < answers:  # the modem counts characters after it has written them
        assert not deadline.passed
        time.sleep(0.01)
    assert modem.counters.characters_out == answers
    assert modem.counters.commands == 2
    assert list(modem.received) == ["ATE0", "AT+CGMI"]


def test_answers_in_its_own_style() -> None:
    """The personality decides on an answer's quotes, case, blanks, prefix and line ends."""
    habits = ModemPersonality(
        quoted=False, lower_case=True, blank_after_colon=False, line_end="\n", echo=False, bare_imei=False
    )
    with PtyModem(Card("ABCD9000"), personality=habits) as modem:
        port = Port(modem.path)
        assert port.ask('AT+CSIM=10,"0070000001"', until=b"OK\n") == b"\n+CSIM:8,abcd9000\n\nOK\n"
        assert port.ask("AT+CGSN", until=b"OK\n") == b'\n+CGSN:"490154203237518"\n\nOK\n'
        port.close()


def test_fetches_data_if_that_is_its_habit() -> None:
    """By its habit, a modem sends GET RESPONSE after 61xx, on the command's channel, once."""
    card = Card("6100", "AA" * 256 + "6110")
    with PtyModem(card, personality=ModemPersonality(echo=False, fetches_response=True)) as modem:
        port = Port(modem.path)
        told = port.ask('AT+CSIM=16,"C1E2910003BF2D00"')
        assert told.startswith(b'\r\n+CSIM: 516,"AAAA')
        assert b'AA6110"' in told
        assert card.sent == ["C1E2910003BF2D00", "41C0000000"]
        port.close()


REFRESH = "D009810301010482028182"


@pytest.mark.parametrize("qualifier", ["04", "09"])
def test_serves_a_refresh_itself(qualifier: str) -> None:
    """After 91xx the modem fetches the REFRESH, confirms it, resets the card and sends +QUSIM: 1."""
    card = Card("910B", f"D00981030101{qualifier}82028182" + "9000")
    with PtyModem(card) as modem:
        port = Port(modem.path)
        told = port.ask('AT+CSIM=16,"81E2910003BF3100"', until=b"+QUSIM: 1\r\n")
        assert told.endswith(b'\r\n+CSIM: 4,"910B"\r\n\r\nOK\r\n\r\n+QUSIM: 1\r\n')
        assert card.sent == [
            "81E2910003BF3100",
            "801200000B",
            f"801400000C81030101{qualifier}02028281030100",
            "reset",
        ]
        port.close()


def test_serves_other_proactive_commands_without_a_reset() -> None:
    """The modem answers proactive commands other than REFRESH, and does not reset the card."""
    card = Card("910B", "D009810301250082028182" + "9000", "910B", "D009810301250082028182" + "9000")
    with PtyModem(card) as modem:
        port = Port(modem.path)
        port.ask('AT+CSIM=16,"81E2910003BF3100"')
        port.ask("AT")
        assert [apdu[:4] for apdu in card.sent] == ["81E2", "8012", "8014", "8012", "8014"]
        port.close()


def test_leaves_proactive_commands_alone_if_that_is_its_habit() -> None:
    """By its habit, a modem does not fetch the proactive command after 91xx."""
    card = Card("910B")
    with PtyModem(card, personality=ModemPersonality(fetches_proactive=False)) as modem:
        port = Port(modem.path)
        port.ask('AT+CSIM=16,"81E2910003BF3100"')
        port.ask("AT")
        assert card.sent == ["81E2910003BF3100"]
        port.close()


def test_vanishes_and_comes_back(tmp_path: Path) -> None:
    """When the modem vanishes, its link does too; it comes back under the same or another path."""
    link = tmp_path / "modem"
    with PtyModem(Card(), path=link) as modem:
        assert modem.path == str(link)
        port = Port(modem.path)
        modem.vanish()
        assert not link.is_symlink()
        with pytest.raises(serial.SerialException):
            port.hear(b"x")
        port.close()
        modem.come_back()
        port = Port(str(link))
        assert port.ask("AT").endswith(b"\r\nOK\r\n")
        port.close()
        modem.vanish()
        modem.come_back(tmp_path / "other")
        assert modem.path == str(tmp_path / "other")
        port = Port(modem.path)
        assert port.ask("AT").endswith(b"\r\nOK\r\n")
        port.close()
    assert list(tmp_path.iterdir()) == []


def test_is_away_after_a_refresh_if_that_is_its_habit(tmp_path: Path) -> None:
    """By its habit, a modem's port vanishes after a REFRESH and comes back later."""
    card = Card("910B", REFRESH + "9000")
    with PtyModem(
        card, path=tmp_path / "modem", personality=ModemPersonality(away_after_refresh=0.05)
    ) as modem:
        port = Port(modem.path)
        with pytest.raises(serial.SerialException):
            port.ask('AT+CSIM=16,"81E2910003BF3100"', until=b"+QUSIM: 1\r\n")
        port.close()
        deadline = Deadline.after(10)
        while not Path(modem.path).exists() and not deadline.passed:
            time.sleep(0.01)
        port = Port(modem.path)
        assert port.ask("AT").endswith(b"\r\nOK\r\n")
        port.close()


def test_replaces_a_stale_link_but_nothing_else(tmp_path: Path) -> None:
    """A dangling link in the modem's path is replaced; a file there is an error and stays."""
    stale = tmp_path / "stale"
    stale.symlink_to("/dev/pts/99999")
    with PtyModem(Card(), path=stale) as modem:
        port = Port(modem.path)
        port.close()
    file = tmp_path / "file"
    file.write_bytes(b"precious")
    with pytest.raises(InvalidValue, match="another path"):
        PtyModem(Card(), path=file)
    assert file.read_bytes() == b"precious"


def test_faults_are_armed_for_one_command(modem: PtyModem, port: Port) -> None:
    """A fault affects only the next command with its text."""
    port.ask("ATE0")
    modem.once("AT+CGMM", instead=("+CME ERROR: 14",), executed=False)
    modem.once("AT+CGMI", before=("RING",))
    assert port.ask("AT") == b"\r\nOK\r\n"
    assert port.ask("AT+CGMI") == b"\r\nRING\r\n\r\nlpad\r\n\r\nOK\r\n"
    assert port.ask("AT+CGMM", until=b"14\r\n") == b"\r\n+CME ERROR: 14\r\n"
    assert port.ask("AT+CGMM") == b"\r\nPtyModem\r\n\r\nOK\r\n"


def test_an_emulated_baud_rate_takes_its_time() -> None:
    """At 9600 baud, a command and its answer take at least 10 bits' time for each character."""
    with PtyModem(Card(), baud=9600, personality=ModemPersonality(echo=False)) as modem:
        port = Port(modem.path)
        started = time.monotonic()
        command = f'AT+CSIM=90,"{"00" * 45}"'
        characters = len(command) + 1 + len(port.ask(command))
        assert modem.counters.characters_in + modem.counters.characters_out == characters
        assert time.monotonic() - started >= characters * 10 / 9600 - 0.002
        port.close()


def test_a_silent_card_is_a_sim_failure() -> None:
    """If the card does not answer, AT+CSIM gets +CME ERROR: 13 (SIM failure)."""

    class Mute(Card):
        def transmit(self, apdu: bytes) -> bytes:
            if self.answers:
                return super().transmit(apdu)
            raise CardUnreachable("no power")

    with PtyModem(Mute("910B"), personality=ModemPersonality(error_level=1)) as modem:
        port = Port(modem.path)
        port.ask('AT+CSIM=16,"81E2910003BF3100"')
        assert port.ask('AT+CSIM=10,"0070000001"', until=b"13\r\n").endswith(b"\r\n+CME ERROR: 13\r\n")
        port.close()


def test_a_card_that_crashes_is_not_ignored() -> None:
    """If the card's code raises an exception, closing the modem raises InternalError once."""

    class Crashing(Card):
        def transmit(self, apdu: bytes) -> bytes:
            raise ZeroDivisionError

    modem = PtyModem(Crashing())
    port = Port(modem.path)
    with pytest.raises(serial.SerialException):
        port.ask('AT+CSIM=10,"0070000001"', until=b"never")
    port.close()
    with pytest.raises(InternalError, match="crashed"):
        modem.close()
    modem.close()
