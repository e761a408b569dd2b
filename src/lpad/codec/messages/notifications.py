"""What the card wants its servers to know: notifications (SGP.22 v2.5, 5.7.9 to 5.7.11)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lpad.base.errors import MalformedError
from lpad.base.identifiers import Iccid
from lpad.codec.asn1 import der, tlv
from lpad.codec.messages.metadata import NotificationEvent, event_bits, events_of
from lpad.codec.messages.result import ResultCode

_INSTALLATION_RESULT = 0xBF37
_INSTALLATION_RESULT_DATA = 0xBF27
_OTHER_NOTIFICATION = 0x30
_METADATA = 0xBF2F
_RETRIEVED = 0xBF2B
# Some cards leave the list's own element (A0) out when there is nothing to list.
_NOTHING_LISTED = bytes.fromhex("BF2800")
_NOTHING_RETRIEVED = bytes.fromhex("BF2B00")


class ListNotificationError(ResultCode):
    """Why the card lists no notifications."""

    UNDEFINED_ERROR = 127, "undefinedError"


class RetrieveNotificationsError(ResultCode):
    """Why the card hands out no notification; the first means that there is none."""

    NO_RESULT_AVAILABLE = 1, "noResultAvailable"
    UNDEFINED_ERROR = 127, "undefinedError"


class NotificationSentResult(ResultCode):
    """What came of removing a notification from the list."""

    OK = 0, "ok"
    NOTHING_TO_DELETE = 1, "nothingToDelete"
    UNDEFINED_ERROR = 127, "undefinedError"

    @classmethod
    def decode(cls, data: bytes) -> NotificationSentResult:
        """Read a NotificationSentResponse.

        Raises:
            MalformedError: another answer.
        """
        return cls._in("NotificationSentResponse", "deleteNotificationStatus", data)


@dataclass(frozen=True, slots=True)
class NotificationMetadata:
    """What the list shows of a notification.

    `sequence_number` is unique on the card for its life and may be 0. `address` is the server to tell, as the
    card wrote it: blanks and capitals occur. `iccid` may be missing.
    """

    sequence_number: int
    event: NotificationEvent
    address: str
    iccid: Iccid | None

    @classmethod
    def decode(cls, raw: bytes) -> NotificationMetadata:
        """Read a NotificationMetadata (BF2F).

        Raises:
            MalformedError: no NotificationMetadata, or one without its number.
        """
        return cls.from_value(der.decode("NotificationMetadata", raw, lenient=True))

    @classmethod
    def from_value(cls, value: dict[str, Any]) -> NotificationMetadata:
        """Read what `der.decode` gives for NotificationMetadata.

        Raises:
            MalformedError: the number is missing.
        """
        if "seqNumber" not in value:
            raise MalformedError("a notification lacks its sequence number")
        events = events_of(value.get("profileManagementOperation", (b"", 0)))
        return cls(
            sequence_number=value["seqNumber"],
            event=events[0] if events else NotificationEvent.UNKNOWN,
            address=value.get("notificationAddress", ""),
            iccid=_iccid(value.get("iccid")),
        )


@dataclass(frozen=True, slots=True)
class ListNotificationRequest:
    """ListNotification (BF28): of these events, or of all where none is given."""

    events: tuple[NotificationEvent, ...] = ()

    def encode(self) -> bytes:
        """Return the request."""
        value = {"profileManagementOperation": event_bits(self.events)} if self.events else {}
        return der.encode("ListNotificationRequest", value)


@dataclass(frozen=True, slots=True)
class ListNotificationResponse:
    """The card's answer (BF28): the list in ascending order of numbers, or why there is none.

    `unreadable` counts entries without a number, of which nothing could be asked.
    """

    notifications: tuple[NotificationMetadata, ...]
    unreadable: int
    error: ListNotificationError | None

    @classmethod
    def decode(cls, raw: bytes) -> ListNotificationResponse:
        """Read the answer.

        Raises:
            MalformedError: neither a list nor a refusal.
        """
        if raw == _NOTHING_LISTED:
            return cls((), 0, None)
        outcome, value = der.decode("ListNotificationResponse", raw, lenient=True)
        if outcome != "notificationMetadataList":
            return cls((), 0, ListNotificationError(value))
        found = []
        for entry in value:
            try:
                found.append(NotificationMetadata.from_value(entry))
            except MalformedError:
                continue
        found.sort(key=lambda metadata: metadata.sequence_number)
        return cls(tuple(found), len(value) - len(found), None)


@dataclass(frozen=True, slots=True)
class RetrieveNotificationsListRequest:
    """RetrieveNotificationsList (BF2B): the one with this number, or those of these events, or all."""

    sequence_number: int | None = None
    events: tuple[NotificationEvent, ...] = ()

    def encode(self) -> bytes:
        """Return the request."""
        value: dict[str, Any] = {}
        if self.sequence_number is not None:
            value["searchCriteria"] = ("seqNumber", self.sequence_number)
        elif self.events:
            value["searchCriteria"] = ("profileManagementOperation", event_bits(self.events))
        return der.encode("RetrieveNotificationsListRequest", value)


@dataclass(frozen=True, slots=True)
class PendingNotification:
    """One notification with its signature: `raw` goes to the server as it came."""

    raw: bytes
    metadata: NotificationMetadata

    @classmethod
    def decode(cls, raw: bytes) -> PendingNotification:
        """Read a ProfileInstallationResult (BF37) or an OtherSignedNotification (30).

        Raises:
            MalformedError: neither of the two, or one without its metadata.
        """
        element = tlv.parse(raw)
        if element.tag == _INSTALLATION_RESULT:
            element = element.get(_INSTALLATION_RESULT_DATA)
        elif element.tag != _OTHER_NOTIFICATION:
            raise MalformedError(f"element {element.tag:02X} is no notification")
        return cls(raw, NotificationMetadata.decode(element.get(_METADATA).raw))


@dataclass(frozen=True, slots=True)
class RetrieveNotificationsListResponse:
    """The card's answer (BF2B): notifications in ascending order of numbers, or why there are none.

    `unreadable` counts elements that are no notification which this version knows: they have no
    recipient that could be found.
    """

    notifications: tuple[PendingNotification, ...]
    unreadable: int
    error: RetrieveNotificationsError | None

    @classmethod
    def decode(cls, raw: bytes) -> RetrieveNotificationsListResponse:
        """Read the answer; an empty list and `noResultAvailable` both mean that there is nothing.

        Notifications are taken where they stand: some cards leave the list's own element (A0) out.

        Raises:
            MalformedError: neither a list nor a refusal.
        """
        if raw == _NOTHING_RETRIEVED:
            return cls((), 0, None)
        outcome, value = _bare_list(raw) or der.decode("RetrieveNotificationsListResponse", raw)
        if outcome != "notificationList":
            error = RetrieveNotificationsError(value)
            return cls((), 0, None if error is RetrieveNotificationsError.NO_RESULT_AVAILABLE else error)
        found = []
        for element in value:
            try:
                found.append(PendingNotification.decode(element))
            except MalformedError:
                continue
        found.sort(key=lambda notification: notification.metadata.sequence_number)
        return cls(tuple(found), len(value) - len(found), None)


@dataclass(frozen=True, slots=True)
class NotificationSentRequest:
    """RemoveNotificationFromList (BF30)."""

    sequence_number: int

    def encode(self) -> bytes:
        """Return the request."""
        return der.encode("NotificationSentRequest", {"seqNumber": self.sequence_number})


def _bare_list(raw: bytes) -> tuple[str, Any] | None:
    """Return notifications that stand in the answer itself as if in a list; None where none do."""
    answer = tlv.parse(raw)
    if answer.tag != _RETRIEVED or not answer.constructed:
        return None
    children = answer.children()
    if not children or children[0].tag not in (_INSTALLATION_RESULT, _OTHER_NOTIFICATION):
        return None
    return "notificationList", [child.raw for child in children]


def _iccid(data: bytes | None) -> Iccid | None:
    try:
        return None if data is None else Iccid.from_bytes(data)
    except MalformedError:
        return None
