"""The profiles on a card, including unreadable ones, and the lookup of a profile by name.

A profile's address is its ICCID. If the card reports no ICCID for a profile, or the same ICCID for two
profiles, the address is the AID of its security domain (ISD-P). If an entry cannot be read, lpad does not
know whether a profile is missing, because that entry may be the profile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import Conflict, NotFound
from lpad.base.frozen import Frozen
from lpad.base.identifiers import Iccid
from lpad.engine.snapshot.profile import Profile, UnreadableProfile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.protocol.iccid_answer import IccidReport


Listed = Profile | UnreadableProfile

SURE_STATES = ("enabled", "disabled")
_NOT_OPERATIONAL = ("test", "provisioning")
_LONGEST_ICCID = 20


class ProfileList(Frozen):
    """A card's profiles in the card's order: `profiles` with valid ICCIDs, and `unreadable` entries."""

    profiles: tuple[Profile, ...] = ()
    unreadable: tuple[UnreadableProfile, ...] = ()

    def __iter__(self) -> Iterator[Listed]:
        """Iterate over all profiles, the unreadable ones last."""
        yield from self.profiles
        yield from self.unreadable

    @property
    def enabled(self) -> Listed | None:
        """The first profile that the list shows as enabled, or None (see `complete` and `contested`)."""
        return next((each for each in self if each.enabled), None)

    @property
    def contested(self) -> bool:
        """Whether the card reports several profiles as enabled, so that the enabled one is unknown."""
        return len({each.isdp_aid or each.iccid or id(each) for each in self if each.enabled}) > 1

    def enabled_for(self, reads: IccidReport | None) -> Listed | None:
        """Return the enabled profile that the modem reads; None if lpad does not know it."""
        found = [
            each
            for each in self.profiles
            if each.enabled and reads is not None and reads.names(Iccid.parse(each.iccid))
        ]
        return found[0] if len(found) == 1 else None

    @property
    def complete(self) -> bool:
        """Whether every profile and state is readable, so that an unlisted profile is not on the card."""
        return not self.unreadable and all(each.state in SURE_STATES for each in self.profiles)

    def proves_card_of(self, before: ProfileList) -> bool:
        """Return whether an earlier list certainly comes from the same card: only states of profiles differ.

        An operational profile is on one card only; test profiles may be on many.
        """
        names = {(each.iccid, each.isdp_aid) for each in self.profiles}
        return (
            any(each.profile_class == "operational" for each in self.profiles)
            and not (self.unreadable or before.unreadable)
            and names == {(each.iccid, each.isdp_aid) for each in before.profiles}
        )

    @property
    def certainly_unprovided(self) -> bool:
        """Whether the card certainly contains only test and provisioning profiles."""
        return not self.unreadable and all(each.profile_class in _NOT_OPERATIONAL for each in self.profiles)

    @property
    def enabled_address(self) -> str | None:
        """The address of the enabled profile; None: no profile is enabled, or its address is ambiguous."""
        return None if self.enabled is None else self.address(self.enabled)

    def find(self, name: str) -> Listed | None:
        """Return the profile with this ICCID or AID, in canonical form; None: the list has none.

        Raises:
            Conflict: several profiles have this ICCID; the details contain their AIDs as `candidates`.
        """
        found = self._by_iccid(name) or self._by_aid(name)
        if len(found) > 1:
            raise _ambiguous(name, found)
        return found[0] if found else None

    def named(self, name: str | None) -> Listed | None:
        """Return the profile that `find` returns; None if there is none or if several profiles match."""
        found = (self._by_iccid(name) or self._by_aid(name)) if name is not None else []
        return found[0] if len(found) == 1 else None

    def address(self, profile: Listed) -> str | None:
        """Return the unambiguous name of this profile; None if there is no such name.

        The ICCID in a broken entry may be wrong, so for a broken entry the AID is preferred.
        """
        names = [profile.iccid, profile.isdp_aid]
        for name in names if profile in self.profiles else reversed(names):
            if name is not None and self.named(name) is profile:
                return name
        return None

    def same(self, profile: Listed) -> Listed | None:
        """Return this list's only entry for a profile in another list of the card; None if unclear."""
        if profile.isdp_aid is not None and (found := self._by_aid(profile.isdp_aid)):
            return found[0] if len(found) == 1 else None
        found = [
            each for each in self._by_iccid(profile.iccid or "") if _may_be(each.isdp_aid, profile.isdp_aid)
        ]
        return found[0] if len(found) == 1 else None

    def lacks(self, profile: Listed) -> bool:
        """Return whether an earlier profile is certainly no longer on the card."""
        return not any(
            _may_be(each.isdp_aid, profile.isdp_aid) and _may_be(_sure_iccid(each), profile.iccid)
            for each in self
        )

    def lacks_name(self, name: str) -> bool:
        """Return whether the card certainly contains no profile with this ICCID or AID."""
        return not any(_may_have(each, name) for each in self)

    def unlisted(self, name: str, *, aid: str | None = None) -> UnreadableProfile | None:
        """Return an unlisted profile that may be an unreadable entry; None if the card lacks the profile."""
        if not self.unreadable or self.lacks_name(name):
            return None
        if len(name) > _LONGEST_ICCID:
            return UnreadableProfile(isdp_aid=name)
        return UnreadableProfile(iccid=name, isdp_aid=aid)

    def holds(self, profile: Listed) -> bool:
        """Return whether the list contains this same object, and not only an equal entry."""
        return any(each is profile for each in self)

    def means(self, name: str | None, profile: Listed | None) -> bool:
        """Return whether a name (an ICCID or AID) identifies this profile only."""
        return profile is not None and self.named(name) is profile

    def missing(self, name: str, *, attempted: str) -> NotFound | Conflict:
        """Return the error for a profile that `find` has not found."""
        if self.lacks_name(name):
            return NotFound(
                f"cannot {attempted}: the card contains no profile {name}; 'lpactl profiles' lists its"
                " profiles"
            )
        why = "the card gives no AID for some profiles; name the profile by its ICCID"
        if self.unreadable:
            why = (
                f"{len(self.unreadable)} of the entries in the card's list of profiles cannot be read; name"
                " the profile by its AID"
            )
        return Conflict(
            f"cannot {attempted} profile {name}: lpad does not know whether the card contains it, "
            f"because {why}, which 'lpactl profiles' shows if the card reports it",
            unreadable=len(self.unreadable),
        )

    def _by_iccid(self, name: str) -> list[Listed]:
        # The ICCID of a broken entry must not make the ICCID of an intact entry ambiguous.
        whole = [each for each in self.profiles if each.iccid == name]
        return [*whole] or [each for each in self.unreadable if each.iccid == name]

    def _by_aid(self, name: str) -> list[Listed]:
        return [each for each in self if each.isdp_aid is not None and name in _spellings(each.isdp_aid)]


def _spellings(aid: str) -> tuple[str, ...]:
    """Return the spellings of an AID; a short AID that ends in F could be an ICCID with padding."""
    return (aid,) if len(aid) > _LONGEST_ICCID else (aid, aid.rstrip("F"))


def _may_be(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


def _may_have(profile: Listed, name: str) -> bool:
    if name == profile.iccid or (profile.isdp_aid is not None and name in _spellings(profile.isdp_aid)):
        return True
    return (profile.isdp_aid if len(name) > _LONGEST_ICCID else _sure_iccid(profile)) is None


def _sure_iccid(profile: Listed) -> str | None:
    return profile.iccid if profile.sure else None


def _ambiguous(name: str, found: list[Listed]) -> Conflict:
    candidates = ", ".join(each.isdp_aid or "a profile without an AID" for each in found)
    return Conflict(
        f"{len(found)} profiles on the card match {name}; name the profile by its AID: {candidates}",
        candidates=candidates,
    )
