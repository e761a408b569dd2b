"""The card that signed a notification, identified by the transaction or by the enclosed chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.simulator.pki.credential import Credential, authority_key_id, read_certificate
from lpad.simulator.smdp.functions.card_certificates import verify_chain
from lpad.simulator.smdp.functions.status_codes import Refusal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ec

    from lpad.codec.asn1.tlv import Tlv
    from lpad.simulator.smdp.functions.server_context import ServerContext


@dataclass(frozen=True, slots=True)
class Signer:
    """A card that the server trusts: its public key and EID."""

    key: ec.EllipticCurvePublicKey
    eid: str


def signer_of_result(site: ServerContext, transaction_id: bytes) -> Signer | None:
    """Return the card of a transaction, in which the card's chain was verified; None: unknown transaction."""
    transaction = site.transactions.get(transaction_id)
    if transaction is None:
        return None
    return Signer(Credential(read_certificate(transaction.euicc)).public_key, transaction.eid)


def signer_of_other(site: ServerContext, element: Tlv) -> Signer | None:
    """Return the card whose certificates an OtherSignedNotification contains; None if they are invalid."""
    certificates = [child.raw for child in element.children() if child.tag == 0x30]
    if len(certificates) < 2:
        return None
    try:
        ci = site.ci(authority_key_id(read_certificate(certificates[1])) or b"")
        if ci is None:
            return None
        euicc, eid = verify_chain(certificates[0], certificates[1], ci)
    except (Refusal, MalformedError):
        return None
    return Signer(euicc.public_key, eid.digits)
