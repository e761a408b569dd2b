"""ES9+.InitiateAuthentication (SGP.22 v2.5, 5.6.1): the server proves its identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import tlv
from lpad.simulator.pki import certificate_making
from lpad.simulator.pki.credential import Credential, Curve
from lpad.simulator.pki.pki import OID_DP1
from lpad.simulator.smdp.functions import faulty_answers, status_codes
from lpad.simulator.smdp.functions.faults import FaultKind
from lpad.simulator.smdp.functions.function_call import Call, encoded
from lpad.simulator.smdp.functions.status_codes import Refusal

if TYPE_CHECKING:
    from lpad.codec.asn1.tlv import Tlv
    from lpad.simulator.smdp.functions.server_context import ServerContext

_INFO1 = 0xBF20
_SVN = 0x82
_VERIFICATION_LIST, _SIGNING_LIST = 0xA9, 0xAA
_CHALLENGE_LENGTH = 16
_OLDEST_MAJOR = 2


def initiate_authentication(site: ServerContext, call: Call) -> dict[str, str]:
    """Check address, version and CIs, in this order; start a session and sign the card's challenge.

    Raises:
        Refusal: with status code 8.8.1/3.8, 8.8.3/3.1, 8.8.2/3.1 before 8.8.4/3.7, or 1.6/2.1.
    """
    told = call.text("smdpAddress")
    challenge = call.data("euiccChallenge")
    info1 = call.element("euiccInfo1", _INFO1)
    if len(challenge) != _CHALLENGE_LENGTH:
        raise Refusal(status_codes.INVALID_REQUEST, subject_identifier="euiccChallenge")
    address = site.own_name(told)
    if address is None:
        raise Refusal(status_codes.ADDRESS_REFUSED, subject_identifier=told)
    svn, verification, signing = _read_info1(info1)
    if not svn or svn[0] < _OLDEST_MAJOR:
        raise Refusal(status_codes.SVN_UNSUPPORTED, subject_identifier=".".join(map(str, svn)))
    ci = next((ci for key_id in signing if (ci := site.ci(key_id)) is not None), None)
    if ci is None:
        raise Refusal(status_codes.SIGNING_CI_UNSUPPORTED)
    for key_id in verification:
        dp_auth, dp_pb = site.dp_auth(key_id), site.dp_pb(key_id)
        if dp_auth is not None and dp_pb is not None:
            break
    else:
        raise Refusal(status_codes.NO_SERVER_CERTIFICATE)
    session = site.sessions.start(address=address, ci=ci, dp_auth=dp_auth, dp_pb=dp_pb)
    signer = _signer(site, call, dp_auth, dp_pb)
    signed1 = tlv.encode(
        0x30,
        tlv.encode(0x80, faulty_answers.transaction_id(call.faults, session.transaction_id)),
        tlv.encode(0x81, faulty_answers.challenge(call.faults, challenge)),
        tlv.encode(0x83, call.faults.value(FaultKind.SIGNED_ADDRESS, address).encode()),
        tlv.encode(0x84, session.server_challenge),
    )
    chosen = faulty_answers.signing_ci(call.faults, ci.key_id)
    return {
        "transactionId": session.transaction_id.hex().upper(),
        "serverSigned1": encoded(signed1),
        "serverSignature1": encoded(tlv.encode(0x5F37, signer.sign(signed1))),
        "euiccCiPKIdToBeUsed": encoded(tlv.encode(0x04, chosen)),
        "serverCertificate": encoded(signer.der),
    }


def _signer(site: ServerContext, call: Call, dp_auth: Credential, dp_pb: Credential) -> Credential:
    if FaultKind.UNKNOWN_CI in call.faults:
        stranger = certificate_making.make_ci(Curve.NIST, name="Unknown CI")
        return certificate_making.make_dp(stranger, certificate_making.ROLE_DP_AUTH, oid=OID_DP1)
    if FaultKind.OTHER_OID in call.faults:
        return site.pki.dp2_auth[dp_auth.curve]
    return dp_pb if FaultKind.OTHER_ROLE in call.faults else dp_auth


def _read_info1(info1: Tlv) -> tuple[bytes, list[bytes], list[bytes]]:
    """Return the card's version, the CIs that it trusts, and the CIs under which it can sign."""
    try:
        return (
            info1.get(_SVN).value,
            [one.value for one in info1.get(_VERIFICATION_LIST).children()],
            [one.value for one in info1.get(_SIGNING_LIST).children()],
        )
    except MalformedError as error:
        raise Refusal(status_codes.INVALID_REQUEST, subject_identifier="euiccInfo1") from error
