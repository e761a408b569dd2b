"""ISD-R: dispatching commands to ES10 functions (SGP.22 v2.5, 5.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.chip.status_word import Refusal, StatusWord
from lpad.simulator.euicc.isdr.euicc_information import Information
from lpad.simulator.euicc.isdr.installation import PACKAGE, SEGMENT_TAGS, Installation, record_interruption
from lpad.simulator.euicc.isdr.notifications import Notifications
from lpad.simulator.euicc.isdr.profiles import Profiles
from lpad.simulator.euicc.isdr.session import Sessions, Stage

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.codec.asn1.tlv import Tlv
    from lpad.simulator.euicc.chip.euicc_contents import Chip
    from lpad.simulator.euicc.chip.proactive import Proactive

LOADING = 0xBF36
"""The tag by which faults name all segments of a bound profile package."""
_GET_CHALLENGE, _CANCEL_SESSION = 0xBF2E, 0xBF41
_MULTI_BYTE_TAG = 0x1F


class Isdr:
    """The card's root security domain, from power-on to power-off."""

    def __init__(self, chip: Chip, proactive: Proactive) -> None:
        """Start without a session, and settle operations that the last power-off interrupted."""
        self._chip = chip
        self._notifications = Notifications(chip)
        self._information = Information(chip)
        self._sessions = Sessions(chip, self._information)
        self.profiles = Profiles(chip, self._notifications, proactive)
        self._installation: Installation | None = None
        self._functions: dict[int, Callable[[Tlv], bytes]] = {
            0xBF20: self._information.get_euicc_info1,
            0xBF21: self._sessions.prepare_download,
            0xBF22: self._information.get_euicc_info2,
            0xBF28: self._notifications.list_notification,
            0xBF29: self.profiles.set_nickname,
            0xBF2B: self._notifications.retrieve_notifications_list,
            0xBF2D: self.profiles.get_profiles_info,
            _GET_CHALLENGE: self._get_euicc_challenge,
            0xBF30: self._notifications.remove_notification_from_list,
            0xBF31: self.profiles.enable_profile,
            0xBF32: self.profiles.disable_profile,
            0xBF33: self.profiles.delete_profile,
            0xBF34: self.profiles.euicc_memory_reset,
            0xBF38: self._sessions.authenticate_server,
            0xBF3C: self._information.get_configured_addresses,
            0xBF3E: self._information.get_eid,
            0xBF3F: self._information.set_default_dp_address,
            _CANCEL_SESSION: self._cancel_session,
            0xBF43: self._information.get_rat,
        }
        if chip.state.installation is not None:
            record_interruption(chip, self._notifications)
            chip.state.installation = None
            chip.commit()
        self.profiles.settle_switch(refreshed=True)

    def command(self, data: bytes) -> bytes:
        """Carry out one ES10 command, or process one segment; return the answer's data.

        Raises:
            Refusal: the status word differs from success.
        """
        tag = _first_tag(data)
        fault_tag = LOADING if tag in SEGMENT_TAGS else tag
        answer = self._chip.faults.before(fault_tag, data)
        if answer is None:
            answer = self._chip.faults.after(fault_tag, self._carry_out(tag, data))
        if isinstance(answer, int):
            raise Refusal(answer, "a fault that the test added")
        return answer

    def deselected(self) -> None:
        """Process the end of ISD-R's selection on a channel, which ends the session on some cards."""
        if self._chip.behaviour.session_ends_with_channel:
            self.end_session()

    def end_session(self) -> None:
        """End the session; a running installation ends as interrupted."""
        self._abandon(with_result=True)
        self._sessions.end()

    def _carry_out(self, tag: int, data: bytes) -> bytes:
        loading = self._installation is not None and self._installation.running
        if tag == PACKAGE or tag in SEGMENT_TAGS:
            return self._load(tag, data, loading=loading)
        function = self._functions.get(tag)
        if function is None:
            raise Refusal(StatusWord.NO_REFERENCED_DATA, f"no function has the tag {tag:02X}")
        meanwhile = int(self._chip.behaviour.other_commands_while_loading, 16)
        if loading and tag not in (_GET_CHALLENGE, _CANCEL_SESSION) and meanwhile != StatusWord.OK:
            raise Refusal(meanwhile, "a profile is being loaded")
        try:
            return function(tlv.parse(data))
        except MalformedError as error:
            raise Refusal(StatusWord.BAD_DATA, error.sentence) from error

    def _load(self, tag: int, data: bytes, *, loading: bool) -> bytes:
        if not loading:
            session = self._sessions.current
            if tag != PACKAGE or session is None or session.stage is not Stage.PREPARED:
                raise Refusal(StatusWord.CONDITIONS_NOT_SATISFIED, "no download is prepared")
            self._installation = Installation(self._chip, self._notifications, self._sessions, session)
        assert self._installation is not None, "loading"
        return self._installation.segment(data)

    def _get_euicc_challenge(self, request: Tlv) -> bytes:
        self._abandon(with_result=True)
        return self._sessions.get_euicc_challenge(request)

    def _cancel_session(self, request: Tlv) -> bytes:
        answer = self._sessions.cancel_session(request)
        if self._sessions.current is None:
            self._abandon(with_result=False)  # the cancellation informs the server
        return answer

    def _abandon(self, *, with_result: bool) -> None:
        if self._installation is not None and self._installation.running:
            self._installation.abandon(with_result=with_result)
        self._installation = None


def _first_tag(data: bytes) -> int:
    """Return the tag, one or two bytes, at the start of a segment, which need not be a whole element."""
    return int.from_bytes(data[: 2 if data[0] & _MULTI_BYTE_TAG == _MULTI_BYTE_TAG else 1], "big")
