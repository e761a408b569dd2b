"""One profile download, from EUICCInfo1 to the ProfileInstallationResult (SGP.22 v2.5, 3.1).

`protocol/download_state_table.py` defines the order of the steps and the duties of an abort.
`lpa/server_answer_checks.py` checks the server's answers. This module takes the steps with card and server.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import (
    Cancelled,
    CardMalformed,
    CardRefused,
    CardStatus,
    ServerMalformed,
    ServerRefused,
)
from lpad.codec.es11_event_entries import EventEntries
from lpad.codec.messages.cancel_session import CancelSessionReason
from lpad.codec.messages.prepare_download import PrepareDownloadRequest, hash_confirmation_code
from lpad.codec.server_status_codes import Remedy
from lpad.lpa import download_refusals, offer_check, server_answer_checks, session_cancellation
from lpad.lpa.card_refusal import installation_refused
from lpad.lpa.download_interface import Decision, DownloadListener, Installed, Offer, Order
from lpad.lpa.lost_installation_result import find_lost_result
from lpad.lpa.mutual_authentication import MutualAuthentication
from lpad.lpa.owner_install_policy import InstallPolicy
from lpad.protocol.download_state_table import DownloadSession, Duty, Event, State, Step
from lpad.remote.es9plus import Interface

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from lpad.codec.bound_profile import BoundProfile, Segment
    from lpad.codec.es9plus import AuthenticateClientAnswer
    from lpad.codec.messages.authentication import DeviceInfo
    from lpad.codec.messages.euicc_info import EuiccInfo2
    from lpad.codec.messages.installation_result import ProfileInstallationResult
    from lpad.lpa.euicc import Euicc
    from lpad.lpa.server_answer_checks import Offered
    from lpad.remote.es9plus import Es9Plus

__all__ = ["Decision", "Download", "DownloadListener", "Installed", "Offer", "Order"]

_LOG = logging.getLogger(__name__)

_READING_LIST = 30.0
"""Seconds within which a card must return a lost result; the download's own time may have passed."""


