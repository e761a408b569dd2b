"""InitialiseSecureChannel: the first element of a bound profile package (SGP.22 v2.5, 5.5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.isdr.installation_checks import Command, InstallationError, Reason
from lpad.simulator.euicc.isdr.one_time_keys import public_point
from lpad.simulator.profile_package.bsp import KEY_LENGTH, KEY_TYPE_AES, BspKeys

if TYPE_CHECKING:
    from lpad.simulator.euicc.chip.euicc_contents import Chip
    from lpad.simulator.euicc.isdr.session import Session

_INSTALL = 1
_SIGNED_TAGS = (0x82, 0x80, 0xA6, 0x5F49)


def open_secure_channel(chip: Chip, session: Session, request: bytes) -> BspKeys:
    """Check a request and return the session keys; nothing is stored if a check fails.

    Args:
        chip: the chip, whose EID is part of the derivation.
        session: the prepared session, with the one-time key and CERT.DPpb.
        request: the element BF23.

    Raises:
        InstallationError: a check failed; the error has the reason of the first one.
    """
    assert session.binding is not None, "prepared"
    assert session.one_time_key is not None, "prepared"
    try:
        asked = chip.schema.decode("InitialiseSecureChannelRequest", request)
        signed = b"".join(tlv.parse(request).get(tag).raw for tag in _SIGNED_TAGS)
    except MalformedError as error:
        raise _error(Reason.INCORRECT_INPUT, error.sentence) from error
    if asked["transactionId"] != session.transaction_id:
        raise _error(Reason.INVALID_TRANSACTION_ID, "another session's transaction ID")
    if asked["remoteOpId"] != _INSTALL:
        raise _error(Reason.UNSUPPORTED_REMOTE_OPERATION, f"remote operation {asked['remoteOpId']}")
    template = asked["controlRefTemplate"]
    if (template["keyType"], template["keyLen"]) != (bytes([KEY_TYPE_AES]), bytes([KEY_LENGTH])):
        raise _error(Reason.UNSUPPORTED_CRT_VALUES, "the keys are not for AES-128")
    own_point = tlv.encode(0x5F49, public_point(session.one_time_key))
    if not session.binding.credential.signed(asked["smdpSign"], signed + own_point):
        raise _error(Reason.INVALID_SIGNATURE, "smdpSign is wrong")
    try:
        other = ec.EllipticCurvePublicKey.from_encoded_point(session.one_time_key.curve, asked["smdpOtpk"])
    except ValueError as error:
        raise _error(
            Reason.INCORRECT_INPUT, "the server's one-time key is not a point of the curve"
        ) from error
    shared = session.one_time_key.exchange(ec.ECDH(), other)
    return BspKeys.derive(shared, template["hostId"], chip.eid)


def _error(reason: Reason, sentence: str) -> InstallationError:
    return InstallationError(sentence, reason, Command.INITIALISE_SECURE_CHANNEL)
