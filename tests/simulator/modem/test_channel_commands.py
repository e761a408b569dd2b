"""The simulated modem's channel commands, habits and personalities, tested with plain pyserial."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import serial

from lpad.base.errors import InvalidValue
from lpad.simulator.modem.personality import Csim, Handles, ModemPersonality
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.personalities import find_personality, personality_names

if TYPE_CHECKING:
    from collections.abc import Iterator

AID = "A0000005591010FFFFFFFF8900000100"
OPEN = f'AT+CCHO="{AID}"'


class Card:
    """A card that opens channels and records the commands."""

    def __init__(self, *, knows: bool = True, free: int = 3) -> None:
        self.sent: list[str] = []
        self._knows = knows
        self._free = free
        self._opened = 0

    def transmit(self, apdu: bytes) -> bytes:
        self.sent.append(apdu.hex().upper())
        if apdu[1] == 0x70 and apdu[2] == 0:
            if self._opened == self._free:
                return b"\x6a\x81"
            self._opened += 1
            return bytes([self._opened]) + b"\x90\x00"
        if apdu[1] == 0xA4:
            return b"\x61\x21" if self._knows else b"\x6a\x82"
        return b"\x90\x00"

    def reset(self) -> bytes:
        return b"\x3b\x00"


class Port:
    """The host's end of the modem's port."""

    def __init__(self, modem: PtyModem) -> None:
        self.modem = modem
        self._serial = serial.Serial(modem.path, timeout=10, exclusive=True)

    def ask(self, line: str) -> list[str]:
        """Send a command and return the lines of its answer, with OK or the error last."""
        self._serial.write(line.encode() + b"\r")
        lines: list[str] = []
        while not lines or not (lines[-1] == "OK" or "ERROR" in lines[-1]):
            line = self._serial.readline().decode().strip()
            lines += [line] if line else []
        return lines

    def close(self) -> None:
        self._serial.close()


@contextmanager
def port_of(card: Card, **habits: Any) -> Iterator[Port]:
    with PtyModem(card, personality=ModemPersonality(**{"echo": False, "error_level": 1} | habits)) as modem:
        port = Port(modem)
        yield port
        port.close()


@pytest.mark.parametrize(
    ("handles", "told"),
    [
        (Handles.NUMBER, "+CCHO: 1"),
        (Handles.BARE, "1"),
        (Handles.HEX64, "+CCHO: 00000000038aa330"),
        (Handles.CHANNEL, "+CCHO: 1"),
    ],
)
def test_channels_are_named_in_each_form(handles: Handles, told: str) -> None:
    """A channel is used and closed by the handle in the answer to AT+CCHO.

    By its habit, a modem's handle is a number, a bare number, 64-bit hexadecimal, or the channel's number.
    """
    with port_of(Card(), handles=handles) as port:
        name, final = port.ask(OPEN)
        assert name == told
        assert final == "OK"
        (handle,) = port.modem.open_channels
        assert handle in told
        assert port.ask(f"AT+CCHC={name.removeprefix('+CCHO: ')}") == ["OK"]
        assert not port.modem.open_channels


def test_class_bytes_are_patched() -> None:
    """The modem puts the channel's number into the class byte of the host's APDU."""
    card = Card()
    with port_of(card, handles=Handles.HEX64) as port:
        port.ask(OPEN)
        handle = port.ask(OPEN)[0].removeprefix("+CCHO: ")
        assert port.ask(f'AT+CGLA={handle},16,"80E2910003BF2D00"') == ['+CGLA: 4,"9000"', "OK"]
        assert card.sent[-1] == "82E2910003BF2D00"


def test_class_bytes_pass_if_that_is_the_habit() -> None:
    """By its habit, a modem leaves the class byte of the host's APDU unchanged."""
    card = Card()
    with port_of(card, handles=Handles.CHANNEL, patches_class=False) as port:
        port.ask(OPEN)
        port.ask('AT+CGLA=1,16,"80E2910003BF2D00"')
        port.ask('AT+CGLA=1,16,"81E2910003BF2D00"')
        assert card.sent[-2:] == ["80E2910003BF2D00", "81E2910003BF2D00"]


@pytest.mark.parametrize(
    ("not_found", "told"), [(22, "+CME ERROR: 22"), (13, "+CME ERROR: 13"), (None, "ERROR")]
)
def test_an_application_that_is_not_there(not_found: int | None, told: str) -> None:
    """If an application is missing, the modem answers by its habit, and closes the channel again."""
    card = Card(knows=False)
    with port_of(card, handles=Handles.NUMBER, not_found=not_found) as port:
        assert port.ask(OPEN) == [told]
        assert card.sent[-1] == "00708001"
        assert port.modem.open_channels == ()


def test_no_free_channel() -> None:
    """If the card has no free channel, the modem answers +CME ERROR: 20 (memory full)."""
    with port_of(Card(free=0), handles=Handles.NUMBER) as port:
        assert port.ask(OPEN) == ["+CME ERROR: 20"]


