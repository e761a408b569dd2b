"""Health rules: when a profile is healthy, and how long it may be unhealthy before failover leaves it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from lpad.base.guard_condition import Condition
    from lpad.engine.policy.provisioning import ProvisioningPolicy
    from lpad.engine.snapshot.profile_list import ProfileList


class HealthRule(Frozen, kw_only=True):
    """The rule of one profile, named by ICCID or AID: its conditions are checked every `interval` seconds.

    A profile with an unmet condition is unhealthy; after `lasting` seconds, failover leaves the profile.
    """

    iccid: str
    conditions: tuple[Condition, ...]
    interval: float
    lasting: float


class FailoverPolicy(Frozen, kw_only=True):
    """The profiles of one card in order, the time for each to become healthy, and the pause between switches.

    `provisioning` names the platform to ask for another profile when all have failed; None: no platform.
    """

    rules: tuple[HealthRule, ...]
    within: float
    cooldown: float
    provisioning: ProvisioningPolicy | None = None

    def rule(self, listed: ProfileList) -> HealthRule | None:
        """Return the enabled profile's rule; None if the profile has no rule, or lpad does not know it."""
        return next((rule for rule in self.rules if listed.means(rule.iccid, listed.enabled)), None)

    def following(self, iccid: str, *, listed: ProfileList, enabled: str) -> HealthRule | None:
        """Return the next rule, in cyclic order, for another profile on the card; None if no rule remains."""
        number = next((index for index, rule in enumerate(self.rules) if rule.iccid == iccid), -1)
        order = [*self.rules[number + 1 :], *self.rules[: number + 1]]
        given_up = listed.named(enabled)
        return next((rule for rule in order if listed.named(rule.iccid) not in (None, given_up)), None)
