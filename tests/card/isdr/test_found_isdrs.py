"""Finding the eUICCs on a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.link_contract import EID, GET_EID, soon
from card.scripted_card import BenchDevice, ScriptedCard
from lpad.base.errors import CardMalformed, CardStatus, CardUnreachable
from lpad.base.identifiers import ISD_R, Aid
from lpad.card.channel.logical_channel import LogicalChannel, RawLink
from lpad.card.isdr.found_isdrs import isdrs_of
from lpad.card.link.isdr_aids import ESTK_SE0, ESTK_SE1, isdr_aids
from lpad.card.port.link_refused import LinkRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.base.deadline import Deadline

OTHER_EID = bytes.fromhex("BF3E125A1089044045930000000000001111111111")


class TwoElements(ScriptedCard):
    """A card with two secure elements; the first has a second, older AID."""

    def transmit(self, apdu: bytes, **_: object) -> bytes:
        answer = super().transmit(apdu)
        if apdu[1] == 0xA4:
            self.answers[GET_EID] = OTHER_EID if apdu[5:21] == bytes(ESTK_SE1) else EID
        return answer


def test_both_secure_elements_are_found_once_each() -> None:
    """Two AIDs of one eUICC count once; two eUICCs count twice."""
    old = Aid(bytes.fromhex("A06573746B6D65FFFFFFFF4953442D52"))
    card = TwoElements(applications=(bytes(ESTK_SE0), bytes(ESTK_SE1), bytes(old)))
    found = isdrs_of(RawLink(card, device=BenchDevice()), isdr_aids(), deadline=soon())
    assert [each.aid for each in found] == [ESTK_SE0, ESTK_SE1]
    assert [str(each.eid)[:8] for each in found] == ["89049032", "89044045"]
    assert card.open == set()


def test_no_isdr_is_an_empty_answer() -> None:
    """On a plain SIM, the search for ISD-Rs returns an empty list."""
    card = ScriptedCard(applications=())
    assert isdrs_of(RawLink(card, device=BenchDevice()), isdr_aids(), deadline=soon()) == ()


def test_a_modems_refusal_is_a_name_that_is_not_known() -> None:
    """A refusal of +CCHO counts as an unknown AID, as it states no reason; a missing port is an error."""

    class Refusing(RawLink):
        error: Exception = LinkRefused("ERROR", modem_error="ERROR")

        def open_channel(self, aids: Sequence[Aid], *, deadline: Deadline) -> LogicalChannel:
            raise self.error

    link = Refusing(ScriptedCard(), device=BenchDevice())
    assert isdrs_of(link, (ISD_R,), deadline=soon()) == ()
    link.error = CardUnreachable("gone")
    with pytest.raises(CardUnreachable):
        isdrs_of(link, (ISD_R,), deadline=soon())


@pytest.mark.parametrize("answer", ["BF3E00", "BF2000", "BF3E035A0189", ""])
def test_a_strange_answer_is_malformed(answer: str) -> None:
    """If the ISD-R returns no readable EID, the error states this."""
    card = ScriptedCard(answers={GET_EID: bytes.fromhex(answer)})
    with pytest.raises(CardMalformed):
        isdrs_of(RawLink(card, device=BenchDevice()), (ISD_R,), deadline=soon())


def test_another_status_word_is_an_error() -> None:
    """A card without a free channel is not reported as one without an eUICC."""
    card = ScriptedCard(taken={1, 2, 3})
    card.free_channels.clear()
    with pytest.raises(CardStatus):
        isdrs_of(RawLink(card, device=BenchDevice()), (ISD_R,), deadline=soon())
