"""The profiles on a card and the functions on them: ES10c (SGP.22 v2.5, 5.7.15 to 5.7.21).

`decode` raises MalformedError for the answer to another function.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from lpad.base.errors import InvalidValue, MalformedError
from lpad.base.frozen import Frozen
from lpad.base.identifiers import Aid, Iccid
from lpad.codec.asn1 import broken_list, der, tlv
from lpad.codec.asn1.broken_list import ListOf
from lpad.codec.messages.metadata import ProfileClass, class_number
from lpad.codec.messages.profile_info import ProfileInfo, ProfileState, UnreadableProfile, sureness
from lpad.codec.messages.result_code import ResultAnswer, ResultCode

LONGEST_NICKNAME = 64  # bytes of UTF-8
_LIST = ListOf("ProfileInfoListResponse", 0xBF2D, (0xE3,), sureness, nests=True)

ProfileTarget = Iccid | Aid

_Key = tuple[Iccid, Aid | ProfileInfo]


class ProfileInfoListError(ResultCode):
    """Why the card lists no profiles."""

    INCORRECT_INPUT_VALUES = 1, "incorrectInputValues"
    PROFILE_CHANGE_ONGOING = 11, "profileChangeOngoing"
    UNDEFINED_ERROR = 127, "undefinedError"


class EnableProfileResult(ResultAnswer, answer="EnableProfileResponse", field="enableResult"):
    """The result of enabling a profile."""

    OK = 0, "ok"
    ICCID_OR_AID_NOT_FOUND = 1, "iccidOrAidNotFound"
    PROFILE_NOT_IN_DISABLED_STATE = 2, "profileNotInDisabledState"
    DISALLOWED_BY_POLICY = 3, "disallowedByPolicy"
    WRONG_PROFILE_REENABLING = 4, "wrongProfileReenabling"
    CAT_BUSY = 5, "catBusy"
    UNDEFINED_ERROR = 127, "undefinedError"


class DisableProfileResult(ResultAnswer, answer="DisableProfileResponse", field="disableResult"):
    """The result of disabling a profile."""

    OK = 0, "ok"
    ICCID_OR_AID_NOT_FOUND = 1, "iccidOrAidNotFound"
    PROFILE_NOT_IN_ENABLED_STATE = 2, "profileNotInEnabledState"
    DISALLOWED_BY_POLICY = 3, "disallowedByPolicy"
    CAT_BUSY = 5, "catBusy"
    UNDEFINED_ERROR = 127, "undefinedError"


class DeleteProfileResult(ResultAnswer, answer="DeleteProfileResponse", field="deleteResult"):
    """The result of deleting a profile."""

    OK = 0, "ok"
    ICCID_OR_AID_NOT_FOUND = 1, "iccidOrAidNotFound"
    PROFILE_NOT_IN_DISABLED_STATE = 2, "profileNotInDisabledState"
    DISALLOWED_BY_POLICY = 3, "disallowedByPolicy"
    UNDEFINED_ERROR = 127, "undefinedError"


class SetNicknameResult(ResultAnswer, answer="SetNicknameResponse", field="setNicknameResult"):
    """The result of setting a profile's nickname."""

    OK = 0, "ok"
    ICCID_NOT_FOUND = 1, "iccidNotFound"
    UNDEFINED_ERROR = 127, "undefinedError"


class ProfileInfoListRequest(Frozen):
    """GetProfilesInfo (BF2D): one profile, a class, or all (None); empty `tags`: the card's default set."""

    search: ProfileTarget | ProfileClass | None = None
    tags: tuple[int, ...] = ()

    def encode(self) -> bytes:
        """Return the request."""
        value: dict[str, Any] = {}
        if isinstance(self.search, ProfileClass):
            value["searchCriteria"] = ("profileClass", class_number(self.search))
        elif self.search is not None:
            value["searchCriteria"] = _identifier(self.search)
        if self.tags:
            value["tagList"] = b"".join(map(tlv.tag_bytes, self.tags))
        return der.encode("ProfileInfoListRequest", value)


