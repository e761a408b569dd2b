"""The settings for switching: protected profiles, a profile that must stay enabled, and a daily limit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.guarding import REGISTERED, enabled, ended, guarding, port
from engine.lab import FIRST, SECOND, Lab, result_of
from lpad.base.errors import Protected, SwitchLimit
from lpad.engine.change.change import Change, Kind, Step
from lpad.engine.change.params import EnableParams
from lpad.engine.change.steady_clock import Moment
from lpad.engine.policy.switching import SwitchPolicy
from lpad.engine.snapshot.profile import Profile, UnreadableProfile
from lpad.engine.switch import condition_watch

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
AT_NOON = Moment(wall=NOON.timestamp(), boot=5000.0, boot_id="b", steady=NOON.timestamp())
A_DAY = timedelta(hours=24)


def failure(change: Change) -> str:
    assert change.error is not None, change
    return change.error.kind


def reset(lab: Lab, **taken: bool) -> Change:
    """Reset the named parts of the card's memory; return the ended change."""
    names = ("operational_profiles", "test_profiles", "default_smdp")
    return lab.carry_out(Kind.RESET, **{name: taken.get(name, False) for name in names})  # type: ignore[arg-type]  # JSON


def test_a_protected_profile_is_never_deleted(tmp_path: Path, pki: Pki) -> None:
    """A protected profile is not deleted even while disabled; an unprotected one is."""
    with guarding(tmp_path, pki, policy=SwitchPolicy(protected=(SECOND,))) as lab:
        change = lab.carry_out(Kind.DELETE, iccid=SECOND)
        assert failure(change) == "protected"
        assert change.error is not None
        assert "switching.protected" in change.error.sentence
        assert len(lab.card.profiles) == 2
        lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert lab.carry_out(Kind.DELETE, iccid=FIRST).error is None


def test_a_reset_does_not_take_a_protected_profile(tmp_path: Path, pki: Pki) -> None:
    """A reset that would delete a protected profile is refused: the card deletes a whole class."""
    with guarding(tmp_path, pki, policy=SwitchPolicy(protected=(SECOND,))) as lab:
        assert failure(reset(lab, operational_profiles=True)) == "protected"
        assert len(lab.card.profiles) == 2
        assert reset(lab, default_smdp=True).error is None


def test_a_protected_profile_is_disabled_by_enabling_another_only(tmp_path: Path, pki: Pki) -> None:
    """A protected profile is disabled only by enabling another, whichever change asks for it."""
    with guarding(tmp_path, pki, policy=SwitchPolicy(protected=(FIRST,))) as lab:
        assert failure(lab.carry_out(Kind.DISABLE, iccid=FIRST)) == "protected"
        assert enabled(lab) == FIRST
        assert lab.carry_out(Kind.ENABLE, iccid=SECOND).error is None
        assert lab.carry_out(Kind.DISABLE, iccid=SECOND).error is None
        assert result_of(lab.carry_out(Kind.DISABLE, iccid=FIRST)) == {"iccid": FIRST, "already": True}


def test_a_card_that_must_have_one_enabled_is_never_left_without(tmp_path: Path, pki: Pki) -> None:
    """With `keep_enabled`, a change that would leave no profile enabled is refused; other resets work."""
    with guarding(tmp_path, pki, policy=SwitchPolicy(keep_enabled=True)) as lab:
        assert failure(lab.carry_out(Kind.DISABLE, iccid=FIRST)) == "protected"
        assert failure(reset(lab, operational_profiles=True)) == "protected"
        assert reset(lab, test_profiles=True).error is None
        assert enabled(lab) == FIRST
        assert lab.carry_out(Kind.DELETE, iccid=SECOND).error is None


