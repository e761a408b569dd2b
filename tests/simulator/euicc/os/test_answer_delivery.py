"""The simulated card's ways to return data: after GET RESPONSE, directly, or with a corrected length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.simulator.euicc.chip.behaviour import Answers
from simulator.euicc.small_lpa import SmallLpa, StatusError

if TYPE_CHECKING:
    from simulator.euicc.conftest import MakeCard

GET_EID = "BF3E035C015A"
STORE = "81E2910006" + GET_EID
EID = "bf3e125a1089049032123451234512345678901235"


def opened(make_card: MakeCard, **behaviour: object) -> SmallLpa:
    return SmallLpa(make_card(**behaviour))


def sent(lpa: SmallLpa, apdu: str) -> str:
    return lpa.card.transmit(bytes.fromhex(apdu)).hex()


@pytest.mark.parametrize("cla", ["01", "81"])
def test_an_announced_answer_is_fetched_once(make_card: MakeCard, cla: str) -> None:
    """61xx announces the length; GET RESPONSE of either class on that channel returns the data once."""
    lpa = opened(make_card)
    assert sent(lpa, STORE) == "6115"
    assert sent(lpa, "00C0000015") == "6985"
    assert sent(lpa, f"{cla}C0000020") == "6c15"
    assert sent(lpa, f"{cla}C0000005") == EID[:10] + "6110"
    assert sent(lpa, f"{cla}C0000010") == EID[10:] + "9000"
    assert sent(lpa, f"{cla}C0000010") == "6985"


def test_another_command_removes_the_answer(make_card: MakeCard) -> None:
    """Another command in between removes the card's answer."""
    lpa = opened(make_card)
    assert sent(lpa, STORE) == "6115"
    assert sent(lpa, "00A4000C023F00") == "9000"
    assert sent(lpa, "01C0000015") == "6985"


def test_data_and_status_come_in_one_answer(make_card: MakeCard) -> None:
    """By its habit, a card returns data with the status; 61xx announces the rest of a long answer."""
    lpa = opened(make_card, answers=Answers.AT_ONCE)
    assert sent(lpa, STORE + "00") == EID + "9000"
    assert sent(lpa, STORE) == EID + "9000"
    info = sent(lpa, "81E2910003BF220000")
    assert info.endswith("9000")
    lpa = opened(make_card, answers=Answers.AT_ONCE, portion=16)
    assert sent(lpa, STORE) == EID[:32] + "6105"
    assert sent(lpa, "01C0000005") == EID[32:] + "9000"


def test_a_corrected_length_returns_the_data(make_card: MakeCard) -> None:
    """By its habit, a card announces the length with 6Cxx, and returns the data when asked again."""
    lpa = opened(make_card, answers=Answers.CORRECTED)
    assert sent(lpa, STORE + "00") == "6c15"
    assert sent(lpa, STORE + "10") == "6c15"
    assert sent(lpa, STORE + "15") == EID + "9000"
    assert sent(lpa, "81E2910003BF2E00" + "00") == "6c15"
    challenge = sent(lpa, "81E2910003BF2E00" + "15")
    assert challenge.startswith("bf2e128010")
    assert sent(lpa, "0070000000") == "6c01"
    assert sent(lpa, "0070000001") == "029000"
    assert sent(lpa, STORE + "15") == EID + "9000"


@pytest.mark.parametrize("answers", Answers)
@pytest.mark.parametrize("portion", [1, 16, 255, 256])
def test_portions_of_any_size_join_to_the_answer(make_card: MakeCard, answers: Answers, portion: int) -> None:
    """An answer that the card splits into portions of any size arrives complete."""
    lpa = opened(make_card, answers=answers, portion=portion)
    assert lpa.command(GET_EID).hex() == EID
    assert len(lpa.call("GetEuiccInfo2Request", {}, "EUICCInfo2")) > 8


def test_error_has_no_data(make_card: MakeCard) -> None:
    """After an error, GET RESPONSE is refused with 6985."""
    lpa = opened(make_card)
    with pytest.raises(StatusError, match="6A88"):
        lpa.command("BF7F00")
    assert sent(lpa, "01C0000015") == "6985"