class ProfileInfoListResponse(Frozen):
    """The card's answer (BF2D): its profiles in its own order, or the reason for a missing list.

    `unread` contains broken entries, those without a valid ICCID, and those that contradict another entry.
    """

    profiles: tuple[ProfileInfo, ...]
    unread: tuple[UnreadableProfile, ...] = ()
    error: ProfileInfoListError | None = None

    @classmethod
    def decode(cls, raw: bytes) -> ProfileInfoListResponse:
        """Read the answer.

        Raises:
            MalformedError: the answer is neither a list nor a refusal.
        """
        answer = _LIST.read(raw)
        if isinstance(answer, int):
            return cls((), error=ProfileInfoListError(answer))
        profiles: dict[_Key, ProfileInfo] = {}
        unread: list[UnreadableProfile] = []
        for item in answer.items:
            try:
                found = ProfileInfo.decode(_tidy(item))
            except MalformedError:
                unread.append(UnreadableProfile.read(item.raw))
            else:
                if not _add(profiles, found):
                    unread.append(UnreadableProfile.read(item.raw))
        unread += map(UnreadableProfile.read, answer.odd)
        return cls(tuple(profiles.values()), tuple(unread))

    @property
    def unreadable(self) -> int:
        """The number of unreadable entries; up to this number of profiles may be missing from the list."""
        return len(self.unread)


class _SwitchRequest(Frozen):
    """The base of the two requests, whose classes have the names of their types in SGP.22."""

    target: ProfileTarget
    refresh: bool

    def encode(self) -> bytes:
        """Return the request."""
        value = {"profileIdentifier": _identifier(self.target), "refreshFlag": self.refresh}
        return der.encode(type(self).__name__, value)


class EnableProfileRequest(_SwitchRequest):
    """EnableProfile (BF31)."""


class DisableProfileRequest(_SwitchRequest):
    """DisableProfile (BF32)."""


class DeleteProfileRequest(Frozen):
    """DeleteProfile (BF33)."""

    target: ProfileTarget

    def encode(self) -> bytes:
        """Return the request: an identifier without the A0 that EnableProfile and DisableProfile require."""
        return der.encode("DeleteProfileRequest", _identifier(self.target))


class SetNicknameRequest(Frozen):
    """SetNickname (BF29): an empty nickname removes the present one."""

    iccid: Iccid
    nickname: str

    def __post_init__(self) -> None:
        if len(self.nickname.encode()) > LONGEST_NICKNAME:
            raise InvalidValue(f"a nickname must have at most {LONGEST_NICKNAME} bytes of UTF-8")

    def encode(self) -> bytes:
        """Return the request."""
        value = {"iccid": bytes(self.iccid), "profileNickname": self.nickname}
        return der.encode("SetNicknameRequest", value)


def _tidy(item: tlv.Tlv) -> bytes:
    """Return an entry without the padding, or other bytes, after its last readable element."""
    children, _ = broken_list.whole_children(item.value)
    return tlv.encode(item.tag, *(child.raw for child in children))


def _add(profiles: dict[_Key, ProfileInfo], found: ProfileInfo) -> bool:
    """Add a profile, only once if the card lists it twice; return whether the two entries agree.

    Two entries with the same ICCID and AID but different content contradict each other: the profile then has
    the policy rules of both, and an unknown state if their states differ. Without AIDs, two different entries
    may be two profiles.
    """
    key = (found.iccid, found.isdp_aid or found)
    other = profiles.setdefault(key, found)
    state = found.state if found.state is other.state else ProfileState.UNKNOWN
    pprs = tuple(dict.fromkeys((*other.pprs, *found.pprs)))
    profiles[key] = replace(other, state=state, pprs=pprs)
    return other == found


def _identifier(target: ProfileTarget) -> tuple[str, bytes]:
    return ("iccid" if isinstance(target, Iccid) else "isdpAid", bytes(target))