class Download:
    """One download; create a new object for each attempt."""

    # Each step's results for later steps; the table of states ensures that these results exist.
    _answer: AuthenticateClientAnswer
    _offered: Offered
    _prepared: bytes
    _bound: BoundProfile
    _result: ProfileInstallationResult

    def __init__(
        self,
        euicc: Euicc,
        server: Es9Plus,
        order: Order,
        *,
        device: DeviceInfo,
        listener: DownloadListener,
        eid: str | None = None,
        policy: InstallPolicy | None = None,
    ) -> None:
        """Create the download from its participants.

        Args:
            euicc: an open ISD-R, which remains open.
            server: the SM-DP+ at the order's address; its connection remains open for the notification.
            device: TAC, IMEI and capabilities of the device, which are sent to the card and the server.
            listener: receives each step and makes the decisions.
            eid: EID of the card that the profile is for; None: any card.
            policy: the install policy; None: lpad's defaults.
        """
        self._euicc = euicc
        self._server = server
        self._order = order
        self._device = device
        self._listener = listener
        self._policy = policy or InstallPolicy()
        self._session = DownloadSession()
        self._mutual = MutualAuthentication(
            euicc, server, device=device, eid=eid, interface=Interface.ES9_PLUS
        )
        self._deadline = Deadline.after(0)
        self._code = order.confirmation_code or None
        self._reason: CancelSessionReason | None = None
        self._accepted: bytes | None = None
        self._cancelled: Cancelled | None = None
        self._steps: Mapping[Step, Callable[[], Event]] = {
            Step.GET_EUICC_INFO1: self._get_euicc_info1,
            Step.GET_EUICC_CHALLENGE: self._get_euicc_challenge,
            Step.INITIATE_AUTHENTICATION: self._initiate_authentication,
            Step.AUTHENTICATE_SERVER: self._authenticate_server,
            Step.AUTHENTICATE_CLIENT: self._authenticate_client,
            Step.CONFIRM: self._confirm,
            Step.PREPARE_DOWNLOAD: self._prepare_download,
            Step.GET_BOUND_PROFILE_PACKAGE: self._get_bound_profile_package,
            Step.LOAD_BOUND_PROFILE_PACKAGE: self._load_bound_profile_package,
            Step.CANCEL_SESSION: self._cancel_session,
        }

    def run(self, *, deadline: Deadline) -> Installed:
        """Download and install the profile.

        After an error that follows AuthenticateServer, lpad cancels the session on card and server before it
        raises the error, unless the card has reported a result. Failures of the cancellation are logged and
        never hide the first error. If another attempt can succeed, the cancellation leaves the order usable.

        Raises:
            PolicyRefused: a policy, of the settings or the card, forbids the server or the profile.
            Declined: the caller rejected or postponed the profile, or did not answer.
            ConfirmationCodeRequired: no confirmation code was given.
            Cancelled: raised by the listener.
            CardRefused: an ES10b function's error code; `function` is ES10b.LoadBoundProfilePackage and
                `command` the BPP command's name if the ProfileInstallationResult reports a failure.
            CardError: any other failure of the card.
            ServerError: a failure of the server.
        """
        self._deadline = deadline
        self._policy.check_server(self._server.address)
        if self._order.confirmation_code_expected and self._code is None:
            self._code = self._ask_for_code()
        failure: Exception | None = None
        while (step := self._session.step) is not None:
            try:
                self._announce(step)
                event = self._steps[step]()
            except Exception as error:  # noqa: BLE001 - raised below, after the end of the session
                failure = error
                event = self._failed(error)
            self._session.on(event)
        if failure is not None:
            raise failure
        return self._installed()

    def _announce(self, step: Step) -> None:
        if step is not Step.CANCEL_SESSION:
            self._listener.step(step)
            return
        try:
            self._listener.step(step)
        except Cancelled:
            _LOG.debug("asked to cancel while the session is already being cancelled")
        except Exception:  # noqa: BLE001 - logged, and less important than the end of the download
            _LOG.exception("the listener failed at %s; lpad still cancels the session", step)

    # The steps, in their order

    def _get_euicc_info1(self) -> Event:
        self._mutual.get_euicc_info1(deadline=self._deadline)
        return Event.INFO_READ

    def _get_euicc_challenge(self) -> Event:
        self._mutual.get_euicc_challenge(deadline=self._deadline)
        return Event.CHALLENGE_READ

    def _initiate_authentication(self) -> Event:
        self._mutual.initiate_authentication(smdp_oid=self._order.smdp_oid, deadline=self._deadline)
        server_answer_checks.check_role(self._mutual.certificate, address=self._server.address)
        self._policy.check_certificate(self._mutual.certificate)
        return Event.SERVER_PROVEN

    def _authenticate_server(self) -> Event:
        request = self._mutual.authentication_request(self._order.matching_id, deadline=self._deadline)
        self._session.on(Event.AUTHENTICATION_SENT)
        self._mutual.authenticate_server(request, deadline=self._deadline)
        return Event.CARD_SIGNED

    def _authenticate_client(self) -> Event:
        try:
            answer = self._mutual.authenticate_client(deadline=self._deadline)
        except ServerRefused as refused:
            # This is the only call in which an operator judges the device.
            if not self._order.matching_id:
                refused = download_refusals.of_eid(refused, self._server.address)
            raise download_refusals.of_device(refused, self._device) from refused
        if isinstance(answer, EventEntries):
            raise server_answer_checks.lists_events(self._server.address)
        self._answer = answer
        self._offered = server_answer_checks.check_offer(
            answer, transaction_id=self._mutual.transaction_id, dp_auth=self._mutual.certificate
        )
        return Event.PROFILE_OFFERED

    def _confirm(self) -> Event:
        """Check the policies, then ask the caller.

        A session that is repeated only for another confirmation code asks no question twice.

        The card installs the metadata that was judged here, because the metadata in the package must match
        it.
        """
        metadata = self._offered.metadata
        if self._accepted != metadata.raw:
            self._policy.check_metadata(metadata)
            verdict = offer_check.judge(
                metadata, self._euicc, info2=self._read_info2, deadline=self._deadline
            )
            with self._callers_time():
                decision = self._listener.confirm(offer_check.offer(self._offered, verdict))
            if decision is not Decision.ACCEPT:
                raise download_refusals.declined(decision)
            self._accepted = metadata.raw
        if self._offered.smdp_signed2.confirmation_code_required and self._code is None:
            self._code = self._ask_for_code()
        return Event.PROFILE_WANTED

    def _prepare_download(self) -> Event:
        signed = self._offered.smdp_signed2
        hash_cc = None
        if signed.confirmation_code_required and self._code is not None:
            hash_cc = hash_confirmation_code(self._code, signed.transaction_id)
        request = PrepareDownloadRequest(
            smdp_signed2=self._answer.smdp_signed2,
            smdp_signature2=self._answer.smdp_signature2,
            smdp_certificate=self._answer.smdp_certificate,
            hash_cc=hash_cc,
        )
        self._prepared = self._euicc.prepare_download(request, deadline=self._deadline).raw
        return Event.KEY_MADE

    def _get_bound_profile_package(self) -> Event:
        try:
            answer = self._server.get_bound_profile_package(
                transaction_id=self._mutual.opened.transaction_id_text,
                prepare_download_response=self._prepared,
                deadline=self._deadline,
            )
        except ServerRefused as refused:
            if refused.details["remedy"] != Remedy.CONFIRMATION_CODE:
                raise
            self._code = self._other_code(refused)
            self._reason = CancelSessionReason.POSTPONED
            return Event.CODE_REFUSED
        try:
            self._bound = server_answer_checks.check_package(
                answer, transaction_id=self._mutual.transaction_id
            )
        except ServerMalformed:
            self._reason = CancelSessionReason.LOAD_BPP_EXECUTION_ERROR
            raise
        if not server_answer_checks.same_profile(self._offered.metadata, self._bound.metadata):
            self._reason = CancelSessionReason.METADATA_MISMATCH
            raise ServerMalformed(
                "ES9+.GetBoundProfilePackage: the package does not contain the offered profile;"
                " report this to the operator"
            )
        return Event.PACKAGE_RECEIVED

    def _load_bound_profile_package(self) -> Event:
        self._session.on(Event.LOADING_BEGAN)
        try:
            self._result = self._euicc.load_bound_profile_package(
                self._bound,
                on_bytes=self._bytes_loaded,
                before_segment=self._before_segment,
                deadline=self._deadline,
            )
        except (CardMalformed, CardStatus):
            found = find_lost_result(
                self._euicc, self._mutual.transaction_id, deadline=Deadline.after(_READING_LIST)
            )
            if found is None:
                raise
            self._result = found
        return Event.RESULT_GOOD if self._result.succeeded else Event.RESULT_BAD

    def _cancel_session(self) -> Event:
        assert self._reason is not None, "each path to this step has set the reason"
        session_cancellation.cancel(
            self._euicc,
            self._server,
            self._mutual.opened,
            self._reason,
            interruption=self._deadline.cancellation,
            owe=self._listener.owes_cancellation,
        )
        self._reason = None
        return Event.SESSION_CANCELLED

    # Helpers of the steps

    def _read_info2(self) -> EuiccInfo2:
        return self._mutual.euicc_info2(deadline=self._deadline)

    def _ask_for_code(self) -> str:
        with self._callers_time():
            code = self._listener.confirmation_code(refused=False)
        if not code:
            raise download_refusals.code_required()
        return code

    def _other_code(self, refused: ServerRefused) -> str:
        """Ask for a code other than the refused one; raise the refusal if the listener returns none."""
        with self._callers_time():
            code = self._listener.confirmation_code(refused=self._code is not None)
        if not code or code == self._code:
            raise refused
        return code

    @contextmanager
    def _callers_time(self) -> Iterator[None]:
        """Extend the deadline by the time that the caller needs for an answer."""
        began = time.monotonic()
        yield
        self._deadline = self._deadline.later(time.monotonic() - began)

    def _bytes_loaded(self, sent: int, total: int) -> None:
        """Report progress; a chain of blocks is never cut, so a cancellation waits for the chain's end."""
        try:
            self._listener.bytes_loaded(sent, total)
        except Cancelled as cancelled:
            self._cancelled = cancelled

    def _before_segment(self, _segment: Segment) -> None:
        if self._cancelled is not None:
            raise self._cancelled

    # The end of the download

    def _failed(self, error: Exception) -> Event:
        """Return the event of a failure, and set the cancellation's reason unless the step has set it."""
        if self._session.state is State.AUTHENTICATING and isinstance(error, CardRefused):
            return Event.SERVER_REFUSED_BY_CARD
        if self._reason is None and self._session.duty is not Duty.NOTHING:
            self._reason = session_cancellation.reason_for(error, self._session.state)
        return Event.FAILED

    def _installed(self) -> Installed:
        result = self._result
        if not result.succeeded:
            refused = installation_refused(result)
            # A full memory is temporary, too: a user must delete a profile, but needs no new order.
            refused.retryable = result.error is not None and result.error.temporary
            raise refused
        return Installed(
            iccid=self._bound.metadata.iccid,
            isdp_aid=result.aid,
            server=self._server.address,
            sequence_number=result.metadata.sequence_number,
            notification_address=result.metadata.address,
            result=result.raw,
            eid=self._mutual.proven_eid,
        )
