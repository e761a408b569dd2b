"""A profile's whole life on simulated eUICCs in two PC/SC readers at the same time."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from card.private_pcscd import FIRST, SECOND, PrivatePcscd, wait_for_cards
from lpa.bench import ICCID, OTHER_ICCID, Bench, soon
from lpad.base.identifiers import Iccid
from lpad.card.isdr.isdr import isdr_session
from lpad.card.pcsc.pcsc_link import open_pcsc_link
from lpad.lpa.euicc import Euicc
from lpad.remote.trust.trust_anchors import Trust
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.euicc.chip.behaviour import Answers, CardBehaviour
from lpad.simulator.pki.pki import Pki
from lpad.simulator.smdp.server import SmDp
from lpad.simulator.virtual_reader import VirtualReaderCard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.card.pcsc.pcsc_link import PcscLink


class PcscBench(Bench):
    """A card that is reached through pcscd."""

    link: PcscLink

    @contextmanager
    def euicc(self) -> Iterator[Euicc]:
        with isdr_session(self.link, deadline=soon()) as isdr:
            yield Euicc(isdr)

    def live(self) -> None:
        """Download two profiles, switch between them, disable and delete one."""
        first, second = Iccid.parse(ICCID), Iccid.parse(OTHER_ICCID)
        for digits in (ICCID, OTHER_ICCID):
            self.download(self.order(digits))
        for iccid in (first, second):
            with self.euicc() as euicc:
                euicc.enable_profile(iccid, refresh=True, deadline=soon())
            assert self.card.enabled_iccid == iccid, "the REFRESH was carried out"
        with self.euicc() as euicc:
            euicc.disable_profile(second, refresh=True, deadline=soon())
        assert self.card.enabled_iccid is None
        with self.euicc() as euicc:
            euicc.delete_profile(second, deadline=soon())
        with self.euicc() as euicc:
            listed = euicc.get_profiles_info(deadline=soon())
            assert [profile.iccid for profile in listed] == [first]
            for pending in euicc.notification_list(deadline=soon()).notifications:
                euicc.remove_notification_from_list(pending.sequence_number, deadline=soon())
        assert self.card.notifications == ()
        assert self.card.open_channels == ()


FETCHED = CardBehaviour(needs_terminal_capability=True, memory=800_000)
HABITS = {
    "refresh-by-reset": (FETCHED, CardBehaviour(answers=Answers.AT_ONCE, refresh_qualifier=0x04)),
    "refresh-by-state-change": (
        CardBehaviour(refresh_qualifier=0x09, first_channel=4, channels=2),
        CardBehaviour(refresh_qualifier=0x09, answers=Answers.CORRECTED, portion=100),
    ),
}


@pytest.mark.parametrize("shared", [False, True], ids=["alone", "shared"])
@pytest.mark.parametrize("habits", HABITS.values(), ids=HABITS)
def test_two_cards_live_at_the_same_time(
    tmp_path: Path,
    habits: tuple[CardBehaviour, CardBehaviour],
    shared: bool,  # noqa: FBT001 - from parametrize
) -> None:
    """On both readers in parallel, profiles are downloaded, enabled, switched, disabled and deleted."""
    failures: list[BaseException] = []

    def live(bench: PcscBench) -> None:
        try:
            bench.live()
        except BaseException as failure:  # noqa: BLE001 - shown by the test's own thread
            failures.append(failure)

    with ExitStack() as stack:
        pki = Pki.open(tmp_path / "pki")
        trust = Trust([ci.der for ci in pki.ci.values()], use_system_roots=False)
        pcscd = stack.enter_context(PrivatePcscd())
        benches = []
        for slot, behaviour in enumerate(habits):
            card = stack.enter_context(SoftCard(tmp_path / f"card{slot}", pki=pki, behaviour=behaviour))
            smdp = stack.enter_context(SmDp(tmp_path / f"smdp{slot}", pki=pki))
            stack.enter_context(VirtualReaderCard(card, port=pcscd.port + slot))
            benches.append(PcscBench(card, smdp, trust))
        wait_for_cards(present={FIRST, SECOND})
        for bench, reader in zip(benches, (FIRST, SECOND), strict=True):
            bench.link = open_pcsc_link(reader, shared=shared, deadline=soon())
            stack.callback(bench.link.close)
        threads = [threading.Thread(target=live, args=(bench,)) for bench in benches]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
            assert not thread.is_alive()
        if failures:
            raise failures[0]
