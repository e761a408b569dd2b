"""One row of the card's list of profiles: ProfileInfo (SGP.22 v2.5, 5.7.15)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lpad.base.errors import MalformedError
from lpad.base.identifiers import Aid, Iccid
from lpad.codec.messages.metadata import (
    NotificationTarget,
    OperatorId,
    ProfileClass,
    class_of,
    icon_media_type,
    pprs_of,
    targets_of,
)

ICON_TAGS = (0x93, 0x94)
TAGS = (0x5A, 0x4F, 0x9F70, 0x90, 0x91, 0x92, *ICON_TAGS, 0x95, 0xB6, 0xB7, 0x99)
TAGS_WITHOUT_ICON = tuple(tag for tag in TAGS if tag not in ICON_TAGS)


class ProfileState(StrEnum):
    """Whether the modem sees the profile; `UNKNOWN` where the card doesn't say."""

    DISABLED = "disabled"
    ENABLED = "enabled"
    UNKNOWN = "unknown"


_STATES = {0: ProfileState.DISABLED, 1: ProfileState.ENABLED}


@dataclass(frozen=True, slots=True)
class ProfileInfo:
    """A profile on the card (E3); None, or nothing, where the card doesn't say or wasn't asked.

    Names are as the card wrote them: they may hold control characters. `icon_type` is a media type.
    `pprs` are the policy rules' names in SGP.22, "ppr1" and "ppr2" above all.
    """

    iccid: Iccid
    isdp_aid: Aid | None = None
    state: ProfileState = ProfileState.UNKNOWN
    nickname: str | None = None
    service_provider_name: str | None = None
    name: str | None = None
    icon_type: str | None = None
    icon: bytes | None = None
    profile_class: ProfileClass | None = None
    notification_targets: tuple[NotificationTarget, ...] = ()
    owner: OperatorId | None = None
    dp_oid: str | None = None
    pprs: tuple[str, ...] = ()

    @classmethod
    def from_value(cls, value: dict[str, Any]) -> ProfileInfo:
        """Read what `der.decode` gives for ProfileInfo.

        Raises:
            MalformedError: the ICCID is missing or none.
        """
        if "iccid" not in value:
            raise MalformedError("a profile lacks its ICCID")
        owner, profile_class = value.get("profileOwner"), value.get("profileClass")
        return cls(
            iccid=Iccid.from_bytes(value["iccid"]),
            isdp_aid=aid_of(value.get("isdpAid")),
            state=_STATES.get(value.get("profileState", -1), ProfileState.UNKNOWN),
            nickname=value.get("profileNickname") or None,
            service_provider_name=value.get("serviceProviderName"),
            name=value.get("profileName"),
            icon_type=icon_media_type(value.get("iconType")),
            icon=value.get("icon") or None,
            profile_class=None if profile_class is None else class_of(profile_class),
            notification_targets=targets_of(value),
            owner=None if owner is None else OperatorId.from_value(owner),
            dp_oid=value.get("dpProprietaryData", {}).get("dpOid"),
            pprs=pprs_of(value.get("profilePolicyRules")),
        )

    @property
    def enabled(self) -> bool:
        """Whether the card says that the profile is enabled."""
        return self.state is ProfileState.ENABLED


def aid_of(data: bytes | None) -> Aid | None:
    """Return the AID that a card names, None where it names none or an impossible one."""
    try:
        return None if data is None else Aid(data)
    except MalformedError:
        return None
