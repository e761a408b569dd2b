"""A card's retained state: a JSON text with the card's present state, also for clients that connect later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from lpad.base.redaction import last_digits

if TYPE_CHECKING:
    from lpad.client import Client


class ProfileState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A profile: its ICCID or AID, its state, and its class unless it is `operational`."""

    iccid: str
    state: str | None = None
    profile_class: str = "operational"


class CardState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A card: its state, the kind of its error, its profiles, and lpad's unattended work for the card.

    `unreadable` counts entries of the card's list that may be profiles, `pending_notifications` the
    notifications that their servers do not have yet.
    """

    card: str
    state: str
    eid: str | None = None
    imei: str | None = None
    error: str | None = None
    enabled: str | None = None
    profiles: tuple[ProfileState, ...] = ()
    unreadable: int = 0
    failover: str | None = None
    rescue: bool = False
    provisioning: str | None = None
    pending_notifications: int = 0


def card_state(lpad: Client, name: str, *, redacted: bool) -> CardState:
    """Return a card's state as lpad knows it, without access to the card.

    Raises:
        ApiError: lpad cannot be asked, or has no card with this name.
    """
    euicc = lpad.euicc(name)
    listed = lpad.profile_list(name)
    shown = _masked if redacted else _as_it_is
    profiles = tuple(
        ProfileState(iccid=shown(each.iccid) or "", state=each.state, profile_class=each.profile_class)
        for each in listed.profiles
    )
    enabled = next((each.iccid for each in listed.profiles if each.state == "enabled"), None)
    return CardState(
        card=name,
        state=euicc.state,
        eid=shown(euicc.eid),
        imei=shown(euicc.imei),
        error=euicc.error.kind if euicc.error is not None else None,
        enabled=shown(enabled),
        profiles=profiles,
        unreadable=len(listed.unreadable),
        failover=euicc.failover.standing if euicc.failover is not None else None,
        rescue=euicc.rescue is not None,
        provisioning=euicc.wish.platform if euicc.wish is not None else None,
        pending_notifications=len(lpad.notifications(name)),
    )


def _as_it_is(text: str | None) -> str | None:
    return text


def _masked(text: str | None) -> str | None:
    return None if text is None else last_digits(text)


def encoded(state: CardState) -> bytes:
    """Return the content of the retained message with a card's state."""
    return msgspec.json.encode(state)
