"""If the card's result of a load is lost or invalid, lpad reads it from the card's notifications."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpa.bench import GOOD_WAY, ICCID, Bench, Caller
from lpad.base.errors import CardMalformed, CardRefused
from lpad.protocol.download_state_table import Step
from lpad.simulator.smdp.functions.faults import Fault, FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable

LOAD_BPP, RETRIEVE = 0xBF36, 0xBF2B
RESULT = bytes.fromhex("BF37")


def swallowed(answer: bytes) -> bytes:
    return b"" if answer.startswith(RESULT) else answer


def garbled(answer: bytes) -> bytes:
    return RESULT + b"\x01" if answer.startswith(RESULT) else answer


def refused(answer: bytes) -> bytes | int:
    return 0x6F00 if answer.startswith(RESULT) else answer


@pytest.mark.parametrize("lost", [swallowed, garbled, refused])
def test_a_profile_that_was_installed(bench: Bench, lost: Callable[[bytes], bytes | int]) -> None:
    """If the profile was installed, the download is done with the result from the notifications."""
    bench.card.faults.corrupt(LOAD_BPP, lost, times=100)
    caller = Caller()
    installed = bench.download(bench.order(), caller)
    assert str(installed.iccid) == ICCID
    assert caller.steps == GOOD_WAY
    assert [each.number for each in bench.card.notifications][:1] == [installed.sequence_number]


def test_a_profile_that_was_refused(bench: Bench) -> None:
    """If the card's refusal was lost, the download fails with CardRefused."""
    bench.card.faults.corrupt(LOAD_BPP, swallowed, times=100)
    bench.smdp.faults.add(Fault(function="getBoundProfilePackage", kind=FaultKind.BPP_BIT_FLIP, value=3))
    with pytest.raises(CardRefused):
        bench.download(bench.order(), Caller())


def test_a_card_that_keeps_no_result(bench: Bench) -> None:
    """If the notifications have no result of this session either, the session is cancelled."""
    bench.card.faults.corrupt(LOAD_BPP, swallowed, times=100)
    bench.card.faults.answer(RETRIEVE, bytes.fromhex("BF2B02A000"))
    caller = Caller()
    with pytest.raises(CardMalformed, match="did not report"):
        bench.download(bench.order(), caller)
    assert caller.steps[-1] is Step.CANCEL_SESSION
