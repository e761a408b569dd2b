"""Common mutual authentication of card and server (SGP.22 v2.5, 3.1.2).

A download and a query to an SM-DS both begin with this authentication. Each step stores its result for
later steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.codec.messages.authentication import AuthenticateServerRequest, CtxParams1
from lpad.codec.messages.euicc_info import DEVICE_INFO_EXTENSIBILITY
from lpad.lpa import server_answer_checks
from lpad.lpa.swapped_card import check_proof

if TYPE_CHECKING:
    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import TransactionId
    from lpad.codec.es9plus import AuthenticateClientAnswer, InitiateAuthenticationAnswer
    from lpad.codec.es11_event_entries import EventEntries
    from lpad.codec.messages.authentication import DeviceInfo
    from lpad.codec.messages.euicc_info import EuiccInfo1, EuiccInfo2
    from lpad.codec.x509.certificate_holder_and_role import Certificate
    from lpad.lpa.euicc import Euicc
    from lpad.remote.es9plus import Es9Plus, Interface

# Radio technologies whose elements only cards with deviceInfoExtensibilitySupport recognize.
_LATER_RADIOS = ("nr_epc", "nr_5gc", "eutran_5gc")


class MutualAuthentication:
    """One authentication, step by step; the caller must call the methods in their order."""

    opened: InitiateAuthenticationAnswer
    """The server's answer to InitiateAuthentication, checked."""
    certificate: Certificate
    """The server's certificate: CERT.DPauth, or CERT.DSauth of an SM-DS."""
    _info1: EuiccInfo1
    _challenge: bytes
    _card_proof: bytes

    def __init__(
        self, euicc: Euicc, server: Es9Plus, *, device: DeviceInfo, eid: str | None, interface: Interface
    ) -> None:
        """Create the authentication from its participants.

        Args:
            euicc: an open ISD-R.
            server: the server, whose connection remains open.
            device: TAC, IMEI and capabilities of the device, for the card and the server.
            eid: EID of the intended card; None: any card.
            interface: the interface over which the server is called.
        """
        self._euicc = euicc
        self._server = server
        self._device = device
        self._eid = eid
        self._interface = interface
        self._info2: EuiccInfo2 | None = None
        self.proven_eid: str | None = None
        """The intended EID, once the card has proven that this is its EID; None: not yet, or any card."""

    @property
    def transaction_id(self) -> TransactionId:
        """The session's transaction ID."""
        return self.opened.transaction_id

    def get_euicc_info1(self, *, deadline: Deadline) -> None:
        """Ask the card for EUICCInfo1."""
        self._info1 = self._euicc.get_euicc_info1(deadline=deadline)

    def get_euicc_challenge(self, *, deadline: Deadline) -> None:
        """Have the card open a session, which ends any open session."""
        self._challenge = self._euicc.get_euicc_challenge(deadline=deadline)

    def initiate_authentication(self, *, smdp_oid: str | None = None, deadline: Deadline) -> None:
        """Have the server prove its identity, as far as the LPA can check this.

        Args:
            smdp_oid: dotted OID that the server's certificate must contain; None: any.

        Raises:
            ServerError: raised by `Es9Plus.initiate_authentication` or `check_authentication`.
        """
        self.opened = self._server.initiate_authentication(
            euicc_challenge=self._challenge,
            euicc_info1=self._info1.raw,
            interface=self._interface,
            deadline=deadline,
        )
        self.certificate = server_answer_checks.check_authentication(
            self.opened,
            address=self._server.address,
            challenge=self._challenge,
            info1=self._info1,
            smdp_oid=smdp_oid,
            interface=self._interface,
        )

    def authentication_request(
        self, matching_id: str | None, *, deadline: Deadline
    ) -> AuthenticateServerRequest:
        """Return the request for the card, with the order or event that the device requests from the server.

        Args:
            matching_id: the order or the event; see `CtxParams1`.
        """
        return AuthenticateServerRequest(
            server_signed1=self.opened.server_signed1,
            server_signature1=self.opened.server_signature1,
            euicc_ci_pk_id_to_be_used=self.opened.euicc_ci_pk_id_to_be_used,
            server_certificate=self.opened.server_certificate,
            ctx_params1=self._ctx_params1(matching_id, deadline=deadline),
        )

    def authenticate_server(self, request: AuthenticateServerRequest, *, deadline: Deadline) -> None:
        """Have the card check the server, and sign the proof of the card's identity.

        Raises:
            CardRefused: the card refuses the server.
            Conflict: another card has replaced the intended card.
        """
        proof = self._euicc.authenticate_server(request, deadline=deadline)
        self._card_proof = proof.raw
        self.proven_eid = check_proof(proof, self._eid)

    def authenticate_client(self, *, deadline: Deadline) -> AuthenticateClientAnswer | EventEntries:
        """Send the card's proof to the server and return the server's offer, or an SM-DS's events."""
        return self._server.authenticate_client(
            transaction_id=self.opened.transaction_id_text,
            authenticate_server_response=self._card_proof,
            interface=self._interface,
            deadline=deadline,
        )

    def euicc_info2(self, *, deadline: Deadline) -> EuiccInfo2:
        """Return EUICCInfo2, which is read once."""
        self._info2 = self._info2 or self._euicc.get_euicc_info2(deadline=deadline)
        return self._info2

    def _ctx_params1(self, matching_id: str | None, *, deadline: Deadline) -> bytes:
        """Return the encoded device information that the card signs, with only fields that the card knows."""
        params = CtxParams1(matching_id, self._device)
        radios = self._device.capabilities
        if not any(getattr(radios, radio) is not None for radio in _LATER_RADIOS):
            return params.encode()
        known = self.euicc_info2(deadline=deadline).rsp_capabilities
        return params.encode(extensible=DEVICE_INFO_EXTENSIBILITY in known)
