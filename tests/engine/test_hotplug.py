"""Ports that disappear and return, and cards that are swapped, as seen by the engine."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.lab import CARD, FIRST, Lab
from lpad.base.identifiers import Eid
from lpad.engine.change.change import Kind, State
from lpad.engine.snapshot.snapshot import CardState
from lpad.simulator.euicc.card import SoftCard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

OTHER_EID = "89049032000000000000000000000105"


class Kernel:
    """Reports ports as the kernel does."""

    def __init__(self) -> None:
        self.notify: Callable[[bool], None] | None = None
        self.ended = False

    def watch(self, notify: Callable[[bool], None]) -> Callable[[], None]:
        self.notify = notify
        return self.end

    def end(self) -> None:
        self.ended = True

    def tell(self, *, there: bool) -> None:
        assert self.notify is not None
        self.notify(there)


@contextmanager
def watched(lab: Lab) -> Iterator[Kernel]:
    kernel = Kernel()
    lab.start(replace(lab.port, watch=kernel.watch))
    becomes(lab, CardState.READY)
    yield kernel
    lab.stop()
    assert kernel.ended


def becomes(lab: Lab, state: CardState) -> None:
    lab.until(lambda: lab.engine.snapshot(CARD).state, lambda seen: seen is state)


def test_an_idle_port_that_vanishes_is_noticed_immediately(lab: Lab) -> None:
    """If an idle port vanishes, the card is absent immediately, and is back without request or timer."""
    with watched(lab) as kernel:
        for _ in range(6):  # Checks at their usual interval would not notice this often enough.
            lab.modem.vanish()
            kernel.tell(there=False)
            becomes(lab, CardState.ABSENT)
            error = lab.engine.snapshot(CARD).error
            assert error is not None
            assert "disappeared" in error.sentence
            lab.modem.come_back()
            kernel.tell(there=True)
            becomes(lab, CardState.READY)


def test_a_port_that_was_briefly_away_is_reopened(lab: Lab) -> None:
    """If the port was away unnoticed, the card is read again (luci-app-5gmodem#2, openmptcprouter#3050)."""
    with watched(lab) as kernel:
        lab.modem.vanish()
        lab.modem.come_back()
        read_at = lab.engine.snapshot(CARD).read_at
        kernel.tell(there=False)
        kernel.tell(there=True)
        lab.until_true(lambda: lab.engine.snapshot(CARD).read_at != read_at)
        becomes(lab, CardState.READY)


def test_a_change_after_an_unnoticed_absence_finds_the_new_port(lab: Lab) -> None:
    """If the kernel reports nothing, the next change opens the returned port."""
    iccid = lab.install()
    lab.modem.vanish()
    lab.modem.come_back()
    assert lab.carry_out(Kind.ENABLE, iccid=iccid).error is None


def test_a_modem_that_hangs_is_named_as_hanging(lab: Lab) -> None:
    """If a hanging modem has used up all the time, the error is the modem's, and the port is not reopened."""
    lab.patient(read=4)
    iccid = lab.install()
    lab.until_true(lambda: lab.card.open_channels == ())
    lab.modem.once("AT+CSIM", instead=())
    hung = lab.carry_out(Kind.RENAME, iccid=iccid, nickname="x")
    assert hung.error is not None
    assert hung.error.kind == "card-unreachable"
    assert "did not answer in time" in hung.error.sentence


def test_another_cards_change_is_not_carried_out(lab: Lab, tmp_path: Path, pki: Pki) -> None:
    """A change for one card is not applied to another card in its place."""
    iccid = lab.install()
    with SoftCard(tmp_path / "other", pki=pki, eid=Eid.parse(OTHER_EID)) as other:
        before = lab.card.eid
        lab.modem.swap_card(other)
        change = lab.carry_out(Kind.RESET, operational_profiles=True, test_profiles=True, default_smdp=True)
        assert change.state is State.FAILED
        assert change.error is not None
        assert change.error.kind == "conflict"
        assert "swapped" in change.error.sentence
        assert [step.name for step in change.steps][-1] == "read-profiles"
        assert lab.engine.snapshot(CARD).eid == str(other.eid) != str(before)
        assert str(other.eid) == OTHER_EID
        refused = lab.carry_out(Kind.ENABLE, iccid=iccid)
        assert refused.error is not None
        assert refused.error.kind == "not-found"


def test_a_switch_is_not_made_on_another_card_with_the_same_profile(
    lab: Lab, tmp_path: Path, pki: Pki
) -> None:
    """A switch is not made on another card, even if that has a profile with the same ICCID."""
    iccid = lab.install()
    with SoftCard(tmp_path / "other", pki=pki, eid=Eid.parse(OTHER_EID)) as other:
        lab.modem.swap_card(other)
        assert lab.carry_out(Kind.REFRESH).error is None
        assert lab.install() == iccid
        lab.modem.swap_card(lab.card)
        change = lab.carry_out(Kind.ENABLE, iccid=iccid)
        assert change.error is not None
        assert (change.error.kind, lab.card.enabled_iccid) == ("conflict", None)


def test_a_swapped_card_gets_no_profile_that_was_meant_for_another(
    lab: Lab, tmp_path: Path, pki: Pki
) -> None:
    """A download is bound to the card that its caller saw, and not made onto another card."""
    lab.engine  # noqa: B018 - starts it
    becomes(lab, CardState.READY)
    order = lab.order(iccid=FIRST)
    with SoftCard(tmp_path / "other", pki=pki, eid=Eid.parse(OTHER_EID)) as other:
        lab.modem.swap_card(other)
        change = lab.carry_out(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)})
        assert change.error is not None
        assert change.error.kind == "conflict"
        assert other.profiles == ()
        # The order can still be downloaded.
        assert lab.carry_out(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}).error is None
