"""The simulated card's APDUs: channels, SELECT, blocks of STORE DATA, status words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.identifiers import ISD_R
from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.chip.answer_to_reset import ANSWER_TO_RESET
from simulator.euicc.small_lpa import SmallLpa, StatusError
from simulator.euicc.small_server import ICCID, SmallServer

if TYPE_CHECKING:
    from lpad.simulator.euicc.card import SoftCard
    from simulator.euicc.conftest import MakeCard

GET_EID = bytes.fromhex("BF3E035C015A")
SELECT_ISDR = "00A4040010" + str(ISD_R)


def status(card: SoftCard, apdu: str) -> str:
    """Return the status word alone."""
    return card.transmit(bytes.fromhex(apdu))[-2:].hex()


def test_channels_are_assigned_and_closed_by_number(card: SoftCard) -> None:
    """Channels get numbers from 1, are refused if none is free, and are closed by their numbers."""
    lpa = SmallLpa(card, select=False)
    assert [lpa.apdu("0070000001") for _ in range(3)] == [b"\x01", b"\x02", b"\x03"]
    assert list(card.open_channels) == [1, 2, 3]
    assert status(card, "0070000001") == "6a81"
    assert lpa.apdu("00708002") == b""
    assert status(card, "00708002") == "6881"
    assert lpa.apdu("0070000001") == b"\x02"
    assert lpa.apdu("01708000") == b""  # a channel can close itself
    assert list(card.open_channels) == [2, 3]


def test_channel_by_number(card: SoftCard) -> None:
    """A terminal may choose the number of a channel; a number in use, or too high, is refused."""
    assert status(card, "00700002") == "9000"
    assert status(card, "00700002") == "6a81"
    assert status(card, "00700009") == "6a81"
    assert card.open_channels == (2,)


@pytest.mark.parametrize(
    ("apdu", "expected"),
    [
        ("00708000", "6a86"),  # the basic channel cannot be closed
        ("00704000", "6a86"),
        ("007000000100", "6700"),  # MANAGE CHANNEL takes no data
        ("02A4000C023F00", "6881"),  # channel 2 is not open
        ("45A4000C023F00", "6881"),
        ("84E2910006BF3E035C015A", "6882"),
        ("60A4000C023F00", "6882"),
        ("A0A4000C023F00", "6e00"),
        ("80A4000C023F00", "6e00"),
        ("00E2910006BF3E035C015A", "6e00"),
        ("0020000100", "6d00"),
        ("80CA9F7F00", "6d00"),
        ("00C0000010", "6985"),  # no answer is waiting
        ("8012000010", "6985"),
        ("801400000C810301010402028281830100", "6985"),
        ("00A404", "6700"),
        ("00A4040010A000", "6700"),
        ("00A40400050000000000FFFF", "6700"),
        ("00A4010002" + "3F00", "6a86"),
        ("00A40000032FE200", "6700"),
        ("00A40800032FE200", "6700"),
        ("00A4040005A000000999", "6a82"),
        ("00A40000022FE2", "6a82"),  # without an enabled profile the card has no files
        ("00A40000027FFF", "6a82"),
        ("00B0000000", "6986"),
        ("00B0830000", "6a82"),
        ("8010000000", "6700"),
        ("80AA000003A9FF00", "6a80"),
        ("80AA0000028100", "6a80"),
        ("80E2910006BF3E035C015A", "6d00"),  # the ISD-R is not selected
    ],
)
def test_invalid_commands_are_refused(card: SoftCard, apdu: str, expected: str) -> None:
    """Each invalid command gets the status word for its mistake."""
    assert status(card, apdu) == expected


def test_the_first_commands_of_terminals_are_understood(card: SoftCard) -> None:
    """The card answers 9000 to the commands that terminals send first."""
    for apdu in ("00A4000C023F00", "80AA00000AA9088100820101830107", "80100000020000", "80F2000C"):
        assert status(card, apdu) == "9000"
    lpa = SmallLpa(card, select=False)
    assert tlv.parse(lpa.apdu("80F2000000")).get(0x83).value.hex() == "3f00"


def test_the_isdr_answers_with_its_template(card: SoftCard) -> None:
    """SELECT of the ISD-R returns its AID and its template E0 with the version."""
    lpa = SmallLpa(card, select=False)
    lpa.apdu("0070000001")
    answer = lpa.apdu("01A4040010" + str(ISD_R) + "00")
    assert answer.hex().upper() == "6F1F8410" + str(ISD_R) + "A5049F6501FFE0058203020202"
    assert lpa.apdu("81F2000000").hex().upper() == "8410" + str(ISD_R)


def test_es10_needs_the_selected_isdr(lpa: SmallLpa) -> None:
    """After the MF was selected on the channel, ES10 is refused with 6D00."""
    assert lpa.command(GET_EID)
    assert status(lpa.card, "01A4000C023F00") == "9000"
    with pytest.raises(StatusError, match="6D00"):
        lpa.command(GET_EID)


def test_isdr_on_basic_channel(make_card: MakeCard) -> None:
    """The card's habit decides whether the ISD-R may be selected on the basic channel."""
    assert status(make_card(), SELECT_ISDR) == "6121"
    assert status(make_card(isdr_on_basic_channel=False), SELECT_ISDR) == "6a82"


def test_isdr_under_another_name(make_card: MakeCard) -> None:
    """A card whose ISD-R has another AID can be selected only by that AID."""
    card = make_card(isdr_aid="A0000005591010000000008900000300")
    assert status(card, SELECT_ISDR) == "6a82"
    assert status(card, "00A4040010A0000005591010000000008900000300") == "6121"


