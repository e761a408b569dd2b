"""The network settings that apply to a profile, and their source: the owner, the order, a pattern, or none.

Consumer databases of APNs are not used: they lack the providers of IoT profiles, whose IMSIs belong to host
operators, so the host's consumer APN would be chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.frozen import Frozen
from lpad.network.network_settings import EMPTY, GivenBy, NetworkSettings

if TYPE_CHECKING:
    from collections.abc import Sequence


class Pattern(Frozen, kw_only=True):
    """One entry of the setting `network.patterns`; a profile must match all of its fields."""

    iccid: str = ""
    """The beginning of the ICCID; empty: any."""
    provider: str = ""
    """The profile's service provider, case ignored; empty: any."""
    settings: NetworkSettings = EMPTY

    def fits(self, iccid: str, provider: str | None) -> bool:
        """Return whether a profile matches; an unknown provider matches no pattern with a provider."""
        if self.provider and (provider or "").casefold() != self.provider.casefold():
            return False
        return iccid.startswith(self.iccid)

    def __str__(self) -> str:
        named = [f"iccid {self.iccid}…"] if self.iccid else []
        named += [f"provider {self.provider}"] if self.provider else []
        return " and ".join(named)


class Chosen(Frozen, kw_only=True):
    """The settings that apply to a profile, their source, and the reason."""

    settings: NetworkSettings
    given_by: GivenBy
    why: str


def choose(
    iccid: str,
    *,
    owner: NetworkSettings | None,
    order: NetworkSettings | None,
    patterns: Sequence[Pattern] = (),
    provider: str | None = None,
) -> Chosen:
    """Return the settings that apply to a profile; the first matching pattern counts."""
    if owner is not None:
        return Chosen(
            settings=owner, given_by=GivenBy.OWNER, why="the owner has chosen settings for this profile"
        )
    if order is not None:
        return Chosen(
            settings=order, given_by=GivenBy.ORDER, why="the profile's download has delivered settings"
        )
    for number, pattern in enumerate(patterns):
        if pattern.fits(iccid, provider):
            return Chosen(
                settings=pattern.settings,
                given_by=GivenBy.PATTERN,
                why=f"the settings file's network.patterns[{number}] matches ({pattern})",
            )
    return Chosen(
        settings=EMPTY,
        given_by=GivenBy.NOTHING,
        why="nothing is set for this profile, so the network's default applies",
    )
