"""The bound profile package: built, or signed again for another session (SGP.22 v2.5, 2.5.4)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lpad.codec.asn1 import object_identifier, tlv
from lpad.simulator.profile_package.bsp import (
    CONFIGURE_ISDP,
    KEY_LENGTH,
    KEY_TYPE_AES,
    LOAD_PROFILE_ELEMENTS,
    STORE_METADATA,
    Bsp,
    BspKeys,
)

if TYPE_CHECKING:
    from lpad.simulator.pki.credential import Credential

HOST_ID = b"lpad.simulator"
_INSTALL_BOUND_PROFILE = b"\x01"
_PACKAGE = 0xBF36
_SECURE_CHANNEL = 0xBF23
_CONFIGURE = 0xBF24
_REPLACE_SESSION_KEYS = 0xBF26


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The contents of a bound profile package.

    Attributes:
        profile: the unprotected profile package.
        metadata: element BF25.
        metadata_piece: the maximum number of bytes of metadata in one element 88.
        profile_piece: the maximum number of bytes of the profile in one element 86.
        replace_session_keys: whether element A2 contains the profile's own keys.
    """

    profile: bytes
    metadata: bytes
    metadata_piece: int = 1008
    profile_piece: int = 1007
    replace_session_keys: bool = False


def bind(
    contents: Contents, *, dp_pb: Credential, transaction_id: bytes, euicc_otpk: bytes, eid: bytes
) -> bytes:
    """Return the bound profile package for one card.

    Args:
        contents: the contents of the package.
        dp_pb: the server's credential for binding; the one-time keys are on the same curve.
        transaction_id: the session's transaction ID.
        euicc_otpk: the card's one-time public key, 04 | X | Y.
        eid: the card's EID, 16 bytes.

    Raises:
        ValueError: `euicc_otpk` is not a point of the curve.
    """
    algorithm = dp_pb.curve.algorithm
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(algorithm, euicc_otpk)
    one_time = ec.generate_private_key(algorithm)
    own_otpk = one_time.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    bsp = Bsp(BspKeys.derive(one_time.exchange(ec.ECDH(), theirs), HOST_ID, eid))
    own_oid = object_identifier.encode(dp_pb.oid or "")
    configure = tlv.encode(_CONFIGURE, tlv.encode(0xB8, tlv.encode(0x80, own_oid)))
    parts = [
        secure_channel(dp_pb, transaction_id=transaction_id, own_otpk=own_otpk, euicc_otpk=euicc_otpk),
        tlv.encode(0xA0, bsp.protect(CONFIGURE_ISDP, configure)),
        tlv.encode(
            0xA1, *bsp.protect_all(STORE_METADATA, contents.metadata, largest=contents.metadata_piece)
        ),
    ]
    if contents.replace_session_keys:
        own = BspKeys(*(secrets.token_bytes(KEY_LENGTH) for _ in range(3)))
        command = tlv.encode(
            _REPLACE_SESSION_KEYS,
            tlv.encode(0x80, own.chaining),
            tlv.encode(0x81, own.s_enc),
            tlv.encode(0x82, own.s_mac),
        )
        parts.append(tlv.encode(0xA2, bsp.protect(CONFIGURE_ISDP, command)))
        bsp.replace_session_keys(own)
    pieces = bsp.protect_all(LOAD_PROFILE_ELEMENTS, contents.profile, largest=contents.profile_piece)
    return tlv.encode(_PACKAGE, *parts, tlv.encode(0xA3, *pieces))


def bind_again(package: bytes, *, dp_pb: Credential, transaction_id: bytes, euicc_otpk: bytes) -> bytes:
    """Return `package` for another session with the same one-time keys: only the signature is new."""
    channel, *rest = tlv.parse(package).children()
    own_otpk = channel.get(0x5F49).value
    fresh = secure_channel(dp_pb, transaction_id=transaction_id, own_otpk=own_otpk, euicc_otpk=euicc_otpk)
    return tlv.encode(_PACKAGE, fresh, *(one.raw for one in rest))


def secure_channel(
    dp_pb: Credential,
    *,
    transaction_id: bytes,
    own_otpk: bytes,
    euicc_otpk: bytes,
    operation: bytes = _INSTALL_BOUND_PROFILE,
    key_type: int = KEY_TYPE_AES,
) -> bytes:
    """Return InitialiseSecureChannelRequest, signed over its fields and the card's one-time key."""
    control = tlv.encode(
        0xA6,
        tlv.encode(0x80, bytes([key_type])),
        tlv.encode(0x81, bytes([KEY_LENGTH])),
        tlv.encode(0x84, HOST_ID),
    )
    fields = (
        tlv.encode(0x82, operation)
        + tlv.encode(0x80, transaction_id)
        + control
        + tlv.encode(0x5F49, own_otpk)
    )
    signature = dp_pb.sign(fields + tlv.encode(0x5F49, euicc_otpk))
    return tlv.encode(_SECURE_CHANNEL, fields, tlv.encode(0x5F37, signature))
