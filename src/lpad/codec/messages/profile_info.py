"""One row of the card's list of profiles: ProfileInfo (SGP.22 v2.5, 5.7.15)."""

from __future__ import annotations

from enum import StrEnum

from lpad.base.errors import MalformedError
from lpad.base.frozen import Frozen
from lpad.base.identifiers import Aid, Iccid
from lpad.codec.asn1 import broken_list, der, tlv
from lpad.codec.asn1.broken_list import Sureness
from lpad.codec.messages.metadata import (
    NotificationTarget,
    OperatorId,
    ProfileClass,
    class_of,
    icon_media_type,
    rules_in,
    targets_of,
)

ICON_TAGS = (0x93, 0x94)
TAGS = (0x5A, 0x4F, 0x9F70, 0x90, 0x91, 0x92, *ICON_TAGS, 0x95, 0xB6, 0xB7, 0x99)
TAGS_WITHOUT_ICON = tuple(tag for tag in TAGS if tag not in ICON_TAGS)


class ProfileState(StrEnum):
    """Whether the profile is enabled; `UNKNOWN` if the card does not report it."""

    DISABLED = "disabled"
    ENABLED = "enabled"
    UNKNOWN = "unknown"


_PROFILE_INFO, _ICCID, _AID = 0xE3, 0x5A, 0x4F
_STATES = {0: ProfileState.DISABLED, 1: ProfileState.ENABLED}


class ProfileInfo(Frozen):
    """A profile on the card (E3); fields that the card does not report are None or empty.

    Names are as the card wrote them and may contain control characters. `icon_type` is a media type.
    `pprs` are the policy rules' names in SGP.22, mostly "ppr1" and "ppr2"; unreadable rules are
    represented by `UNREADABLE_RULES`.
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
    def decode(cls, raw: bytes) -> ProfileInfo:
        """Read a ProfileInfo; malformed or unknown elements are omitted.

        Raises:
            MalformedError: the bytes are not a ProfileInfo, or the ICCID is missing or invalid.
        """
        value = der.decode("ProfileInfo", raw, lenient=True)
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
            pprs=rules_in(*_inside(raw)),
        )

    @property
    def enabled(self) -> bool:
        """Whether the card reports that the profile is enabled."""
        return self.state is ProfileState.ENABLED


class UnreadableProfile(Frozen):
    """The readable parts of an entry that is broken, lacks a valid ICCID or contradicts another entry.

    `raw` is the whole entry. `raw_iccid` is the content of tag 5A, and `iccid` the ICCID in it, if valid; in
    a broken entry both may be wrong. `whole` shows whether all elements of the entry are readable.
    """

    raw: bytes
    iccid: Iccid | None = None
    raw_iccid: bytes | None = None
    isdp_aid: Aid | None = None
    state: ProfileState = ProfileState.UNKNOWN
    nickname: str | None = None
    service_provider_name: str | None = None
    name: str | None = None
    profile_class: ProfileClass | None = None
    pprs: tuple[str, ...] = ()
    whole: bool = False

    @classmethod
    def read(cls, raw: bytes) -> UnreadableProfile:
        """Read the readable parts of an entry; never raises."""
        children, rest = _inside(raw)
        found = tlv.encode(_PROFILE_INFO, *(child.raw for child in children))
        value = der.decode("ProfileInfo", found, lenient=True)
        raw_iccid, profile_class = value.get("iccid"), value.get("profileClass")
        return cls(
            raw=raw,
            iccid=iccid_of(raw_iccid),
            raw_iccid=raw_iccid,
            isdp_aid=aid_of(value.get("isdpAid")),
            state=_STATES.get(value.get("profileState", -1), ProfileState.UNKNOWN),
            nickname=value.get("profileNickname") or None,
            service_provider_name=value.get("serviceProviderName"),
            name=value.get("profileName"),
            profile_class=None if profile_class is None else class_of(profile_class),
            pprs=rules_in(children, rest),
            whole=bool(children) and not rest,
        )


def sureness(element: tlv.Tlv) -> Sureness:
    """Return how certain it is that an element is a complete ProfileInfo, by its ICCID and AID."""
    children, rest = broken_list.whole_children(element.value)
    if element.tag != _PROFILE_INFO or not broken_list.is_padding(rest):
        return Sureness.NONE
    iccid = any(child.tag == _ICCID and iccid_of(child.value) for child in children)
    aid = any(child.tag == _AID and aid_of(child.value) for child in children)
    return Sureness.SURE if iccid and aid else Sureness.PERHAPS if iccid or aid else Sureness.NONE


def _inside(raw: bytes) -> tuple[tuple[tlv.Tlv, ...], bytes]:
    """Return the elements in an entry, and the bytes from the first unreadable element on."""
    try:
        element, rest = tlv.parse_first(raw)
    except MalformedError:
        # The entry's length is wrong, but the bytes may still begin like an entry.
        return broken_list.whole_children(raw[2:]) if raw[:1] == bytes([_PROFILE_INFO]) else ((), raw)
    if element.tag != _PROFILE_INFO:
        return (), raw
    children, inside = broken_list.whole_children(element.value)
    return children, inside + rest


def iccid_of(data: bytes | None) -> Iccid | None:
    """Return the ICCID that a card reports; None if the ICCID is missing or invalid."""
    try:
        return None if data is None else Iccid.from_bytes(data)
    except MalformedError:
        return None


def aid_of(data: bytes | None) -> Aid | None:
    """Return the AID that a card reports; None if the AID is missing or invalid."""
    try:
        return None if data is None else Aid(data)
    except MalformedError:
        return None
