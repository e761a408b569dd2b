"""A card that answers from a record of APDUs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lpad.base.errors import CardUnreachable, InvalidValue
from lpad.simulator.replayed_card import Exchange, ReplayedCard

if TYPE_CHECKING:
    from pathlib import Path

GET_EID = bytes.fromhex("81E2910006BF3E035C015A")
GET_RESPONSE = bytes.fromhex("01C0000015")
AUTHENTICATE = bytes.fromhex("81E2110005BF38020102")


def entry(command: bytes, answer: str | None, **fields: Any) -> str:
    return json.dumps({"where": "x", "euicc": "a", "command": command.hex(), "answer": answer} | fields)


def test_answers_in_their_order() -> None:
    """A repeated command gets its recorded answers in order, and after the last the first again."""
    card = ReplayedCard([Exchange(GET_RESPONSE, b"\x01\x90\x00"), Exchange(GET_RESPONSE, b"\x02\x90\x00")])
    assert [card.transmit(GET_RESPONSE)[0] for _ in range(3)] == [1, 2, 1]


@pytest.mark.parametrize("cla", [0x81, 0x82, 0xC1, 0xCF])
def test_the_channel_may_differ_from_the_recorded_one(cla: int) -> None:
    """A command gets its recorded answer on any channel."""
    card = ReplayedCard([Exchange(GET_EID, b"\x61\x15")])
    assert card.transmit(bytes([cla]) + GET_EID[1:]) == b"\x61\x15"
    assert card.unheard == 0


def test_content_that_differs() -> None:
    """A command with other content gets the recorded answer for its tag, and an unrecorded tag gets 6985."""
    card = ReplayedCard([Exchange(GET_EID, b"\x61\x15"), Exchange(AUTHENTICATE, b"\x61\x20")])
    assert card.transmit(AUTHENTICATE[:-1] + b"\x07") == b"\x61\x20"
    assert card.transmit(bytes.fromhex("81E2910003BF2D00")) == b"\x69\x85"
    assert card.unheard == 1


def test_a_card_that_fell_silent() -> None:
    """A command whose only record has no answer raises CardUnreachable."""
    with pytest.raises(CardUnreachable):
        ReplayedCard([Exchange(GET_EID, None)]).transmit(GET_EID)


def test_a_modem_on_its_way_out() -> None:
    """If a command has records with and without an answer, those without are ignored."""
    card = ReplayedCard([Exchange(GET_EID, None), Exchange(GET_EID, b"\x61\x15")])
    assert [card.transmit(GET_EID) for _ in range(2)] == [b"\x61\x15"] * 2


def test_a_recorded_refusal_of_manage_channel_is_not_replayed() -> None:
    """MANAGE CHANNEL opens a channel, even if its record has no answer."""
    card = ReplayedCard([Exchange(bytes.fromhex("0070000001"), None), Exchange(GET_EID, b"\x61\x15")])
    assert card.transmit(bytes.fromhex("0070000001")) == bytes.fromhex("019000")


def test_channels_and_select_need_no_record() -> None:
    """MANAGE CHANNEL and SELECT succeed even if they are not in the record."""
    card = ReplayedCard([Exchange(GET_EID, b"\x61\x15")])
    assert card.transmit(bytes.fromhex("0070000001")) == bytes.fromhex("019000")
    assert card.transmit(bytes.fromhex("01A4040010") + bytes(16)) == bytes.fromhex("9000")
    assert card.transmit(bytes.fromhex("00708001")) == bytes.fromhex("9000")


def test_records_of_several_cards(tmp_path: Path) -> None:
    """Of several recorded cards one is chosen by name; exchanges without a name belong to the port's card."""
    path = tmp_path / "apdus"
    path.write_text(
        "\n".join(
            [
                entry(GET_RESPONSE, "019000", euicc=None),
                entry(GET_EID, "9000", euicc="a"),
                entry(GET_EID, "6985", euicc="b", where="y"),
            ]
        )
    )
    with pytest.raises(InvalidValue, match="a, b"):
        ReplayedCard.read(path)
    with pytest.raises(InvalidValue, match="no record of 'c'"):
        ReplayedCard.read(path, euicc="c")
    card = ReplayedCard.read(path, euicc="a")
    assert card.transmit(GET_EID) == b"\x90\x00"
    assert card.transmit(GET_RESPONSE) == b"\x01\x90\x00"
    assert ReplayedCard.read(path, euicc="b").transmit(GET_EID) == b"\x69\x85"


@pytest.mark.parametrize(
    "text", ["nonsense", "[]", '{"where": "x"}', '{"where": "x", "command": "80", "answer": ""}']
)
def test_files_that_are_not_a_record(tmp_path: Path, text: str) -> None:
    """A file that is not an APDU record, and a missing one, is refused."""
    (tmp_path / "apdus").write_text(text)
    with pytest.raises(InvalidValue, match="not an APDU record"):
        ReplayedCard.read(tmp_path / "apdus")
    with pytest.raises(InvalidValue, match="No such file"):
        ReplayedCard.read(tmp_path / "nothing")