def test_switches_beyond_the_daily_limit_are_refused(tmp_path: Path, pki: Pki) -> None:
    """Switches beyond the daily limit are refused with the time of the next; those without effect are not."""
    with guarding(tmp_path, pki, policy=SwitchPolicy(per_day=2)) as lab:  # The lab's first enable counts.
        assert lab.carry_out(Kind.ENABLE, iccid=SECOND).error is None
        change = lab.carry_out(Kind.ENABLE, iccid=FIRST)
        assert failure(change) == "switch-limit"
        assert change.error is not None
        assert change.error.retryable
        assert change.error.details["limit"] == 2
        following = datetime.fromisoformat(str(change.error.details["next_at"]))
        assert timedelta(hours=23) < following - change.created_at <= A_DAY
        assert enabled(lab) == SECOND
        assert result_of(lab.carry_out(Kind.ENABLE, iccid=SECOND)) == {"iccid": SECOND, "already": True}


def test_the_limit_is_kept_across_restarts(tmp_path: Path, pki: Pki) -> None:
    """The journal keeps the switches of the day, so that the limit also holds after a restart."""
    policy = SwitchPolicy(per_day=1)
    with guarding(tmp_path, pki, policy=policy) as lab:
        lab.stop()
        lab.start(port(lab, policy=policy))
        assert failure(lab.carry_out(Kind.ENABLE, iccid=SECOND)) == "switch-limit"


