"""If a card's information about itself cannot be read, everything else still works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.lab import CARD, FIRST, SECOND, Lab
from lpad.engine.change.change import Kind, State
from lpad.engine.policy.switching import SwitchPolicy
from lpad.engine.snapshot import card_reading
from lpad.engine.snapshot.snapshot import CardState

if TYPE_CHECKING:
    from lpad.codec.messages.profile_info import ProfileInfo
    from lpad.engine.snapshot.profile import Profile

INFO2, ADDRESSES = 0xBF22, 0xBF3C
ALWAYS = 1_000_000


def switched(lab: Lab) -> None:
    """Assert that lpad can switch between two profiles in both directions."""
    for iccid in (FIRST, SECOND, FIRST):
        change = lab.carry_out(Kind.ENABLE, iccid=iccid)
        assert change.state is State.DONE, change.error


@pytest.mark.parametrize("tag", [INFO2, ADDRESSES])
@pytest.mark.parametrize("answer", [0x6F00, b"\x00", b"\xbf\x23\x00"])
def test_a_card_with_unreadable_information(lab: Lab, tag: int, answer: bytes | int) -> None:
    """A card whose information or addresses cannot be read is ready, and can be switched."""
    lab.install()
    lab.install(iccid=SECOND)
    lab.stop()
    lab.card.faults.corrupt(tag, lambda _: answer, times=ALWAYS)
    switched(lab)
    snapshot = lab.engine.snapshot(CARD)
    assert snapshot.state is CardState.READY
    assert (snapshot.info if tag == INFO2 else snapshot.addresses) is None
    lab.card.faults.forget()
    assert lab.carry_out(Kind.REFRESH).state is State.DONE
    snapshot = lab.engine.snapshot(CARD)
    assert snapshot.info is not None
    assert snapshot.addresses is not None


def test_default_smdp_with_five_thousand_digits(lab: Lab) -> None:
    """An impossible default SM-DP+ address is shown unchanged; only a download from it fails."""
    lab.install()
    lab.install(iccid=SECOND)
    lab.stop()
    odd = b"host.example.com:" + b"1" * 5000
    lab.card.faults.corrupt(
        ADDRESSES,
        lambda _: b"\xbf\x3c\x82\x13\x9d\x80\x82\x13\x99" + odd,
        times=ALWAYS,
    )
    switched(lab)
    addresses = lab.engine.snapshot(CARD).addresses
    assert addresses is not None
    assert addresses.default_smdp == odd.decode()
    change = lab.carry_out(Kind.DOWNLOAD, default=True, retry_for=0)
    assert change.error is not None
    assert change.error.kind == "invalid-value"
    assert len(change.error.sentence) < 500


def test_mistake_in_lpad_over_one_profile(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile over which lpad fails counts as unreadable; other profiles are shown and switched."""
    lab.install()
    lab.install(iccid=SECOND)
    lab.stop()
    right = card_reading._profile

    def mistaken(info: ProfileInfo) -> Profile:
        if str(info.iccid) == SECOND:
            raise ValueError("a mistake")
        return right(info)

    monkeypatch.setattr(card_reading, "_profile", mistaken)
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
    snapshot = lab.engine.snapshot(CARD)
    assert [each.iccid for each in snapshot.profiles] == [FIRST]
    assert [each.iccid for each in snapshot.unreadable] == [SECOND]


def test_mistake_in_lpad_over_a_policy(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistake in lpad while the day's switches are counted does not prevent a switch."""
    lab.install()
    monkeypatch.setattr(SwitchPolicy, "check_limit", lambda *_, **__: 1 // 0)
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).state is State.DONE
