"""One profile in GetProfilesInfo: element E3 (SGP.22 v2.5, 5.7.15)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.chip.nonvolatile_state import Oddity

if TYPE_CHECKING:
    from lpad.codec.asn1.tlv import Tlv
    from lpad.simulator.euicc.chip.nonvolatile_state import StoredProfile

ICCID, AID, STATE, NICKNAME, PROVIDER, NAME = 0x5A, 0x4F, 0x9F70, 0x90, 0x91, 0x92
ICON_TYPE, ICON, CLASS, DP_PROPRIETARY = 0x93, 0x94, 0x95, 0xB8
DEFAULT_TAGS = (ICCID, AID, STATE, NICKNAME, PROVIDER, NAME, ICON_TYPE, ICON, CLASS)
_ORDER = (
    *DEFAULT_TAGS,
    0xB6,
    0xB7,
    DP_PROPRIETARY,
    0x99,
    0xBF22,
    0xBA,
    0x9B,
    0xBC,
    0xBD,
    0xBE,
    0x9F1F,
    0xBF20,
)
_PROFILE_SIZE, _ACCESS_RULES = 0x9F25, 0xBF76


def requested_tags(tag_list: bytes) -> tuple[int, ...]:
    """Return the tags in a tag list (5C), which is a plain sequence of tags.

    Raises:
        MalformedError: the tag list ends inside a tag, or is empty.
    """
    tags = []
    rest = tag_list
    while rest:
        length = 1
        if rest[0] & 0x1F == 0x1F:
            length = 2
            while length <= len(rest) and rest[length - 1] & 0x80:
                length += 1
        if length > len(rest):
            raise MalformedError("a tag list ends inside a tag")
        tags.append(int.from_bytes(rest[:length], "big"))
        rest = rest[length:]
    if not tags:
        raise MalformedError("an empty tag list")
    return tuple(tags)


def profile_info(profile: StoredProfile, tags: tuple[int, ...], *, empty_fields: bool) -> bytes:
    """Return E3 with those of `tags` that the profile has.

    Args:
        profile: the profile.
        tags: the requested tags; unknown ones are ignored.
        empty_fields: whether an unset nickname is returned empty.
    """
    stored = {element.tag: element for element in tlv.parse(profile.metadata).children()}
    own = {
        ICCID: tlv.encode(ICCID, profile.told_iccid),
        AID: tlv.encode(AID, profile.aid),
        STATE: tlv.encode(STATE, bytes([profile.enabled])),
        CLASS: tlv.encode(CLASS, bytes([profile.profile_class])),
        _PROFILE_SIZE: tlv.encode(_PROFILE_SIZE, _integer(profile.size)),
    }
    if profile.nickname or empty_fields:
        own[NICKNAME] = tlv.encode(NICKNAME, profile.nickname.encode())
    proprietary = tlv.parse(profile.configuration).find(DP_PROPRIETARY)
    if proprietary is not None:
        own[DP_PROPRIETARY] = proprietary.raw
    if profile.pprs == 0:
        stored.pop(0x99, None)
    wanted = [tag for tag in (*_ORDER, _PROFILE_SIZE, _ACCESS_RULES) if tag in tags]
    oddity = profile.oddity or Oddity()
    wanted = [tag for tag in wanted if tag not in oddity.without]
    return tlv.encode(0xE3, *(_field(tag, own, stored) for tag in wanted), oddity.tail)


def _integer(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _field(tag: int, own: dict[int, bytes], stored: dict[int, Tlv]) -> bytes:
    if tag in own:
        return own[tag]
    return stored[tag].raw if tag in stored else b""
