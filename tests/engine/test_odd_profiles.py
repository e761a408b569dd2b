"""Profiles that cannot be read, or that share an ICCID: addressed by AID, and never treated as missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.guarding import (
    DISALLOWED,
    ENABLE,
    THIRD,
    enabled,
    ended,
    guarding,
    port,
    rolled_back,
    steps,
    watched,
)
from engine.guarding import guarded as guarded_change
from engine.lab import CARD, FIRST, FROM_DEFAULT_SMDP, SECOND, Lab, result_of
from lpad.base.guard_condition import Condition
from lpad.base.identifiers import Iccid
from lpad.base.server_address import ServerAddress
from lpad.engine.change.change import FAILOVER, Kind, State
from lpad.engine.policy.health_rules import FailoverPolicy, HealthRule
from lpad.engine.policy.switching import SwitchPolicy
from lpad.engine.snapshot.profile import Profile, UnreadableProfile
from lpad.engine.snapshot.profile_list import ProfileList
from lpad.engine.snapshot.snapshot import CardState

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.engine.change.change import Change
    from lpad.simulator.pki.pki import Pki

AID, STATE, RULES, LIST = 0x4F, 0x9F70, 0x99, 0xBF2D
NO_ICCID = b"\xff" * 10
BROKEN = b"\x92\x30Op"
DENIED = 3


def aid(lab: Lab, iccid: str) -> str:
    """Return the AID of a profile that was installed with this ICCID."""
    return next(str(each.aid) for each in lab.card.profiles if str(each.iccid) == iccid)


def read(lab: Lab) -> ProfileList:
    assert lab.carry_out(Kind.REFRESH).error is None
    return lab.engine.snapshot(CARD).listed


def sent(lab: Lab, tag: int) -> bool:
    """Return whether a command with this tag was sent to the card since the modem's lines were cleared."""
    return any(f"{tag:04X}" in line for line in lab.modem.received)


def error_of(change: Change) -> str:
    assert change.error is not None, change
    return change.error.sentence


def test_two_profiles_with_one_iccid_are_distinguished_by_aid(tmp_path: Path, pki: Pki) -> None:
    """The ICCID alone is refused with the candidates; each command works by AID, which results contain."""
    with guarding(tmp_path, pki) as lab:
        first, second = aid(lab, FIRST), aid(lab, SECOND)
        lab.card.distort(SECOND, told=bytes(Iccid.parse(FIRST)))
        assert [profile.iccid for profile in read(lab).profiles] == [FIRST, FIRST]
        lab.modem.received.clear()
        refused = lab.carry_out(Kind.ENABLE, iccid=FIRST)
        assert refused.error is not None
        assert refused.error.kind == "conflict"
        assert refused.error.details["candidates"] == f"{first}, {second}"
        assert not sent(lab, ENABLE)
        done = lab.carry_out(Kind.ENABLE, iccid=second)
        found = result_of(done)
        assert (done.error, found["iccid"], found["already"]) == (None, second, False)
        assert [each.enabled for each in lab.card.profiles] == [False, True]
        again = lab.carry_out(Kind.DISABLE, iccid=second)
        assert again.error is None
        assert "nickname by ICCID only" in error_of(lab.carry_out(Kind.RENAME, iccid=first, nickname="x"))
        gone = lab.carry_out(Kind.DELETE, iccid=first)
        assert gone.error is None
        assert [str(each.aid) for each in lab.card.profiles] == [second]
        # From here on, only one profile has the ICCID.
        assert result_of(lab.carry_out(Kind.ENABLE, iccid=second))["iccid"] == FIRST


def test_a_guarded_switch_returns_by_aid(tmp_path: Path, pki: Pki) -> None:
    """If the enabled profile's ICCID cannot be read, `previous` is its AID, and the rollback uses it."""
    with guarding(tmp_path, pki, registration={SECOND: DENIED}) as lab:
        lab.card.distort(FIRST, told=NO_ICCID)
        (odd,) = read(lab).unreadable
        assert (odd.iccid, odd.raw_iccid, odd.isdp_aid, odd.state) == (
            None,
            "FF" * 10,
            aid(lab, FIRST),
            "enabled",
        )
        change = ended(lab, "registered", within=3)
        details = rolled_back(change)
        assert details["previous"] == details["enabled"] == aid(lab, FIRST)
        assert change.guard is not None
        assert change.guard.previous == aid(lab, FIRST)
        assert enabled(lab) == FIRST


