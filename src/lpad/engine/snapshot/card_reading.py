"""Reads a card into the parts of a snapshot, and translates the codec's types into the API's."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct

from lpad.base.errors import CardMalformed, CardRefused, CardStatus, InvalidValue, LpadError, MalformedError
from lpad.base.identifiers import profile_target
from lpad.codec.messages.installation_result import InstallationError, ProfileInstallationResult
from lpad.codec.messages.profile_info import ICON_TAGS, TAGS_WITHOUT_ICON
from lpad.codec.x509.known_certificate_issuers import issuer_named
from lpad.engine.change.results import NotificationAddress, Owner, ShownProfile
from lpad.engine.snapshot.profile import Profile, UnreadableProfile
from lpad.engine.snapshot.profile_list import Listed, ProfileList
from lpad.engine.snapshot.snapshot import Addresses, CardInfo, CertificateIssuer, Icon, Memory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lpad.base.deadline import Deadline
    from lpad.codec.messages import profile_info as codec
    from lpad.codec.messages.euicc_info import EuiccInfo2
    from lpad.codec.messages.metadata import NotificationTarget, OperatorId
    from lpad.codec.messages.profile_info import ProfileInfo
    from lpad.engine.snapshot.snapshot import Snapshot
    from lpad.lpa.download import Offer
    from lpad.lpa.euicc import Euicc

_ICON_TYPE_TAG, _ICON_TAG = ICON_TAGS
log = logging.getLogger(__name__)
_T = TypeVar("_T")

PATIENCE = 20.0
"""Seconds for reading each part of a card's information that no switch needs."""
# An icon is up to a kilobyte and never changes: lpad reads its type each time, but the icon only once.
_TAGS = (*TAGS_WITHOUT_ICON, _ICON_TYPE_TAG)
_PNG = b"\x89PNG"


class CardReading(Struct, frozen=True, kw_only=True):
    """The result of one reading of a card; None for parts without a readable value."""

    eid: str
    info: CardInfo | None
    addresses: Addresses | None
    listed: ProfileList


def read_card(
    euicc: Euicc,
    *,
    known: Snapshot | None,
    switched: ProfileList | None = None,
    eid: str | None = None,
    deadline: Deadline,
) -> CardReading:
    """Read a card.

    No switch needs the card's information or addresses, so unreadable parts of these are None or unchanged.

    Args:
        euicc: an open ISD-R.
        known: the previous reading, whose addresses are reused, because few changes alter them. None reads
            everything.
        switched: the profile list that this session has read after a switch. A switch does not alter the
            memory, so the known information is reused, and the known EID if the list proves that the card is
            the same.
        eid: the EID that the card has proven in this session; None reads it.

    Raises:
        CardError: the card's EID or profiles cannot be read.
    """
    if switched is not None and known is not None and switched.proves_card_of(known.listed):
        eid = known.eid
    eid = eid or str(euicc.get_eid(deadline=deadline))
    before = known if known is not None and known.eid == eid else None
    info = None
    if switched is None or before is None or before.info is None:
        info = optional(
            "the card's information",
            lambda: _info(euicc.get_euicc_info2(deadline=deadline.within(PATIENCE))),
        )
    addresses = before.addresses if before is not None else None
    return CardReading(
        eid=eid,
        info=info or (before.info if before is not None else None),
        addresses=addresses
        or optional(
            "the card's addresses", lambda: read_addresses(euicc, deadline=deadline.within(PATIENCE))
        ),
        listed=switched if switched is not None else read_profiles(euicc, deadline=deadline),
    )


def optional(what: str, read: Callable[[], _T]) -> _T | None:
    """Return the result of `read`; None if the card refuses or answers incorrectly, or lpad has a fault.

    Raises:
        CardUnreachable, CardBusy: the card does not answer.
    """
    try:
        return read()
    except (CardRefused, CardMalformed, CardStatus, MalformedError, InvalidValue) as error:
        log.warning("cannot read %s: %s (%s)", what, error, error.kind)
    except LpadError:
        raise
    except Exception:
        # A fault of the card or of lpad here must not block the caller, which needs something else from
        # the card.
        log.exception("%s: internal-error", what)
    return None


def read_addresses(euicc: Euicc, *, deadline: Deadline) -> Addresses:
    """Read and return the addresses of the default SM-DP+ and the root SM-DS."""
    found = euicc.get_euicc_configured_addresses(deadline=deadline)
    return Addresses(default_smdp=found.default_dp_address, root_smds=found.root_ds_address)


def read_profiles(euicc: Euicc, *, deadline: Deadline) -> ProfileList:
    """Read and return the list of profiles, without their icons."""
    found = euicc.list_profiles(tags=_TAGS, deadline=deadline)
    profiles: list[Profile] = []
    unread = list(map(_unreadable, found.unread))
    for info in found.profiles:
        profile = optional(f"the profile with AID {info.isdp_aid}", partial(_profile, info))
        if profile is not None:
            profiles.append(profile)
        else:
            unread.append(_least(info))
    return ProfileList(tuple(profiles), tuple(unread))


def read_icon(euicc: Euicc, address: str, *, deadline: Deadline) -> Icon | None:
    """Read one profile's icon, by its ICCID or AID; None if the profile has no icon."""
    found = euicc.get_profiles_info(
        search=profile_target(address), tags=(0x5A, 0x4F, _ICON_TYPE_TAG, _ICON_TAG), deadline=deadline
    )
    icon = next((each.icon for each in found if address in (str(each.iccid), str(each.isdp_aid))), None)
    return _icon(icon)


