"""The LPA's checks of a server's answers before the card gets them (SGP.22 v2.5, 3.1.2 and 3.1.3).

The card verifies signatures and certificates. The LPA compares the answers with facts that the
card does not know: the contacted server, the LPA's requests, and the server's earlier answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.errors import (
    MalformedError,
    ServerListsEvents,
    ServerMalformed,
    ServerUntrusted,
    blamed_on,
)
from lpad.base.frozen import Frozen
from lpad.codec.asn1 import tlv
from lpad.codec.bound_profile import BoundProfile
from lpad.codec.messages.authentication import ServerSigned1
from lpad.codec.messages.metadata import ProfileMetadata
from lpad.codec.messages.prepare_download import SmdpSigned2
from lpad.codec.x509.certificate_holder_and_role import Certificate, Role
from lpad.remote.es9plus import Interface

if TYPE_CHECKING:
    from lpad.base.identifiers import TransactionId
    from lpad.base.server_address import ServerAddress
    from lpad.codec.es9plus import (
        AuthenticateClientAnswer,
        GetBoundProfilePackageAnswer,
        InitiateAuthenticationAnswer,
    )
    from lpad.codec.es11_event_entries import EventEntries
    from lpad.codec.messages.euicc_info import EuiccInfo1

_SIGNATURE = 0x5F37
_OCTET_STRING = 0x04
_OTHER_SESSION = "the server changed its transaction ID within the session"


class Offered(Frozen):
    """The decoded content of the server's answer to AuthenticateClient."""

    metadata: ProfileMetadata
    smdp_signed2: SmdpSigned2


def check_authentication(
    answer: InitiateAuthenticationAnswer,
    *,
    address: ServerAddress,
    challenge: bytes,
    info1: EuiccInfo1,
    smdp_oid: str | None,
    interface: Interface = Interface.ES9_PLUS,
) -> Certificate:
    """Check the answer to InitiateAuthentication; return the server's certificate.

    Raises:
        ServerUntrusted: the answering server is not the intended server.
        ServerMalformed: the answer breaks its grammar or contradicts itself.
    """
    attempted = f"{interface}.InitiateAuthentication"
    with blamed_on(ServerMalformed, attempted):
        signed = ServerSigned1.decode(answer.server_signed1)
        _expect(answer.server_signature1, _SIGNATURE, "serverSignature1")
        ci_key = _expect(answer.euicc_ci_pk_id_to_be_used, _OCTET_STRING, "euiccCiPKIdToBeUsed").value
        certificate = Certificate.decode(answer.server_certificate)
    if not address.names(signed.server_address):
        raise ServerUntrusted(
            f"{attempted}: the server that answers at {address} signs as another server; check the address",
            cause="other-address",
        )
    if signed.transaction_id != answer.transaction_id:
        raise _contradiction(
            attempted,
            "the transaction ID that the server signed differs from the transaction ID that it sent",
        )
    if signed.euicc_challenge != challenge:
        raise _contradiction(attempted, "the server signed a challenge other than the card's")
    if ci_key not in (*info1.ci_signing, *info1.ci_signing_v3):
        raise _contradiction(
            attempted, "the server asks the card to sign under an eSIM CA that the card does not have"
        )
    # `check_role` reports an SM-DS in place of the SM-DP+.
    if smdp_oid is not None and not _is_smds(certificate) and smdp_oid not in certificate.registered_ids:
        raise ServerUntrusted(
            f"{attempted}: the activation code is for the SM-DP+ {smdp_oid}, but the server at {address} "
            f"is {' '.join(certificate.registered_ids) or 'without OID'}; check the activation code",
            cause="other-oid",
        )
    return certificate


def check_role(certificate: Certificate, *, address: ServerAddress) -> None:
    """Check that a server that must provide a profile is not an SM-DS, which the card would accept.

    Raises:
        ServerListsEvents: the server's certificate has the role of an SM-DS only.
    """
    if _is_smds(certificate):
        raise lists_events(address)


def _is_smds(certificate: Certificate) -> bool:
    return Role.DS_AUTH in certificate.roles and Role.DP_AUTH not in certificate.roles


def check_events(answer: EventEntries, *, transaction_id: TransactionId) -> None:
    """Check that an SM-DS's events belong to the session.

    Raises:
        ServerMalformed: the events belong to another session.
    """
    if answer.transaction_id != transaction_id:
        raise _contradiction("ES11.AuthenticateClient", _OTHER_SESSION)


def lists_events(address: ServerAddress) -> ServerListsEvents:
    """Return the error for an SM-DS that was asked for a profile."""
    return ServerListsEvents(
        f"the server at {address} is an SM-DS: it has no profiles, but lists the servers that have one for"
        f" this card; ask it with 'lpactl discover --server {address}'"
    )


def check_offer(
    answer: AuthenticateClientAnswer, *, transaction_id: TransactionId, dp_auth: Certificate
) -> Offered:
    """Check the answer to AuthenticateClient and return its offer.

    Raises:
        ServerUntrusted: the certificates for authentication and for binding belong to different servers.
        ServerMalformed: the answer breaks its grammar or contradicts itself.
    """
    attempted = "ES9+.AuthenticateClient"
    with blamed_on(ServerMalformed, attempted):
        metadata = ProfileMetadata.decode(answer.profile_metadata)
        signed = SmdpSigned2.decode(answer.smdp_signed2)
        _expect(answer.smdp_signature2, _SIGNATURE, "smdpSignature2")
        dp_pb = Certificate.decode(answer.smdp_certificate)
    if not transaction_id == answer.transaction_id == signed.transaction_id:
        raise _contradiction(attempted, _OTHER_SESSION)
    if dp_auth.registered_ids and dp_pb.registered_ids and dp_auth.registered_ids != dp_pb.registered_ids:
        raise ServerUntrusted(
            f"{attempted}: an SM-DP+ other than the authenticated one bound the profile;"
            " report this to the operator",
            cause="other-oid",
        )
    return Offered(metadata, signed)


def check_package(answer: GetBoundProfilePackageAnswer, *, transaction_id: TransactionId) -> BoundProfile:
    """Check a package's structure and session, and return the parsed package.

    Raises:
        ServerMalformed: the package is invalid; nothing of it was sent to the card.
    """
    attempted = "ES9+.GetBoundProfilePackage"
    with blamed_on(ServerMalformed, attempted):
        bound = BoundProfile.parse(answer.bound_profile_package)
    if not transaction_id == answer.transaction_id == bound.transaction_id:
        raise _contradiction(attempted, "the package belongs to another session")
    return bound


def same_profile(shown: ProfileMetadata, packed: ProfileMetadata) -> bool:
    """Return whether the package contains the offered profile.

    The decoded content is compared, not the bytes, because the offer may contain service-specific data that
    is not for the card (SGP.22 v2.5, 5.5.3).
    """
    return replace(shown, raw=b"") == replace(packed, raw=b"")


def _expect(raw: bytes, tag: int, name: str) -> tlv.Tlv:
    element = tlv.parse(raw)
    if element.tag != tag:
        raise MalformedError(f"{name} has the tag {element.tag:02X} instead of {tag:02X}")
    return element


def _contradiction(attempted: str, what: str) -> ServerMalformed:
    return ServerMalformed(f"{attempted}: {what}; try again; if this persists, report it to the operator")
