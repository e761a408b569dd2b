"""Convert the settings of the data connection to the engine's form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.policy.network_policy import NetworkPolicy, OnFailure
from lpad.network.hook_runner_client import RunnerClient
from lpad.network.network_settings_choice import Pattern
from lpad.network.no_applier import NO_APPLIER
from lpad.network.owner_hooks import NO_HOOKS, Hooks

if TYPE_CHECKING:
    from lpad.network.applier_interface import Applier
    from lpad.settings.sections.network import NetworkSection


def network_policy(section: NetworkSection) -> NetworkPolicy:
    """Return the applier, hooks, patterns, reaction to failures, and time limit of the data connection."""
    return NetworkPolicy(
        applier=_applier(section),
        hooks=Hooks(RunnerClient(section.runner)) if section.hooks else NO_HOOKS,
        patterns=tuple(
            Pattern(iccid=each.iccid.upper(), provider=each.provider, settings=each.settings())
            for each in section.patterns
        ),
        on_failure=OnFailure(section.on_failure),
        limit=section.step_limit,
    )


def _applier(section: NetworkSection) -> Applier:
    if section.applier == "at":
        from lpad.network.at_applier import AtApplier  # noqa: PLC0415 - only if chosen

        return AtApplier()
    if section.applier == "command":
        from lpad.network.owner_program_applier import CommandApplier  # noqa: PLC0415 - only if chosen

        return CommandApplier(RunnerClient(section.runner))
    if section.applier == "networkmanager":
        from lpad.network.networkmanager.applier import NetworkManagerApplier  # noqa: PLC0415 - only if chosen

        return NetworkManagerApplier()
    if section.applier == "modemmanager":
        from lpad.network.modemmanager.applier import ModemManagerApplier  # noqa: PLC0415 - only if chosen

        return ModemManagerApplier(connects=section.connect)
    return NO_APPLIER