def classes(*, operational: bool, test: bool) -> set[str]:
    """Return the classes of profiles that a memory reset deletes."""
    return {name for name, taken in (("operational", operational), ("test", test)) if taken}


def offered_profile(offer: Offer) -> Profile:
    """Return a server's offer in the form of a profile."""
    return Profile(
        iccid=str(offer.iccid),
        profile_class=offer.profile_class,
        name=offer.profile_name,
        provider=offer.service_provider_name,
        owner=_owner(offer.owner),
        policy_rules=offer.policy_rules,
        icon_type=_media_type(offer.icon) if offer.icon else None,
    )


def offered_icon(offer: Offer) -> Icon | None:
    """Return the icon in a server's offer; None if there is none."""
    return _icon(offer.icon)


def shown(profile: Listed | None) -> ShownProfile | None:
    """Return a profile in the form for a change's question or result; None for None."""
    return None if profile is None else msgspec.convert(profile, ShownProfile, from_attributes=True)


def installation_error(raw: bytes) -> CardRefused | None:
    """Return the error in a ProfileInstallationResult; None if it reports success or cannot be read."""
    try:
        result = ProfileInstallationResult.decode(raw)
    except MalformedError:
        return None
    if result.error is None:
        return None
    return CardRefused(
        f"the card did not install the profile: {result.error.reason}; lpad learned this after a restart",
        function="ES10b.LoadBoundProfilePackage",
        code=result.error.value,
        reason=result.error.reason,
        command=result.command.reason if result.command else "",
        retryable=result.error in (InstallationError.INSUFFICIENT_MEMORY, InstallationError.INTERRUPTION),
    )


def _info(info: EuiccInfo2) -> CardInfo:
    return CardInfo(
        svn=info.svn,
        profile_version=info.profile_version,
        firmware=info.firmware_version,
        memory=Memory(
            free_non_volatile=info.resources.free_non_volatile_memory,
            free_volatile=info.resources.free_volatile_memory,
            installed_applications=info.resources.installed_applications,
        ),
        ci_ids_for_verification=tuple(key.hex() for key in info.ci_verification),
        ci_ids_for_signing=tuple(key.hex() for key in info.ci_signing),
        certificate_issuers=_issuers(info.ci_verification, info.ci_signing),
        uicc_capability=info.uicc_capabilities,
        rsp_capability=info.rsp_capabilities,
        forbidden_policy_rules=info.forbidden_pprs,
        globalplatform_version=info.globalplatform_version,
        java_card_version=info.javacard_version,
        category=info.category,
        protection_profile_version=info.pp_version,
        sas_accreditation_number=info.sas_accreditation_number,
    )


def _issuers(verification: Sequence[bytes], signing: Sequence[bytes]) -> tuple[CertificateIssuer, ...]:
    """Return the CIs of the two lists of a card, each once, in the card's order."""
    return tuple(
        CertificateIssuer(
            key_id=key_id.hex(),
            name=known.name if (known := issuer_named(key_id)) else None,
            test=known is not None and known.test,
            verification=key_id in verification,
            signing=key_id in signing,
        )
        for key_id in dict.fromkeys((*verification, *signing))
    )


def _profile(info: ProfileInfo) -> Profile:
    return Profile(
        iccid=str(info.iccid),
        state=info.state.value,
        # SGP.22 defines operational as the default if a card omits the class.
        profile_class=info.profile_class.value if info.profile_class else "operational",
        name=info.name,
        provider=info.service_provider_name,
        nickname=info.nickname,
        isdp_aid=str(info.isdp_aid) if info.isdp_aid else None,
        icon_type=info.icon_type,
        owner=_owner(info.owner),
        policy_rules=info.pprs,
        notification_addresses=tuple(map(_address, info.notification_targets)),
    )


def _least(info: ProfileInfo) -> UnreadableProfile:
    """Return a profile's identifiers, even if the rest of its record is invalid."""
    return UnreadableProfile(
        iccid=str(info.iccid),
        raw_iccid=bytes(info.iccid).hex().upper(),
        isdp_aid=str(info.isdp_aid) if info.isdp_aid else None,
        state=info.state.value,
    )


def _unreadable(entry: codec.UnreadableProfile) -> UnreadableProfile:
    return UnreadableProfile(
        iccid=str(entry.iccid) if entry.iccid else None,
        raw_iccid=entry.raw_iccid.hex().upper() if entry.raw_iccid is not None else None,
        isdp_aid=str(entry.isdp_aid) if entry.isdp_aid else None,
        state=entry.state.value,
        profile_class=entry.profile_class.value if entry.profile_class else None,
        name=entry.name,
        provider=entry.service_provider_name,
        nickname=entry.nickname,
        policy_rules=entry.pprs,
        whole=entry.whole,
    )


def _owner(owner: OperatorId | None) -> Owner | None:
    if owner is None:
        return None
    return Owner(
        mcc_mnc=f"{owner.mcc}-{owner.mnc}",
        gid1=owner.gid1.hex() if owner.gid1 is not None else None,
        gid2=owner.gid2.hex() if owner.gid2 is not None else None,
    )


def _address(target: NotificationTarget) -> NotificationAddress:
    return NotificationAddress(address=target.address, events=tuple(event.value for event in target.events))


def _icon(data: bytes | None) -> Icon | None:
    return Icon(media_type=_media_type(data), data=data) if data else None


def _media_type(data: bytes) -> str:
    """Return the media type of an icon by its data; the type from cards and servers is sometimes wrong."""
    return "image/png" if data.startswith(_PNG) else "image/jpeg"