def test_going_back_is_not_refused_and_not_counted(
    tmp_path: Path, pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback is neither refused nor counted, so the last switch of a day may be guarded."""
    monkeypatch.setattr(condition_watch, "STEADY", 0.1)
    with guarding(tmp_path, pki, policy=SwitchPolicy(per_day=3), registration={SECOND: 3}) as lab:
        for _ in range(2):
            assert failure(ended(lab, REGISTERED, within=1)) == "switch-rolled-back"
            assert enabled(lab) == FIRST
        assert failure(ended(lab, REGISTERED, within=1)) == "switch-limit"


def test_a_download_that_enables_counts(tmp_path: Path, pki: Pki) -> None:
    """A download that enables its profile counts as a switch."""
    with Lab(tmp_path, pki) as lab:
        lab.start(port(lab, policy=SwitchPolicy(per_day=1)))
        order = lab.order()
        change = lab.carry_out(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}, enable=True)
        assert change.error is None
        assert failure(lab.carry_out(Kind.DISABLE, iccid=FIRST)) == "switch-limit"


def made(at: datetime, step: str = "enable-profile") -> Change:
    """Return a change that took the given step at the given moment."""
    params = EnableParams(iccid="8900101000000000017")
    change = Change(id=1, euicc="modem", kind=Kind.ENABLE, params=params, created_at=at)
    return replace(change, steps=(Step(name="read-profiles", at=at), Step(name=step, at=at)))


@pytest.mark.parametrize(
    ("hours", "allowed"),
    [([], True), ([-1], True), ([-1, -2], False), ([-1, -25], True), ([-23.9, -0.1], False)],
)
def test_the_oldest_switch_of_a_day_makes_room(hours: list[float], *, allowed: bool) -> None:
    """Once the oldest counted switch is a day old, another is allowed."""
    changes = [made(NOON + timedelta(hours=each)) for each in hours]
    policy = SwitchPolicy(per_day=2)
    if allowed:
        policy.check_limit(changes, present=AT_NOON)
        return
    with pytest.raises(SwitchLimit) as caught:
        policy.check_limit(changes, present=AT_NOON)
    following = datetime.fromisoformat(str(caught.value.details["next_at"]))
    assert following == NOON + timedelta(hours=min(hours)) + A_DAY


def test_a_clock_that_was_set_back_does_not_lock_the_card() -> None:
    """A switch with a time in the near future counts for at most a day; one far ahead does not count."""
    policy = SwitchPolicy(per_day=1)
    policy.check_limit([made(NOON + timedelta(days=400))], present=AT_NOON)
    with pytest.raises(SwitchLimit) as caught:
        policy.check_limit([made(NOON + timedelta(hours=3))], present=AT_NOON)
    assert datetime.fromisoformat(str(caught.value.details["next_at"])) == NOON + A_DAY


@pytest.mark.parametrize("wall", [5.0, 4e9])
def test_a_clock_that_jumps_neither_locks_the_card_nor_frees_it(wall: float) -> None:
    """A switch of an hour ago is an hour old, whatever its date and the wall clock say."""
    change = made(NOON - timedelta(days=900))
    steady = AT_NOON.steady - 3600
    change = replace(change, steps=tuple(replace(each, steady=steady) for each in change.steps))
    present = replace(AT_NOON, wall=wall)
    with pytest.raises(SwitchLimit):
        SwitchPolicy(per_day=1).check_limit([change], present=present)
    SwitchPolicy(per_day=1).check_limit([change], present=replace(present, steady=steady + 24 * 3600 + 1))


def test_other_steps_are_not_switches() -> None:
    """Steps of a rollback, and of other changes, do not count as switches."""
    changes = [
        made(NOON, step) for step in ("go-back", "fall-back", "enable-profile-again", "delete-profile")
    ]
    SwitchPolicy(per_day=1).check_limit(changes, present=AT_NOON)


def test_a_reset_leaves_the_enabled_profile_only_if_one_must_be() -> None:
    """Disabled profiles, and those of a class that the reset spares, do not prevent a reset."""
    on = Profile(iccid=FIRST, state="enabled")
    off = Profile(iccid=SECOND, state="disabled")
    SwitchPolicy().check_reset([on, off], doomed={"operational"})
    keep = SwitchPolicy(keep_enabled=True)
    keep.check_reset([off], doomed={"operational"})
    keep.check_reset([on], doomed={"test"})
    with pytest.raises(Protected, match="keep_enabled"):
        keep.check_reset([off, on], doomed={"operational"})


def test_an_entry_that_cannot_be_read_is_not_the_profile_that_must_stay_enabled() -> None:
    """An unreadable entry does not allow disabling the last readable profile, but it allows a reset."""
    odd = UnreadableProfile(isdp_aid="A0000005591010FFFFFFFF8900001000")
    on, off = Profile(iccid=FIRST, state="enabled"), Profile(iccid=SECOND, state="disabled")
    keep = SwitchPolicy(keep_enabled=True)
    with pytest.raises(Protected, match="keep_enabled"):
        keep.check_disable(on)
    with pytest.raises(Protected, match="keep_enabled"):
        keep.check_reset([odd, on], doomed={"operational"})
    keep.check_reset([odd, off], doomed={"operational"})


@pytest.mark.parametrize("whole", [True, False])
def test_an_entry_that_cannot_be_read_counts_as_not_enabled_whatever_its_state_says(*, whole: bool) -> None:
    """An unreadable entry counts as not enabled, even if its state can be read, so a reset is allowed."""
    odd = UnreadableProfile(
        isdp_aid="A0000005591010FFFFFFFF8900001000", state="enabled", profile_class="operational", whole=whole
    )
    keep = SwitchPolicy(keep_enabled=True)
    keep.check_reset([odd], doomed={"operational"})
    with pytest.raises(Protected, match="keep_enabled"):
        keep.check_reset([odd, Profile(iccid=FIRST, state="enabled")], doomed={"operational"})


@pytest.mark.parametrize("ago", [A_DAY, -A_DAY])
def test_a_switch_counts_for_less_than_a_day(ago: timedelta) -> None:
    """A switch that is exactly a day old no longer counts, whichever way the clock was set since."""
    policy = SwitchPolicy(per_day=1)
    policy.check_limit([made(NOON - ago)], present=AT_NOON)
    second = timedelta(seconds=1) if ago > timedelta() else timedelta(seconds=-1)
    with pytest.raises(SwitchLimit):
        policy.check_limit([made(NOON - ago + second)], present=AT_NOON)
