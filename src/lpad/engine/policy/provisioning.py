"""The policy for getting a profile without a user."""

from __future__ import annotations

from lpad.base.frozen import Frozen

DEFAULT_SMDP = "default-smdp"
"""The name of the default SM-DP+, from the settings or the card, as a source of a first profile."""

RETRY_FOR = 7 * 86_400.0
"""Seconds for which the download of a reserved profile is retried after temporary failures."""


class ProvisioningPolicy(Frozen, kw_only=True):
    """How lpad gets a profile for an empty card, or for a card whose profiles have all failed.

    Attributes:
        on_empty: the sources of a profile for an empty card, in this order; empty: lpad requests no profile.
        on_failover: the platform that is asked when failover has tried every profile without success; None:
            no platform.
        most_orders: the maximum number of orders for one card in a day, including those that a user has
            allowed.
        until: the conditions of the guard under which a profile is enabled; empty: without a guard.
        within: the guard's time limit in seconds.
    """

    on_empty: tuple[str, ...] = ()
    on_failover: str | None = None
    most_orders: int = 1
    until: tuple[str, ...] = ()
    within: float = 180.0


NO_PROVISIONING = ProvisioningPolicy()
