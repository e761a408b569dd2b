"""The one line with which `lpactl enable` ends: profile, operator, registration and address."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.cli.session.switch_state_lines import network_failures

if TYPE_CHECKING:
    from lpad.client import Change, Client


def outcome_line(client: Client, change: Change) -> str:
    """Return the result of an enable; values that lpad has not observed are 'unknown'."""
    result = change.result or {}
    iccid = str(result.get("iccid", ""))
    listed = client.profiles(change.euicc)
    profile = next((each for each in listed if iccid in (each.iccid, each.isdp_aid)), None)
    name = profile.nickname or profile.name if profile is not None else None
    requirements = change.guard.requirements if change.guard is not None else ()
    watched = next((each.seen for each in requirements if each.condition == "registered"), None)
    registration = watched or result.get("registration")
    network = result.get("network") or {}
    addresses = ", ".join(map(str, network.get("addresses") or ()))
    parts = [
        f"profile {name or iccid}",
        f"operator {(profile.provider if profile is not None else None) or 'unknown'}",
        f"registration {registration or 'unknown'}",
        f"address {addresses or 'unknown'}",
    ]
    if network.get("worked"):
        parts.append(f"works with {network['worked']} only: see 'lpactl network set'")
    parts += [f"{each['step']} failed: {each['told']}" for each in network_failures(change)]
    if result.get("unguarded"):
        parts.append(f"not guarded: {result['unguarded']}")
    return "; ".join(parts)
