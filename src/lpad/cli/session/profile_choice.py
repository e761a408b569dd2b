"""The choice of a profile by ICCID, AID, the last digits of the ICCID, nickname or name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lpad.cli.terminal.output import safe
from lpad.client import ApiError

if TYPE_CHECKING:
    from lpad.client import Client, Profile, ProfileList, UnreadableProfile

_ICCID = re.compile(r"[0-9A-E]{18,20}F{0,2}")
_AID = re.compile(r"(?:[0-9A-F]{2}){11,16}")
"""Names that can be used without reading the card: a usual ICCID, or an AID."""
_TAIL = re.compile(r"[0-9A-E]{4,20}")


def named_profile(client: Client, euicc: str, text: str) -> str:
    """Return the ICCID of the chosen profile, or its AID if the ICCID is ambiguous or missing.

    Raises:
        ApiError: no profile matches, or several do; the sentence lists the candidates.
    """
    digits = re.sub(r"[\s-]", "", text).upper()
    iccid = digits.rstrip("F")
    whole = iccid if _ICCID.fullmatch(digits) else digits if _AID.fullmatch(digits) else None
    try:
        found = client.profile_list(euicc)
    except ApiError:
        if whole is None:
            raise
        return whole
    exact = [each for each in all_of(found) if digits == each.isdp_aid or (iccid and iccid == each.iccid)]
    if len(exact) > 1:
        return iccid  # the daemon's error lists the profiles
    if whole is not None and not exact:
        return whole
    fitting = exact or [each for each in all_of(found) if _fits(each, text)]
    if len(fitting) != 1:
        raise _unclear(found, euicc, text, fitting)
    address = address_of(found, fitting[0])
    if address is None:
        raise ApiError(
            f"the card {euicc} reports neither an ICCID nor an AID for '{safe(text)}'", kind="not-found"
        )
    return address


def _unclear(
    found: ProfileList, euicc: str, text: str, fitting: list[Profile | UnreadableProfile]
) -> ApiError:
    """Return the error about a name that matches no profile, or several; it lists the candidates."""
    candidates = fitting or list(all_of(found))
    listed = [
        " ".join(part for part in (address_of(found, each), each.nickname or each.name) if part)
        for each in candidates
    ]
    known = safe("; ".join(listed)) or "none"
    sentence = (
        f"several profiles on {euicc} match '{safe(text)}'; use the ICCID of one of them: {known}"
        if fitting
        else f"no profile on {euicc} matches '{safe(text)}'; the card has: {known}"
    )
    return ApiError(sentence, kind="conflict" if fitting else "not-found", details={"candidates": listed})


def address_of(found: ProfileList, profile: Profile | UnreadableProfile) -> str | None:
    """Return the ICCID if it is unambiguous, otherwise the AID; None if the card reports neither."""
    shared = sum(each.iccid == profile.iccid for each in all_of(found)) > 1
    if profile in found.profiles and not shared:
        return profile.iccid
    return profile.isdp_aid or (None if shared else profile.iccid)


def all_of(found: ProfileList) -> tuple[Profile | UnreadableProfile, ...]:
    """Return the profiles on a card, the unreadable ones last."""
    return (*found.profiles, *found.unreadable)


def is_odd(found: ProfileList) -> bool:
    """Return whether a profile cannot be read, or shares its ICCID with another profile."""
    iccids = [each.iccid for each in found.profiles]
    return bool(found.unreadable) or len(set(iccids)) < len(iccids)


def unreadable_line(euicc: str, unreadable: tuple[UnreadableProfile, ...]) -> str | None:
    """Return a line about the unreadable entries of a card's list; None if there are none."""
    if not unreadable:
        return None
    told = ", ".join(_told(each) for each in unreadable)
    return (
        f"{euicc}: {len(unreadable)} of the entries in the card's list of profiles cannot be read ({told}); a"
        " profile that is not in the list may be one of them"
    )


def _told(entry: UnreadableProfile) -> str:
    if entry.isdp_aid is not None:
        return f"AID {entry.isdp_aid}"
    return f"ICCID {entry.iccid or entry.raw_iccid}" if entry.raw_iccid else "without ICCID and AID"


def _fits(profile: Profile | UnreadableProfile, text: str) -> bool:
    digits = text.upper()
    tail = bool(_TAIL.fullmatch(digits)) and profile.iccid is not None and profile.iccid.endswith(digits)
    return tail or text in (profile.nickname, profile.name)