def test_a_guarded_switch_between_twins_returns_by_aid(tmp_path: Path, pki: Pki) -> None:
    """Guarded switches work in both directions between two profiles with one ICCID."""
    with guarding(tmp_path, pki) as lab:
        lab.card.distort(SECOND, told=bytes(Iccid.parse(FIRST)))
        read(lab)
        change = ended(lab, "tcp:127.0.0.1:1@lo", within=2, iccid=aid(lab, SECOND))
        assert rolled_back(change)["previous"] == aid(lab, FIRST)
        assert [each.enabled for each in lab.card.profiles] == [True, False]


def test_the_way_back_is_found_by_aid_once_the_iccid_is_gone(tmp_path: Path, pki: Pki) -> None:
    """A profile whose entry becomes unreadable while another is on trial is still enabled again."""
    with guarding(tmp_path, pki) as lab:
        change = guarded_change(lab, "confirm", within=60)
        watched(lab, change.id)
        lab.card.distort(FIRST, told=NO_ICCID)
        lab.engine.cancel(change.id)
        assert lab.ended(change.id).state is State.CANCELLED
        assert enabled(lab) == FIRST


@pytest.mark.parametrize(
    "oddity",
    [
        {"told": NO_ICCID, "without": (AID,)},
        {"without": (AID, STATE), "tail": BROKEN},
        {"without": (STATE,), "told": NO_ICCID},
        {"without": (STATE,)},
        {"without": (0x5A, AID)},
    ],
)
def test_without_a_known_way_back_a_guarded_switch_is_refused(
    tmp_path: Path, pki: Pki, oddity: dict[str, object]
) -> None:
    """Lpad begins no guarded switch while the enabled profile is unknown or cannot be addressed."""
    with guarding(tmp_path, pki) as lab:
        lab.card.distort(FIRST, **oddity)  # type: ignore[arg-type]  # passed on
        read(lab)
        lab.modem.received.clear()
        change = ended(lab, "confirm")
        assert change.error is not None
        assert (change.error.kind, change.guard) == ("conflict", None)
        assert "switch without a guard" in change.error.sentence.lower()
        assert not sent(lab, ENABLE)
        assert enabled(lab) == FIRST
        plain = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert plain.error is None
        assert enabled(lab) == SECOND


def test_no_profile_before_is_not_concluded(tmp_path: Path, pki: Pki) -> None:
    """If no entry is reported as enabled, an unreadable one may be, so lpad does not assume that none is."""
    with guarding(tmp_path, pki) as lab:
        assert lab.carry_out(Kind.DISABLE, iccid=FIRST).error is None
        lab.card.distort(FIRST, without=(0x5A, STATE))
        read(lab)
        assert "return" in error_of(ended(lab, "confirm"))
        assert enabled(lab) is None


def test_a_broken_entry_is_not_a_goal_of_a_guarded_switch(tmp_path: Path, pki: Pki) -> None:
    """A guarded switch to a broken entry is refused (disabling may be forbidden); an unguarded one works."""
    with guarding(tmp_path, pki) as lab:
        lab.card.distort(SECOND, tail=BROKEN)
        read(lab)
        assert "its entry in the card's list is broken" in error_of(
            ended(lab, "confirm", iccid=aid(lab, SECOND))
        )
        assert enabled(lab) == FIRST
        done = lab.carry_out(Kind.ENABLE, iccid=aid(lab, SECOND))
        assert done.error is None
        assert enabled(lab) == SECOND


