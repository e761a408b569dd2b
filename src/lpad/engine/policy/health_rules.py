"""Health rules: when a profile is well, and how long it must not be until another one takes its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpad.base.condition import Condition
    from lpad.engine.snapshot.profile_list import ProfileList


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRule:
    """One profile's, named by ICCID or AID: all conditions are looked at each `interval` seconds.

    A profile that has failed one of them at each look for `lasting` seconds is given up.
    """

    iccid: str
    conditions: tuple[Condition, ...]
    interval: float
    lasting: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FailoverPolicy:
    """One card's profiles in order, how long each may take to be well, and the pause between switches."""

    rules: tuple[HealthRule, ...]
    within: float
    cooldown: float

    def rule(self, listed: ProfileList) -> HealthRule | None:
        """Return the enabled profile's rule; None: it is not watched, or can't be told."""
        return next((rule for rule in self.rules if listed.means(rule.iccid, listed.enabled)), None)

    def following(self, iccid: str, *, listed: ProfileList, enabled: str) -> HealthRule | None:
        """Return the rule of the profile to try after this one, round and round.

        Args:
            iccid: the one before it in the order.
            listed: the profiles on the card.
            enabled: the one that is given up.
        """
        number = next((index for index, rule in enumerate(self.rules) if rule.iccid == iccid), -1)
        order = [*self.rules[number + 1 :], *self.rules[: number + 1]]
        given_up = listed.named(enabled)
        return next((rule for rule in order if listed.named(rule.iccid) not in (None, given_up)), None)