class WaitingCard(Card):
    """A card with a pending REFRESH, which it announces with 91xx."""

    waiting = True

    def transmit(self, apdu: bytes) -> bytes:
        answer = super().transmit(apdu)
        if apdu[1] == 0x12:
            self.waiting = False
            return bytes.fromhex("D0098103010104820281829000")
        return answer[:-2] + b"\x91\x0b" if self.waiting and answer[-2] == 0x90 else answer


def test_a_refresh_that_waits_is_served_whatever_the_modem_asks() -> None:
    """If the card answers 91xx to AT+CCHO, the channel opens, and the modem carries out the REFRESH."""
    card = WaitingCard()
    with port_of(card, handles=Handles.NUMBER) as port:
        assert port.ask(OPEN) == ["+CCHO: 1", "OK"]
        assert port.ask("AT+CCHC=1")[-1] == "+CME ERROR: 100"
        assert "801200000B" in card.sent
        assert port.modem.open_channels == ()


@pytest.mark.parametrize(
    ("habits", "command", "told"),
    [
        ({}, OPEN, "ERROR"),
        ({}, "AT+CCHC=1", "ERROR"),
        ({}, 'AT+CGLA=1,8,"00000000"', "ERROR"),
        ({}, "AT+CCHO=?", "ERROR"),
        ({"handles": Handles.NUMBER}, "AT+CCHO=?", "OK"),
        ({"handles": Handles.NUMBER, "test_forms": False}, "AT+CGLA=?", "ERROR"),
        ({"test_forms": False}, "AT+CSIM=?", "ERROR"),
        ({"handles": Handles.NUMBER}, "AT+CCHC=7", "+CME ERROR: 100"),
        ({"handles": Handles.NUMBER}, 'AT+CGLA=7,8,"00000000"', "+CME ERROR: 100"),
        ({"handles": Handles.NUMBER}, 'AT+CCHO="A0"', "+CME ERROR: 50"),
        ({"handles": Handles.NUMBER, "closes_channels": False}, "AT+CCHC=1", "ERROR"),
        ({"csim": Csim.ABSENT}, 'AT+CSIM=10,"0070000001"', "ERROR"),
        ({"csim": Csim.NO_MANAGE_CHANNEL}, 'AT+CSIM=10,"0070000001"', "+CME ERROR: 3"),
        ({"csim": Csim.BASIC_CHANNEL_ONLY}, 'AT+CSIM=8,"01A40400"', "+CME ERROR: 0"),
        ({"strict": True}, 'AT+CSIM=10,"00a4040001"', "+CME ERROR: 50"),
        ({"strict": True}, "AT+CSIM=10,0070000001", "+CME ERROR: 50"),
        ({"busy": 1}, 'AT+CSIM=10,"0070000001"', "+CME ERROR: 14"),
    ],
)
def test_each_habit_has_its_refusal(habits: dict[str, Any], command: str, told: str) -> None:
    """Each refused command gets the error of the modem's habits."""
    with port_of(Card(), **habits) as port:
        assert port.ask(command) == [told]


def test_a_chain_breaks_if_that_is_the_habit() -> None:
    """By its habit, a modem answers ERROR from the second STORE DATA of a channel on."""
    with port_of(Card(), handles=Handles.NUMBER, cgla_breaks_at=2) as port:
        for name in ("1", "2"):
            port.ask(OPEN)
            block = f'AT+CGLA={name},14,"80E2110001AA00"'
            assert [port.ask(block)[-1] for _ in range(3)] == ["OK", "ERROR", "ERROR"]


def test_lines_come_around_the_answer_if_that_is_the_habit() -> None:
    """By its habit, a modem sends lines before an answer, before its OK, and after the answer."""
    habits = {
        "urcs_before_answer": ("A",),
        "urcs_before_ok": ("B",),
        "urcs_after_answer": ("C",),
        "glued": True,
    }
    with port_of(Card(), handles=Handles.NUMBER, tells_closing=True, **habits) as port:
        assert port.ask(OPEN) == ["A", "+CCHO: 1", "B", "OK"]
        assert port.ask("AT+CCHC=1") == ["C", "A", "+CCHC", "B", "OK"]


def test_each_personality_is_described() -> None:
    """There are at least fourteen personalities; each can be read and has a description."""
    names = personality_names()
    assert len(names) >= 14
    for name in names:
        assert find_personality(name).about


def test_a_personality_can_be_changed() -> None:
    """Single habits of modem and card can override those of a personality."""
    personality = find_personality("slow", modem={"answer_delay": 2.0}, card={"channels": 1})
    assert personality.modem.answer_delay == 2.0
    assert personality.modem.handles is Handles.NUMBER
    assert personality.card.channels == 1


@pytest.mark.parametrize(
    ("name", "modem", "says"),
    [
        ("nobody", {}, "the known ones are plain"),
        ("plain", {"colour": "red"}, "no property colour"),
        ("plain", {"echo": "loud"}, "echo"),
        ("plain", {"handles": "feet"}, "handles"),
    ],
)
def test_wrong_personalities_are_named(name: str, modem: dict[str, Any], says: str) -> None:
    """The error for an unknown personality, habit or value names it."""
    with pytest.raises(InvalidValue, match=says):
        find_personality(name, modem=modem)