@pytest.mark.parametrize("rules", ["9900", "990109", "9902062099020640"])
def test_a_profile_with_rules_that_cannot_be_read_takes_no_guard(
    tmp_path: Path, pki: Pki, rules: str
) -> None:
    """Unreadable rules may forbid disabling, so a guarded switch is refused; an unguarded one works."""
    with guarding(tmp_path, pki) as lab:
        lab.card.distort(SECOND, without=(RULES,), tail=bytes.fromhex(rules))
        change = ended(lab, "confirm")
        assert "policy rules" in error_of(change) or "rollback would be impossible" in error_of(change)
        assert not sent(lab, ENABLE)
        assert lab.carry_out(Kind.ENABLE, iccid=SECOND).error is None
        assert enabled(lab) == SECOND


def test_a_profile_without_a_state_is_switched(tmp_path: Path, pki: Pki) -> None:
    """A profile without a readable state is enabled and disabled; the card's answer decides."""
    with guarding(tmp_path, pki) as lab:
        lab.card.distort(SECOND, without=(STATE,))
        assert not read(lab).complete
        assert lab.carry_out(Kind.ENABLE, iccid=SECOND).error is None
        assert enabled(lab) == SECOND
        assert lab.carry_out(Kind.ENABLE, iccid=SECOND).error is None
        assert lab.carry_out(Kind.DISABLE, iccid=SECOND).error is None
        assert enabled(lab) is None


def test_an_unreadable_profile_is_deleted_by_aid(tmp_path: Path, pki: Pki) -> None:
    """While an entry is unreadable, deletion by ICCID fails, even with `missing_ok`; by AID, it works."""
    with guarding(tmp_path, pki) as lab:
        lab.card.distort(SECOND, told=NO_ICCID)
        for missing_ok in (False, True):
            change = lab.carry_out(Kind.DELETE, iccid=SECOND, missing_ok=missing_ok)
            assert change.error is not None
            assert change.error.kind == "conflict"
            assert change.error.details["unreadable"] == 1
        assert lab.carry_out(Kind.DELETE, iccid="89" + "7" * 17, missing_ok=True).error is not None
        change = lab.carry_out(Kind.DELETE, iccid=aid(lab, SECOND))
        assert change.error is None
        assert [str(each.iccid) for each in lab.card.profiles] == [FIRST]
        assert result_of(lab.carry_out(Kind.DELETE, iccid=SECOND, missing_ok=True)) == {
            "iccid": SECOND,
            "already": True,
        }


def test_a_reset_takes_unreadable_profiles_too(tmp_path: Path, pki: Pki) -> None:
    """Users may reset a card whose list cannot be read."""
    with guarding(tmp_path, pki, policy=SwitchPolicy(keep_enabled=True)) as lab:
        lab.card.distort(FIRST, without=(0x5A, AID, STATE))
        lab.card.distort(SECOND, tail=BROKEN)
        read(lab)
        change = lab.carry_out(Kind.RESET, operational_profiles=True, test_profiles=False, default_smdp=False)
        assert change.error is None
        assert lab.card.profiles == ()


def test_the_settings_name_profiles_by_aid(tmp_path: Path, pki: Pki) -> None:
    """Protected profiles are neither deleted nor disabled; the fallback order also works by AID."""
    with guarding(tmp_path, pki, registration={SECOND: DENIED}) as lab:
        lab.install(iccid=THIRD, name="Third")
        first, third = aid(lab, FIRST), aid(lab, THIRD)
        lab.card.distort(THIRD, told=NO_ICCID)
        lab.stop()
        lab.start(port(lab, policy=SwitchPolicy(protected=(first, third), fallback=(third,))))
        assert lab.carry_out(Kind.DELETE, iccid=third).error is not None
        assert lab.carry_out(Kind.DISABLE, iccid=FIRST).error is not None
        change = guarded_change(lab, "registered", within=3)
        watched(lab, change.id)
        lab.card.faults.refuse(ENABLE, DISALLOWED, times=1)
        details = rolled_back(lab.ended(change.id))
        assert details["previous"] == FIRST
        assert details["enabled"] == third
        assert enabled(lab) == THIRD


