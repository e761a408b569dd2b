"""Channels that a crashed process left open are closed before opening fails; those of the modem stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from card.link_contract import EID, GET_EID, OTHER_ISD_R, soon
from card.scripted_card import BenchDevice, ScriptedCard
from lpad.base.errors import CardStatus, CardUnreachable
from lpad.base.identifiers import ISD_R
from lpad.card.channel.abandoned_channels import close_leftovers
from lpad.card.channel.logical_channel import RawLink

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline

USIM = bytes.fromhex("A0000000871002")


def full_card(*, selected: dict[int, bytes]) -> ScriptedCard:
    """Return a card whose three channels are open, with the selected application of each."""
    card = ScriptedCard(answers={GET_EID: EID})
    card.free_channels.clear()
    card.open = {1, 2, 3}
    card.selected = dict(selected)
    return card


def test_an_isdr_left_open_makes_room() -> None:
    """If no channel is free, lpad closes one on which the ISD-R still answers, and uses it."""
    card = full_card(selected={1: USIM, 2: bytes(ISD_R), 3: USIM})
    channel = RawLink(card, device=BenchDevice()).open_channel((ISD_R,), deadline=soon())
    assert card.open == {1, 2, 3}
    assert card.selected[2] == bytes(ISD_R)
    channel.close(deadline=soon())
    assert card.open == {1, 3}


def test_a_channel_without_application_makes_room() -> None:
    """If no channel is free, lpad closes one without a selected application, and uses it."""
    card = full_card(selected={1: USIM, 3: USIM})
    RawLink(card, device=BenchDevice()).open_channel((ISD_R,), deadline=soon()).close(deadline=soon())
    assert card.open == {1, 3}


def test_the_modems_own_channels_are_spared() -> None:
    """If network applications use all channels, none is closed, and the error states the remedy."""
    card = full_card(selected={1: USIM, 2: USIM, 3: USIM})
    with pytest.raises(CardStatus, match="stop other programs, or reset the modem") as caught:
        RawLink(card, device=BenchDevice()).open_channel((ISD_R,), deadline=soon())
    assert caught.value.details["sw"] == "6A81"
    assert card.open == {1, 2, 3}


@pytest.mark.parametrize("number", [1, 3, 4, 19])
def test_any_channel_is_found(number: int) -> None:
    """An abandoned channel is found and closed, whatever its number from 1 to 19."""
    card = ScriptedCard(open={number}, selected={number: bytes(ISD_R)})
    assert close_leftovers(card, deadline=soon()) == 1
    assert card.open == set()


def test_only_the_named_channel_is_looked_at() -> None:
    """If the channel's number is known, lpad checks no other channel."""
    card = ScriptedCard(open={2}, selected={2: bytes(ISD_R)})
    link = RawLink(card, device=BenchDevice())
    assert link.close_leftovers(handle="1", deadline=soon()) == 0
    assert link.close_leftovers(handle="2", deadline=soon()) == 1
    assert [command.ins for command in card.sent] == [0xE2, 0xE2, 0x70]


def test_another_isdr_is_recognised_by_its_answer() -> None:
    """The ISD-R is recognized by its answer to GetEID, whatever its AID."""
    card = ScriptedCard(applications=(bytes(OTHER_ISD_R),), open={1}, selected={1: bytes(OTHER_ISD_R)})
    assert close_leftovers(card, deadline=soon()) == 1


def test_garbage_for_parameters_is_not_a_reason_to_close() -> None:
    """A channel whose answer to STATUS is malformed is not closed, because another program may use it."""

    class Odd(ScriptedCard):
        def transmit(self, apdu: bytes, *, deadline: Deadline | None = None) -> bytes:
            return b"\x62\x90\x00" if apdu[1] == 0xF2 else super().transmit(apdu, deadline=deadline)

    card = Odd(open={1})
    assert close_leftovers(card, deadline=soon()) == 0
    assert card.open == {1}


def test_errors_of_the_search_do_not_hide_the_cause() -> None:
    """If a link passes nothing to logical channels, the error is still that no channel is free."""

    class Deaf(ScriptedCard):
        def transmit(self, apdu: bytes, *, deadline: Deadline | None = None) -> bytes:
            if apdu[1] == 0xE2:
                raise CardUnreachable("ERROR")
            return super().transmit(apdu, deadline=deadline)

    card = Deaf()
    card.free_channels.clear()
    with pytest.raises(CardStatus, match="no free channel"):
        RawLink(card, device=BenchDevice()).open_channel((ISD_R,), deadline=soon())
