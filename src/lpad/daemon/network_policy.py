"""The data connection in the settings, as the engine wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.policy.networking import NetworkPolicy
from lpad.network.at_applier import AtApplier
from lpad.network.no_applier import NO_APPLIER
from lpad.network.precedence import Pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.network.applier import Applier
    from lpad.settings.sections.network import ApplierName, NetworkSection


_APPLIERS: Mapping[ApplierName, Applier] = {"none": NO_APPLIER, "at": AtApplier()}


def network_policy(section: NetworkSection) -> NetworkPolicy:
    """Return who makes the data connection, and with which settings."""
    return NetworkPolicy(
        applier=_APPLIERS[section.applier],
        patterns=tuple(
            Pattern(iccid=each.iccid, provider=each.provider, settings=each.settings())
            for each in section.patterns
        ),
    )