@pytest.mark.parametrize("first", [1, 3, 5, 19])
def test_es10_works_on_high_channels(make_card: MakeCard, first: int) -> None:
    """ES10 works on the channels above 3, which have other class bytes."""
    lpa = SmallLpa(make_card(first_channel=first, channels=1))
    assert lpa.channel == first
    assert lpa.command(GET_EID)[-16:] == bytes(lpa.card.eid)


@pytest.mark.parametrize("block_size", [16, 63, 120, 254, 255])
def test_blocks_may_have_any_size(card: SoftCard, server: SmallServer, block_size: int) -> None:
    """A download works with blocks of any size."""
    kind, _ = server.download(SmallLpa(card, block_size=block_size))
    assert kind == "successResult"


def test_wrong_block_number(lpa: SmallLpa) -> None:
    """After a block with a wrong number, the card accepts only a chain that starts at 00."""
    card = lpa.card
    assert status(card, "81E2110003BF3E03") == "9000"
    assert status(card, "81E29102035C015A") == "6a86"
    assert status(card, "81E29101035C015A") == "6a86"
    assert status(card, "81E2110003BF3E03") == "9000"
    assert status(card, "81E29101035C015A") == "6115"


@pytest.mark.parametrize("p1", ["00", "80", "90", "12", "93"])
def test_wrong_kind_of_block(lpa: SmallLpa, p1: str) -> None:
    """A block whose P1 is neither 11 nor 91 is refused."""
    assert status(lpa.card, f"81E2{p1}0006BF3E035C015A") == "6a86"


def test_an_empty_block_is_refused(lpa: SmallLpa) -> None:
    """A block without data is refused."""
    assert status(lpa.card, "81E2910000") == "6700"


@pytest.mark.parametrize("largest", [255, 256])
def test_the_habit_decides_the_longest_chain(make_card: MakeCard, largest: int) -> None:
    """The card's habit decides whether a chain has at most 255 or 256 blocks."""
    lpa = SmallLpa(make_card(largest_chain=largest))
    for number in range(largest):
        assert status(lpa.card, f"81E211{number:02X}0100") == "9000"
    last = largest % 256
    assert status(lpa.card, f"81E291{last:02X}0100") == ("6a86" if last else "6a88")


def test_an_unknown_function_is_told_from_a_cut_command(lpa: SmallLpa) -> None:
    """An unknown tag gets 6A88, and a command that is cut short gets 6A80."""
    for command, expected in (
        ("BF4A00", "6A88"),
        ("3000", "6A88"),
        ("BF3E035C01", "6A80"),
        ("BF29020102", "6A80"),
    ):
        with pytest.raises(StatusError, match=expected):
            lpa.command(command)


def test_es10_may_need_terminal_capability(make_card: MakeCard) -> None:
    """By its habit, a card refuses ES10 until TERMINAL CAPABILITY has announced an LPA."""
    lpa = SmallLpa(make_card(needs_terminal_capability=True))
    with pytest.raises(StatusError, match="6985"):
        lpa.command(GET_EID)
    assert status(lpa.card, "80AA000005A903830100") == "9000"
    with pytest.raises(StatusError, match="6985"):
        lpa.command(GET_EID)
    assert status(lpa.card, "80AA00000AA9088100820101830107") == "9000"
    assert lpa.command(GET_EID)
    assert status(make_card(terminal_capability_status="6D00"), "80AA000005A903830107") == "6d00"


def test_a_reset_closes_the_channels(lpa: SmallLpa) -> None:
    """A reset closes all channels, and returns an ATR with a right check byte."""
    atr = lpa.card.reset()
    assert atr == ANSWER_TO_RESET
    check = 0
    for byte in atr[1:]:
        check ^= byte
    assert check == 0
    assert lpa.card.open_channels == ()
    with pytest.raises(StatusError, match="6881"):
        lpa.command(GET_EID)


@pytest.mark.parametrize("p2", ["02", "03"])
def test_no_second_isdr(lpa: SmallLpa, p2: str) -> None:
    """SELECT of the next or previous ISD-R gets 6A82, and the ISD-R stays selected."""
    assert status(lpa.card, f"00A404{p2}10A0000005591010FFFFFFFF8900000100") == "6a82"
    assert lpa.command(GET_EID)
    assert lpa.apdu("00A4040110A0000005591010FFFFFFFF890000010000").hex().startswith("6f")


def test_files_of_the_enabled_profile(lpa: SmallLpa, server: SmallServer) -> None:
    """The enabled profile's ICCID and IMSI can be read by identifier, path and short identifier."""
    server.download(lpa)
    assert lpa.enable(bytes(ICCID)) == 0
    lpa.apdu("00A40004022FE200")
    assert lpa.apdu("00B000000A") == bytes(ICCID)
    assert lpa.apdu("00B0000800") == bytes(ICCID)[8:]
    assert status(lpa.card, "00B0000A00") == "6b00"
    lpa.apdu("00A4000C023F00")
    assert lpa.apdu("00B0820000") == bytes(ICCID)
    lpa.apdu("00A40804047FFF6F0700")
    assert lpa.apdu("00B0000009").hex() == "080910101032547698"
    assert status(lpa.card, "00A40804042FE26F07") == "6a82"
    assert lpa.apdu("00B0870000").hex() == "080910101032547698"
    lpa.apdu("00A4040C07A0000000871002")
    assert tlv.parse(lpa.apdu("80F2000000")).get(0x83).value.hex() == "7fff"
    assert lpa.disable(bytes(ICCID)) == 0
    assert status(lpa.card, "00A40004022FE2") == "6a82"