def test_failover_names_profiles_by_aid(tmp_path: Path, pki: Pki) -> None:
    """A health rule by AID watches the enabled profile, and leads to one whose ICCID cannot be read."""
    with guarding(tmp_path, pki, registration={FIRST: DENIED}) as lab:
        first, second = aid(lab, FIRST), aid(lab, SECOND)
        lab.card.distort(SECOND, told=NO_ICCID)
        rules = tuple(
            HealthRule(iccid=each, conditions=(Condition.parse("registered"),), interval=0.2, lasting=0.5)
            for each in (first, second)
        )
        lab.stop()
        lab.start(replace(port(lab), failover=FailoverPolicy(rules=rules, within=20, cooldown=60)))
        (change,) = lab.until(
            lambda: [each for each in lab.engine.changes() if each.origin == FAILOVER and each.state.ended],
            bool,
        )
        assert change.error is None
        assert enabled(lab) == SECOND


def test_people_switch_a_card_whose_list_cannot_be_read_at_all(tmp_path: Path, pki: Pki) -> None:
    """On a card whose list cannot be read, an unguarded command is sent, and the card's answer counts."""
    with guarding(tmp_path, pki) as lab:
        second = aid(lab, SECOND)
        lab.card.faults.corrupt(LIST, lambda _: bytes.fromhex("BF2D03A0FF13"), times=10_000)
        assert (len(read(lab).profiles), len(read(lab).unreadable)) == (0, 1)
        assert lab.carry_out(Kind.ENABLE, iccid=SECOND).error is None
        assert enabled(lab) == SECOND
        assert lab.carry_out(Kind.DISABLE, iccid=second).error is None
        assert enabled(lab) is None
        unknown = lab.carry_out(Kind.ENABLE, iccid="89" + "7" * 17)
        assert unknown.error is not None
        assert unknown.error.kind == "conflict"
        assert ended(lab, "confirm").error is not None
        assert enabled(lab) is None


def test_a_guarded_switch_returns_though_the_list_cannot_be_read(tmp_path: Path, pki: Pki) -> None:
    """If the list cannot be read, a rollback enables the previous profile by its AID."""
    with guarding(tmp_path, pki) as lab:
        change = guarded_change(lab, "confirm", within=60)
        watched(lab, change.id)
        lab.card.faults.corrupt(LIST, lambda _: bytes.fromhex("BF2D03A0FF13"), times=10_000)
        lab.engine.cancel(change.id)
        assert lab.ended(change.id).state is State.CANCELLED
        assert enabled(lab) == FIRST


@pytest.mark.parametrize("tail", [BROKEN, b""])
def test_no_profile_is_downloaded_onto_a_card_that_cannot_be_read(lab: Lab, tail: bytes) -> None:
    """An unreadable entry may be the enabled profile, so `provisioning.on_empty` downloads nothing."""
    lab.install()
    assert lab.carry_out(Kind.ENABLE, iccid=FIRST).error is None
    lab.card.distort(FIRST, told=NO_ICCID, tail=tail)
    lab.stop()
    lab.order(iccid=SECOND, eid=lab.card.eid)
    address = ServerAddress.parse(lab.server.address)
    lab.start(replace(lab.port, provisioning=FROM_DEFAULT_SMDP, default_smdp=address))
    lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)
    read(lab)
    assert [change for change in lab.engine.changes() if change.origin == "provision"] == []
    assert enabled(lab) == FIRST


def test_an_unreadable_entry_may_be_any_profile(tmp_path: Path, pki: Pki) -> None:
    """An unreadable entry may be any profile, unless it has a different AID."""
    with guarding(tmp_path, pki) as lab:
        second = aid(lab, SECOND)
        lab.card.distort(SECOND, told=NO_ICCID)
        listed = read(lab)
        assert not listed.lacks_name(SECOND)
        assert listed.lacks_name(second[:-2] + "77")
        odd = listed.named(second)
        assert odd is not None
        assert not listed.lacks(odd)
        lab.card.distort(SECOND, without=(0x5A, AID))
        assert not read(lab).lacks(odd)


A = Profile(iccid=FIRST, isdp_aid="A0000005591010FFFFFFFF8900001100", state="enabled")
B = Profile(iccid=SECOND, isdp_aid="A0000005591010FFFFFFFF8900001200", state="disabled")


def test_two_enabled_profiles_with_one_iccid_are_two() -> None:
    """Two enabled profiles with one ICCID leave the enabled one unknown; one listed twice does not."""
    assert ProfileList((A, replace(A, isdp_aid=B.isdp_aid))).contested
    assert not ProfileList((A, A)).contested


