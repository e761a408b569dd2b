"""Two cards in PC/SC readers, used by one daemon with the real pyscard and pcscd."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from card.private_pcscd import FIRST, SECOND, PrivatePcscd, wait_for_cards
from journeys.gateway import PATIENCE, Gateway
from journeys.open_channels import ApduLog
from lpad.base.identifiers import Eid
from lpad.client import Client
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.euicc.chip.behaviour import Answers, CardBehaviour
from lpad.simulator.virtual_reader import VirtualReaderCard

if TYPE_CHECKING:
    from collections.abc import Callable

HABITS = (
    CardBehaviour(needs_terminal_capability=True),
    CardBehaviour(answers=Answers.CORRECTED, refresh_qualifier=0x09, first_channel=4, channels=2),
)

OTHER_EID = Eid.parse("89049032123451234512345678901300")


def live(gateway: Gateway, card: SoftCard, name: str, codes: list[str]) -> None:
    """Have one card go through downloads, switches and deletions, and check that the server was notified."""
    with Client(str(gateway.socket)) as client:
        gateway.until(lambda: client.euicc(name).state == "ready")
        first, second = (
            str((client.download(name, activation_code=code, wait=PATIENCE).check().result or {})["iccid"])
            for code in codes
        )
        for iccid in (first, second):
            client.enable(name, iccid, wait=PATIENCE).check()
            assert str(card.enabled_iccid) == iccid
        assert {each.iccid: each.state for each in client.profiles(name)} == {
            first: "disabled",
            second: "enabled",
        }
        client.disable(name, second, accept_offline=True, wait=PATIENCE).check()
        for iccid in (first, second):
            client.delete(name, iccid, wait=PATIENCE).check()
        assert card.profiles == ()
        gateway.until(lambda: not card.notifications)
        told = {(each.event, each.iccid) for each in gateway.server.notifications if each.verified}
        events = ("install", "enable", "disable", "delete")
        assert told >= {(event, iccid) for event in events for iccid in (first, second)}


@pytest.mark.parametrize("share", [{}, {"shared": True}], ids=["alone", "shared"])
def test_profiles_live_in_two_readers_at_the_same_time(
    profile: Callable[[], bytes], share: dict[str, Any]
) -> None:
    """The profiles of two cards are managed at the same time, and no channel stays open on either card."""
    euiccs = {"first": {"reader": FIRST, **share}, "second": {"reader": SECOND, **share}}
    with ExitStack() as stack:
        pcscd = stack.enter_context(PrivatePcscd())
        gateway = Gateway(behaviour=HABITS[0], settings={"euiccs": euiccs})
        other = SoftCard(gateway.folder / "other", pki=gateway.pki, eid=OTHER_EID, behaviour=HABITS[1])
        stack.callback(other.close)
        cards = (gateway.card, other)
        logs = [ApduLog(card) for card in cards]
        for slot, log in enumerate(logs):
            stack.enter_context(VirtualReaderCard(log, port=pcscd.port + slot))
        wait_for_cards(present={FIRST, SECOND})
        stack.enter_context(gateway)
        codes = [[gateway.order(profile()) for _ in range(2)] for _ in cards]
        with ThreadPoolExecutor(2) as threads:
            lives = [threads.submit(live, gateway, *each) for each in zip(cards, euiccs, codes, strict=True)]
        for each in lives:
            each.result()
        gateway.until(lambda: not any(log.left_open() for log in logs))
        gateway.stop()
        assert [log.left_open() for log in logs] == [set(), set()]
