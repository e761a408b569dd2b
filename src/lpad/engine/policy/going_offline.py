"""Requests that take a device offline: they disable or delete the modem's profile, or stop its line.

The device is unattended, so lpad refuses such a request, unless the request or the settings accept this. A
card in a reader does not connect the device, and is exempt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import WouldGoOffline
from lpad.engine.change.params import DisableParams, LineParams, ResetParams
from lpad.provisioning.platform_interface import LineAction

if TYPE_CHECKING:
    from collections.abc import Container

    from lpad.engine.change.params import Params
    from lpad.engine.policy.switching import SwitchPolicy
    from lpad.engine.snapshot.profile_list import Listed, ProfileList

_OPERATIONAL, _TEST = "operational", "test"
_UNSERVED = {LineAction.SUSPEND: "suspending", LineAction.RETIRE: "retiring"}
"""The requests that make the network stop serving a line, in words."""


def check_offline(params: Params, listed: ProfileList, policy: SwitchPolicy, *, behind_modem: bool) -> None:
    """Refuse a request that takes the device offline, unless the request or the settings accept this.

    Raises:
        WouldGoOffline: the request would take the device offline.
    """
    if not behind_modem or policy.accept_offline:
        return
    if isinstance(params, DisableParams) and not params.accept_offline:
        profile = listed.named(params.iccid)
        if profile is not None and profile.enabled:
            raise _offline(profile, f"disabling profile {params.iccid}")
    elif isinstance(params, LineParams) and not params.accept_offline and params.action in _UNSERVED:
        profile = listed.named(params.iccid)
        if profile is not None and profile.enabled:
            raise _offline(profile, f"{_UNSERVED[params.action]} the line of profile {params.iccid}")
    elif isinstance(params, ResetParams) and not params.accept_offline:
        doomed = {_OPERATIONAL} if params.operational_profiles else set()
        doomed |= {_TEST} if params.test_profiles else set()
        enabled = listed.enabled
        if enabled is not None and _is_doomed(enabled, doomed):
            raise _offline(enabled, "this reset")


def _is_doomed(profile: Listed, classes: Container[str]) -> bool:
    """Return whether a reset of `classes` may delete a profile; an unknown class counts as operational."""
    return (profile.profile_class or _OPERATIONAL) in classes


def _offline(profile: Listed, what: str) -> WouldGoOffline:
    name = profile.nickname or profile.name or profile.iccid or profile.isdp_aid or ""
    return WouldGoOffline(
        f"{what} would take the device offline: its modem uses the profile, and the device could no longer be"
        ' reached; enable another profile instead, or add "accept_offline": true (lpactl: --accept-offline)',
        iccid=profile.iccid or "",
        name=name,
    )
