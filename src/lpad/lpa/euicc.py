"""The eUICC's functions as methods: ES10a, ES10b and ES10c (SGP.22 v2.5, 5.7)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol, TypeVar

from lpad.base.errors import CardMalformed, CardStatus, blamed_on
from lpad.codec import es10_intents
from lpad.codec.asn1 import broken_list
from lpad.codec.messages import euicc_info, get_eid, memory_reset
from lpad.codec.messages.authentication import AuthenticateServerRequest, AuthenticateServerResponse
from lpad.codec.messages.cancel_session import (
    CancelSessionReason,
    CancelSessionRequest,
    CancelSessionResponse,
)
from lpad.codec.messages.configured_addresses import (
    GET_EUICC_CONFIGURED_ADDRESSES,
    ConfiguredAddresses,
    SetDefaultDpAddressRequest,
    SetDefaultDpAddressResult,
)
from lpad.codec.messages.installation_result import ProfileInstallationResult
from lpad.codec.messages.notifications import (
    ListNotificationRequest,
    ListNotificationResponse,
    NotificationSentRequest,
    NotificationSentResult,
    RetrieveNotificationsListRequest,
    RetrieveNotificationsListResponse,
)
from lpad.codec.messages.prepare_download import PrepareDownloadRequest, PrepareDownloadResponse
from lpad.codec.messages.profile_info import TAGS_WITHOUT_ICON
from lpad.codec.messages.profiles import (
    DeleteProfileRequest,
    DeleteProfileResult,
    DisableProfileRequest,
    DisableProfileResult,
    EnableProfileRequest,
    EnableProfileResult,
    ProfileInfoListError,
    ProfileInfoListRequest,
    ProfileInfoListResponse,
    SetNicknameRequest,
    SetNicknameResult,
)
from lpad.codec.messages.rules_authorisation_table import GET_RAT, decode_rat
from lpad.lpa.card_refusal import refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Eid, Iccid, TransactionId
    from lpad.codec.bound_profile import BoundProfile, Segment
    from lpad.codec.es10_intents import Intent
    from lpad.codec.messages.metadata import NotificationEvent, ProfileClass
    from lpad.codec.messages.notifications import PendingNotification
    from lpad.codec.messages.profile_info import ProfileInfo
    from lpad.codec.messages.profiles import ProfileTarget
    from lpad.codec.messages.result_code import ResultCode
    from lpad.codec.messages.rules_authorisation_table import AuthorisationRule

Answer = TypeVar("Answer")

_log = logging.getLogger(__name__)

# Error codes and status words of cards that refuse a list of tags, although they should ignore unknown tags.
_CHOKED_CODES = (ProfileInfoListError.INCORRECT_INPUT_VALUES, ProfileInfoListError.UNDEFINED_ERROR)
_CHOKED_STATUSES = ("6A80", "6A86", "6A88")


class Isdr(Protocol):
    """The ISD-R: carries out one ES10 command, or one segment of a bound profile package."""

    def command(
        self,
        data: bytes,
        *,
        intent: Intent,
        deadline: Deadline,
        on_block: Callable[[int], None] | None = None,
    ) -> bytes:
        """Send `data` and return the response data; this method checks status words and raises errors.

        Args:
            data: the command with its tag.
            intent: the effect of the command on the card.
            on_block: called after each block with the number of bytes of `data` that the card has accepted.
        """


class Euicc:
    """An eUICC whose ISD-R is open.

    Each method is one ES10 function and raises, in addition to the errors in its docstring:
        CardRefused: the function answered with an error code, given by `function`, `code` and `reason`.
        CardMalformed: the answer cannot be read.
        CardStatus, CardUnreachable, CardBusy: the link failed, or the card refused the command.
    """

    def __init__(self, isdr: Isdr) -> None:
        """Create the eUICC from an open ISD-R, which the caller closes."""
        self._isdr = isdr

    # ES10a

    def get_euicc_configured_addresses(self, *, deadline: Deadline) -> ConfiguredAddresses:
        """Return the default SM-DP+ and the SM-DS addresses (5.7.3)."""
        function = es10_intents.GET_EUICC_CONFIGURED_ADDRESSES
        return self._ask(
            function, GET_EUICC_CONFIGURED_ADDRESSES, ConfiguredAddresses.decode, deadline=deadline
        )

    def set_default_dp_address(self, address: str, *, deadline: Deadline) -> None:
        """Set the default SM-DP+ address, or clear it with the empty string (5.7.4)."""
        function = es10_intents.SET_DEFAULT_DP_ADDRESS
        request = SetDefaultDpAddressRequest(address).encode()
        self._do(function, request, SetDefaultDpAddressResult.decode, deadline=deadline)

    # ES10b, information

    def get_euicc_info1(self, *, deadline: Deadline) -> euicc_info.EuiccInfo1:
        """Return EUICCInfo1, which a server needs first (5.7.8)."""
        function = es10_intents.GET_EUICC_INFO
        return self._ask(
            function, euicc_info.GET_EUICC_INFO1, euicc_info.EuiccInfo1.decode, deadline=deadline
        )

    def get_euicc_info2(self, *, deadline: Deadline) -> euicc_info.EuiccInfo2:
        """Return versions, capabilities, memory and CI key identifiers (5.7.8)."""
        function = es10_intents.GET_EUICC_INFO
        return self._ask(
            function, euicc_info.GET_EUICC_INFO2, euicc_info.EuiccInfo2.decode, deadline=deadline
        )

    def get_rat(self, *, deadline: Deadline) -> tuple[AuthorisationRule, ...]:
        """Return the Rules Authorisation Table, in the order in which its rows apply (5.7.22)."""
        return self._ask(es10_intents.GET_RAT, GET_RAT, decode_rat, deadline=deadline)

    # ES10b, download

    def get_euicc_challenge(self, *, deadline: Deadline) -> bytes:
        """Open a session in place of any open one; return its challenge of 16 random bytes (5.7.7)."""
        function = es10_intents.GET_EUICC_CHALLENGE
        return self._ask(
            function, euicc_info.GET_EUICC_CHALLENGE, euicc_info.decode_euicc_challenge, deadline=deadline
        )

    def authenticate_server(
        self, request: AuthenticateServerRequest, *, deadline: Deadline
    ) -> AuthenticateServerResponse:
        """Have the card check the server and sign; the result's `raw` is for the server (5.7.13)."""
        function = es10_intents.AUTHENTICATE_SERVER
        answer = self._ask(function, request.encode(), AuthenticateServerResponse.decode, deadline=deadline)
        if answer.error is not None:
            raise refused(function, answer.error)
        return answer

    def prepare_download(
        self, request: PrepareDownloadRequest, *, deadline: Deadline
    ) -> PrepareDownloadResponse:
        """Have the card accept the offered profile; the result's `raw` is for the server (5.7.5)."""
        function = es10_intents.PREPARE_DOWNLOAD
        answer = self._ask(function, request.encode(), PrepareDownloadResponse.decode, deadline=deadline)
        if answer.error is not None:
            raise refused(function, answer.error)
        return answer

    def load_bound_profile_package(
        self,
        bound: BoundProfile,
        *,
        on_bytes: Callable[[int, int], None] | None = None,
        before_segment: Callable[[Segment], None] | None = None,
        deadline: Deadline,
    ) -> ProfileInstallationResult:
        """Send the package segment by segment until the card has its result (5.7.6).

        If a card finds a fault, it returns its result after an earlier segment, and lpad sends no more.

        Args:
            on_bytes: called after each block with the numbers of accepted bytes and of all bytes.
            before_segment: called with the next segment; an error raised here stops before this segment, when
                the session can still be cancelled.

        Returns:
            The result, whether it reports success or a failure; see `card_refusal.installation_refused`.

        Raises:
            CardMalformed: the card accepted all segments and returned no result.
        """
        function = es10_intents.LOAD_BOUND_PROFILE_PACKAGE
        total, done = bound.length, 0
        for segment in bound.segments:
            if before_segment is not None:
                before_segment(segment)
            on_block = None if on_bytes is None else _counting(on_bytes, done, total)
            answer = self._isdr.command(segment.data, intent=function, deadline=deadline, on_block=on_block)
            if answer:
                with blamed_on(CardMalformed, str(function)):
                    return ProfileInstallationResult.decode(broken_list.element_of(answer))
            done += len(segment.data)
        raise CardMalformed(
            f"{function}: the card accepted the whole profile but did not report whether it was installed;"
            " check with 'lpactl profiles'"
        )

    def cancel_session(
        self, transaction_id: TransactionId, reason: CancelSessionReason, *, deadline: Deadline
    ) -> CancelSessionResponse:
        """Cancel a download session; the result's `raw` is for the server (5.7.14)."""
        function = es10_intents.CANCEL_SESSION
        request = CancelSessionRequest(transaction_id, reason).encode()
        answer = self._ask(function, request, CancelSessionResponse.decode, deadline=deadline)
        if answer.error is not None:
            raise refused(function, answer.error)
        return answer

    # ES10b, notifications

    def notification_list(
        self, *, events: tuple[NotificationEvent, ...] = (), deadline: Deadline
    ) -> ListNotificationResponse:
        """Return the pending notifications by ascending number, and the count of unreadable ones (5.7.9).

        Args:
            events: only these events; empty: all.
        """
        function = es10_intents.LIST_NOTIFICATION
        request = ListNotificationRequest(events).encode()
        answer = self._ask(function, request, ListNotificationResponse.decode, deadline=deadline)
        if answer.error is not None:
            raise refused(function, answer.error)
        if answer.unreadable:
            _log.warning("%s: %d entries of the list cannot be read", function, answer.unreadable)
        return answer

    def retrieve_notifications_list(
        self,
        *,
        sequence_number: int | None = None,
        events: tuple[NotificationEvent, ...] = (),
        deadline: Deadline,
    ) -> tuple[PendingNotification, ...]:
        """Return signed notifications, in ascending order of numbers (5.7.10).

        Args:
            sequence_number: the number of the only wanted notification, which may be gone; None: all.
            events: only these events; empty: all.
        """
        function = es10_intents.RETRIEVE_NOTIFICATIONS_LIST
        request = RetrieveNotificationsListRequest(sequence_number, events).encode()
        answer = self._ask(function, request, RetrieveNotificationsListResponse.decode, deadline=deadline)
        if answer.error is not None:
            raise refused(function, answer.error)
        if answer.unreadable:
            _log.warning("%s: %d notifications are of an unknown kind", function, answer.unreadable)
        return answer.notifications

    def remove_notification_from_list(self, sequence_number: int, *, deadline: Deadline) -> bool:
        """Remove a delivered notification from the card; return whether the card still had it (5.7.11)."""
        function = es10_intents.REMOVE_NOTIFICATION_FROM_LIST
        request = NotificationSentRequest(sequence_number).encode()
        result = self._ask(function, request, NotificationSentResult.decode, deadline=deadline)
        if result not in (NotificationSentResult.OK, NotificationSentResult.NOTHING_TO_DELETE):
            raise refused(function, result)
        return result is NotificationSentResult.OK

    # ES10c

    def get_profiles_info(
        self,
        *,
        search: ProfileTarget | ProfileClass | None = None,
        tags: tuple[int, ...] = TAGS_WITHOUT_ICON,
        deadline: Deadline,
    ) -> tuple[ProfileInfo, ...]:
        """Return the card's readable profiles; see `list_profiles`."""
        return self.list_profiles(search=search, tags=tags, deadline=deadline).profiles

    def list_profiles(
        self,
        *,
        search: ProfileTarget | ProfileClass | None = None,
        tags: tuple[int, ...] = TAGS_WITHOUT_ICON,
        deadline: Deadline,
    ) -> ProfileInfoListResponse:
        """Return the card's profiles in the card's order, and the unreadable entries of its list (5.7.15).

        Args:
            search: one profile, or all profiles of a class; None: all profiles.
            tags: the fields to return, from `codec.messages.profile_info`; empty: the card's default set.
                Icons are omitted unless requested, because each has up to 1 kB and a link may be slow.
        """
        function = es10_intents.GET_PROFILES_INFO
        answer = self._ask_for_profiles(ProfileInfoListRequest(search, tags), deadline=deadline)
        if answer is None or (answer.error in _CHOKED_CODES and tags):
            _log.info("%s: the card refuses the list of tags; asking for its default set", function)
            request = ProfileInfoListRequest(search).encode()
            answer = self._ask(function, request, ProfileInfoListResponse.decode, deadline=deadline)
        if answer.error is not None:
            raise refused(function, answer.error)
        if answer.unreadable:
            _log.warning("%s: %d entries of the list cannot be read", function, answer.unreadable)
        return answer

    def enable_profile(self, target: ProfileTarget, *, refresh: bool, deadline: Deadline) -> None:
        """Enable a profile; the previous one is disabled (5.7.16).

        Args:
            target: the profile's ICCID or the AID of its security domain.
            refresh: whether the card sends the modem a REFRESH. Without a REFRESH, the switch is immediate
                and lpad must inform the modem.
        """
        request = EnableProfileRequest(target, refresh).encode()
        self._do(es10_intents.ENABLE_PROFILE, request, EnableProfileResult.decode, deadline=deadline)

    def disable_profile(self, target: ProfileTarget, *, refresh: bool, deadline: Deadline) -> None:
        """Disable a profile (5.7.17); the arguments are those of `enable_profile`."""
        request = DisableProfileRequest(target, refresh).encode()
        self._do(es10_intents.DISABLE_PROFILE, request, DisableProfileResult.decode, deadline=deadline)

    def delete_profile(self, target: ProfileTarget, *, deadline: Deadline) -> None:
        """Delete a disabled profile (5.7.18)."""
        request = DeleteProfileRequest(target).encode()
        self._do(es10_intents.DELETE_PROFILE, request, DeleteProfileResult.decode, deadline=deadline)

    def euicc_memory_reset(
        self,
        *,
        operational_profiles: bool = False,
        test_profiles: bool = False,
        default_smdp_address: bool = False,
        deadline: Deadline,
    ) -> None:
        """Delete profiles, even enabled ones, and restore the default SM-DP+ address, as requested (5.7.19).

        Args:
            operational_profiles: whether to delete all operational profiles.
            test_profiles: whether to delete the test profiles that were loaded in the field.
            default_smdp_address: whether to restore the card's original address.
        """
        request = memory_reset.EuiccMemoryResetRequest(
            operational_profiles=operational_profiles,
            test_profiles=test_profiles,
            default_smdp_address=default_smdp_address,
        ).encode()
        self._do(
            es10_intents.EUICC_MEMORY_RESET,
            request,
            memory_reset.EuiccMemoryResetResult.decode,
            deadline=deadline,
        )

    def get_eid(self, *, deadline: Deadline) -> Eid:
        """Return the card's identifier (5.7.20); wrong check digits are only logged."""
        eid = self._ask(es10_intents.GET_EID, get_eid.GET_EID, get_eid.decode_eid, deadline=deadline)
        if not eid.check_digits_right:
            _log.warning(
                "the check digits of EID %s are wrong; some test cards have such EIDs", eid.redacted()
            )
        return eid

    def set_nickname(self, iccid: Iccid, nickname: str, *, deadline: Deadline) -> None:
        """Set a profile's nickname, or remove it with the empty string (5.7.21).

        Raises:
            InvalidValue: the nickname has more than 64 bytes of UTF-8.
        """
        request = SetNicknameRequest(iccid, nickname).encode()
        self._do(es10_intents.SET_NICKNAME, request, SetNicknameResult.decode, deadline=deadline)

    def _ask_for_profiles(
        self, request: ProfileInfoListRequest, *, deadline: Deadline
    ) -> ProfileInfoListResponse | None:
        """Return the card's answer about profiles; None if a status word refuses the list of tags."""
        try:
            return self._ask(
                es10_intents.GET_PROFILES_INFO,
                request.encode(),
                ProfileInfoListResponse.decode,
                deadline=deadline,
            )
        except CardStatus as error:
            if request.tags and error.details.get("sw") in _CHOKED_STATUSES:
                return None
            raise

    def _ask(
        self, function: Intent, request: bytes, decode: Callable[[bytes], Answer], *, deadline: Deadline
    ) -> Answer:
        answer = self._isdr.command(request, intent=function, deadline=deadline)
        if not answer:
            raise CardMalformed(
                f"{function}: the card reported success, but returned no answer; restart the modem"
            )
        whole = broken_list.element_of(answer)
        if broken_list.is_padding(answer[len(whole) :]):
            answer = whole
        with blamed_on(CardMalformed, str(function)):
            return decode(answer)

    def _do(
        self, function: Intent, request: bytes, decode: Callable[[bytes], ResultCode], *, deadline: Deadline
    ) -> None:
        result = self._ask(function, request, decode, deadline=deadline)
        if result != 0:
            raise refused(function, result)


def _counting(on_bytes: Callable[[int, int], None], done: int, total: int) -> Callable[[int], None]:
    return lambda sent: on_bytes(done + sent, total)
