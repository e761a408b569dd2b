"""Profiles that are known to be a risk to the card that holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpad.client import Profile

_FACTORY = ("89010000001234567882", "89000000000000000012")
"""Test profiles left in products; ChromeOS deletes them from all devices (hermes.conf, b/418078582)."""
_GENERIC_ICCID = "894944999999999"
_GENERIC_NAME = "GSMA Generic eUICC Test Profile"
"""The generic test profile of GSMA TS.48; its keys are published. Up to version 6 they load applets, too."""


def risk_of(profile: Profile) -> str | None:
    """Return what is known against a profile, and what to do about it; None where nothing is."""
    if profile.iccid in _FACTORY:
        what = "a factory test profile that is known to endanger the card"
    elif profile.iccid.startswith(_GENERIC_ICCID) or profile.name == _GENERIC_NAME:
        what = (
            "GSMA's generic test profile, whose keys are published; up to version 6 of TS.48 anybody can load"
            " applets with them"
        )
    elif profile.profile_class == "test":
        what = "a test profile; its keys may be known to others"
    else:
        return None
    now = ", and it is enabled" if profile.state == "enabled" else ""
    return (
        f"profile {profile.iccid} is {what}{now};"
        f" unless this card is for tests, delete it: lpactl delete {profile.iccid}"
    )
