"""A profile as the API shows it, from a card or a server, and an unreadable entry of a card's list."""

from __future__ import annotations

from lpad.base.frozen import Frozen
from lpad.engine.change.results import NotificationAddress, Owner  # noqa: TC001 - msgspec reads the annotations


class Profile(Frozen, kw_only=True):
    """A profile on a card, or one that a server offers (without state and AID)."""

    iccid: str
    state: str | None = None
    profile_class: str = "operational"
    name: str | None = None
    provider: str | None = None
    nickname: str | None = None
    isdp_aid: str | None = None
    icon_type: str | None = None
    owner: Owner | None = None
    policy_rules: tuple[str, ...] = ()
    notification_addresses: tuple[NotificationAddress, ...] = ()

    @property
    def enabled(self) -> bool:
        """Whether the profile is enabled."""
        return self.state == "enabled"

    @property
    def sure(self) -> bool:
        """Whether the profile's ICCID is certain."""
        return True


class UnreadableProfile(Frozen, kw_only=True):
    """The readable parts of a listed entry that is broken, lacks a valid ICCID or contradicts another entry.

    `raw_iccid` is the card's value for the ICCID, in hex; `iccid` is the ICCID in this value, if it is valid.
    `whole` means that all elements of the entry are readable.
    """

    iccid: str | None = None
    raw_iccid: str | None = None
    isdp_aid: str | None = None
    state: str = "unknown"
    profile_class: str | None = None
    name: str | None = None
    provider: str | None = None
    nickname: str | None = None
    policy_rules: tuple[str, ...] = ()
    whole: bool = False

    @property
    def enabled(self) -> bool:
        """Whether the card lists the profile as enabled."""
        return self.state == "enabled"

    @property
    def sure(self) -> bool:
        """Whether the profile's ICCID is certain."""
        return False
