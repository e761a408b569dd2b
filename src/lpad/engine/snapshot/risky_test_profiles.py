"""Profiles that are a known risk to their card."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.engine.snapshot.profile import Profile

_FACTORY = ("89010000001234567882", "89000000000000000012")
"""ICCIDs of test profiles left in products; ChromeOS deletes such profiles (hermes.conf, b/418078582)."""
_GENERIC_ICCID = "894944999999999"
_GENERIC_NAME = "GSMA Generic eUICC Test Profile"
"""The name of GSMA TS.48's test profile. Its keys are published; up to version 6, anyone can load applets
with them."""


class Risk(enum.StrEnum):
    """The kinds of risk that a profile can pose."""

    FACTORY_TEST_PROFILE = "factory-test-profile"
    GENERIC_TEST_PROFILE = "generic-test-profile"
    TEST_PROFILE = "test-profile"


_SENTENCES = {
    Risk.FACTORY_TEST_PROFILE: "a factory test profile that is known to endanger the card",
    Risk.GENERIC_TEST_PROFILE: "GSMA's generic test profile, whose keys are published; up to version 6 of"
    " TS.48, anyone can load applets with them",
    Risk.TEST_PROFILE: "a test profile; its keys may be known to others",
}


class KnownRisk(Struct, frozen=True, kw_only=True):
    """A profile that should be deleted unless the card is for tests; `sentence` describes the risk."""

    iccid: str
    risk: Risk
    enabled: bool
    sentence: str


def known_risks(profiles: Iterable[Profile]) -> tuple[KnownRisk, ...]:
    """Return the known risks of a card's profiles, in the profiles' order."""
    return tuple(
        KnownRisk(iccid=profile.iccid, risk=risk, enabled=profile.enabled, sentence=_SENTENCES[risk])
        for profile in profiles
        if (risk := _risk_of(profile)) is not None
    )


def _risk_of(profile: Profile) -> Risk | None:
    if profile.iccid in _FACTORY:
        return Risk.FACTORY_TEST_PROFILE
    if profile.iccid.startswith(_GENERIC_ICCID) or profile.name == _GENERIC_NAME:
        return Risk.GENERIC_TEST_PROFILE
    return Risk.TEST_PROFILE if profile.profile_class == "test" else None
