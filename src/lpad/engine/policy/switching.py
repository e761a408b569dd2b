"""The policy for switching: protected profiles, the fallback order, a daily limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import Protected, SwitchLimit
from lpad.base.frozen import Frozen
from lpad.engine.change.params import GuardParams  # noqa: TC001 - msgspec reads the annotations when it runs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.engine.change.change import Change, Step
    from lpad.engine.change.steady_clock import Moment
    from lpad.engine.snapshot.profile_list import Listed

DAY = 24 * 3600.0
"""The number of seconds in a day."""
SWITCHES = frozenset({"enable-profile", "disable-profile"})
"""The steps that count as a switch. The step of a rollback has a different name and is never refused."""


class SwitchPolicy(Frozen, kw_only=True):
    """One card's policy; profiles are named by ICCID or AID, in canonical form."""

    protected: tuple[str, ...] = ()
    """Profiles that are never deleted, and only disabled by enabling another profile."""
    keep_enabled: bool = False
    """Whether the card must always have an enabled profile."""
    fallback: tuple[str, ...] = ()
    """The profiles to try, in this order, if neither the new nor the previous profile works."""
    per_day: int | None = None
    """The maximum number of switches in 24 hours; None: no limit."""
    default_guard: GuardParams | None = None
    """The guard of a switch whose request contains none; None: such a switch has no guard."""
    accept_offline: bool = False
    """Whether a request may take the device offline without explicitly accepting this, as on a bench."""

    def check_delete(self, profile: Listed) -> None:
        """Check that a profile may be deleted.

        Raises:
            Protected: the settings protect the profile, or it cannot be distinguished from a protected one.
        """
        if self.protects(profile):
            iccid = _name(profile)
            raise Protected(
                f"cannot delete profile {iccid}: it is protected; remove it from 'switching.protected' first",
                iccid=iccid,
            )

    def protects(self, profile: Listed) -> bool:
        """Return whether the settings protect a profile, by its ICCID or its AID."""
        return profile.iccid in self.protected or profile.isdp_aid in self.protected

    def check_disable(self, profile: Listed) -> None:
        """Check that a profile may be disabled, which leaves the card without an enabled one.

        Raises:
            Protected: the settings require that this profile, or some profile, stays enabled.
        """
        iccid = _name(profile)
        if self.protects(profile):
            why, key = "the settings protect it", "protected"
        elif self.keep_enabled:
            why, key = "no profile would remain enabled, which the settings forbid", "keep_enabled"
        else:
            return
        raise Protected(
            f"cannot disable profile {iccid}: {why} ('switching.{key}'); enable another profile instead",
            iccid=iccid,
        )

    def check_reset(self, profiles: Iterable[Listed], *, doomed: set[str]) -> None:
        """Check that a memory reset deletes no protected profile.

        Args:
            profiles: the profiles on the card. An unreadable profile counts as not enabled, whatever state it
                has, and may be of any class.
            doomed: classes of profiles that the reset deletes.

        Raises:
            Protected: the reset would delete a protected profile, or the enabled one although one must stay
                enabled.
        """
        for profile in profiles:
            if not doomed or profile.profile_class not in (*doomed, None):
                continue
            iccid = _name(profile)
            if self.protects(profile):
                raise Protected(
                    f"cannot reset: this would delete profile {iccid}, which the settings protect"
                    " ('switching.protected'); delete the other profiles one by one",
                    iccid=iccid,
                )
            if profile.sure and profile.enabled and self.keep_enabled:
                raise Protected(
                    f"cannot reset: this would delete profile {iccid}, which is enabled, and leave no profile"
                    " enabled ('switching.keep_enabled'); delete the other profiles one by one",
                    iccid=iccid,
                )

    def check_limit(self, changes: Iterable[Change], *, present: Moment) -> None:
        """Check that one more switch is within the daily limit.

        Raises:
            SwitchLimit: the limit is reached; the details contain the time of the next possible switch.
        """
        if self.per_day is None:
            return
        ages = sorted(age for step in switches(changes) if (age := _age(step, present)) < DAY)
        if len(ages) < self.per_day:
            return
        following = present.date_of(present.steady + DAY - ages[self.per_day - 1])
        raise SwitchLimit(
            f"cannot switch: there were {len(ages)} switches in 24 hours, and the settings allow"
            f" {self.per_day} ('switching.per_day'); the next one is possible at"
            f" {following:%Y-%m-%d %H:%M:%S} UTC",
            limit=self.per_day,
            next_at=following.isoformat(timespec="seconds").replace("+00:00", "Z"),
        )


NO_POLICY = SwitchPolicy()
"""A policy that allows every switch."""


def _name(profile: Listed) -> str:
    return (profile.iccid if profile.sure else None) or profile.isdp_aid or profile.iccid or "unknown"


def switches(changes: Iterable[Change]) -> list[Step]:
    """Return the switching steps, regardless of their result; rollbacks are not counted."""
    return [step for change in changes for step in change.steps if step.name in SWITCHES]


def _age(step: Step, present: Moment) -> float:
    """Return the age of a step, in seconds.

    A step from an earlier version of lpad has only a date. After the clock was set, this date may be in the
    future; if it is more than a day in the future, it is meaningless, and the step counts as old.
    """
    if step.steady is not None:
        return present.since(step.steady)
    age = present.wall - step.at.timestamp()
    return max(0.0, age) if age > -DAY else DAY