def test_a_profile_is_addressed_by_a_unique_iccid_or_aid() -> None:
    """A profile is addressed by an ICCID or AID that no other has; an unreadable entry by its AID."""
    twin = replace(B, iccid=FIRST)
    assert ProfileList((A, B)).address(A) == FIRST
    assert ProfileList((A, twin)).address(A) == A.isdp_aid
    assert ProfileList((A, replace(twin, isdp_aid=A.isdp_aid))).address(A) is None
    assert ProfileList((A, replace(B, isdp_aid=A.isdp_aid))).address(A) == FIRST
    broken = UnreadableProfile(iccid=SECOND, isdp_aid=B.isdp_aid)
    assert ProfileList((A,), (broken,)).address(broken) == B.isdp_aid
    assert (
        ProfileList((A,), (replace(broken, isdp_aid=None),)).address(replace(broken, isdp_aid=None)) is None
    )
    nameless = UnreadableProfile()
    assert ProfileList((A,), (nameless,)).address(nameless) is None
    # A broken entry that claims another profile's ICCID does not take it over.
    assert ProfileList((A,), (replace(broken, iccid=FIRST),)).address(A) == FIRST


def test_steps_of_a_switch_by_aid(tmp_path: Path, pki: Pki) -> None:
    """A profile without an ICCID is addressed by AID immediately."""
    with guarding(tmp_path, pki) as lab:
        lab.card.distort(SECOND, told=NO_ICCID)
        change = lab.carry_out(Kind.ENABLE, iccid=aid(lab, SECOND))
        assert change.error is None
        assert "enable-profile" in steps(change)
        assert not any("iccid" in step for step in steps(change))


HEX, SHORT = "898600B5000000E00015", "8944"


def test_the_settings_name_profiles_by_odd_iccids(tmp_path: Path, pki: Pki) -> None:
    """ICCIDs with digits from A to E, or of four digits, work for protection, rollback and fallback."""
    with guarding(tmp_path, pki, registration={SECOND: DENIED}) as lab:
        lab.install(iccid=HEX, name="Third")
        lab.install(iccid=SHORT, name="Fourth")
        lab.stop()
        lab.start(port(lab, policy=SwitchPolicy(protected=(HEX,), fallback=(SHORT,))))
        assert lab.carry_out(Kind.ENABLE, iccid=HEX).error is None
        assert lab.carry_out(Kind.DISABLE, iccid=HEX).error is not None
        details = rolled_back(ended(lab, "registered", within=3))
        assert (details["previous"], details["enabled"]) == (HEX, HEX)
        change = guarded_change(lab, "registered", within=3)
        watched(lab, change.id)
        lab.card.faults.refuse(ENABLE, DISALLOWED, times=1)
        assert rolled_back(lab.ended(change.id))["enabled"] == SHORT
        assert enabled(lab) == SHORT
        refused = lab.carry_out(Kind.DELETE, iccid=HEX)
        assert refused.error is not None
        assert refused.error.kind == "protected"


def test_failover_leaves_and_enters_profiles_with_odd_iccids(tmp_path: Path, pki: Pki) -> None:
    """A health rule is found by the ICCID that the card reports, even a short one or one with A to E."""
    with guarding(tmp_path, pki, registration={SHORT: DENIED}) as lab:
        lab.install(iccid=HEX, name="Third")
        lab.install(iccid=SHORT, name="Fourth")
        assert lab.carry_out(Kind.ENABLE, iccid=SHORT).error is None
        rules = tuple(
            HealthRule(iccid=each, conditions=(Condition.parse("registered"),), interval=0.2, lasting=0.5)
            for each in (SHORT, HEX)
        )
        lab.stop()
        lab.start(replace(port(lab), failover=FailoverPolicy(rules=rules, within=20, cooldown=60)))
        (change,) = lab.until(
            lambda: [each for each in lab.engine.changes() if each.origin == FAILOVER and each.state.ended],
            bool,
        )
        assert change.error is None
        assert enabled(lab) == HEX
