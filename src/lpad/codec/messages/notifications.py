"""Notifications of the card for servers (SGP.22 v2.5, 5.7.9 to 5.7.11)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from lpad.base.errors import MalformedError
from lpad.base.frozen import Frozen
from lpad.codec.asn1 import broken_list, der, tlv
from lpad.codec.asn1.broken_list import ListOf, Sureness
from lpad.codec.messages.metadata import NotificationEvent, event_bits, events_of
from lpad.codec.messages.profile_info import iccid_of
from lpad.codec.messages.result_code import ResultAnswer, ResultCode

if TYPE_CHECKING:
    from lpad.base.identifiers import Iccid

_INSTALLATION_RESULT = 0xBF37
_INSTALLATION_RESULT_DATA = 0xBF27
_OTHER_NOTIFICATION = 0x30
_METADATA = 0xBF2F
_LISTED = 0xBF28
_RETRIEVED = 0xBF2B


class ListNotificationError(ResultCode):
    """Why the card lists no notifications."""

    UNDEFINED_ERROR = 127, "undefinedError"


class RetrieveNotificationsError(ResultCode):
    """Why the card returns no notification; `NO_RESULT_AVAILABLE` means that none exists."""

    NO_RESULT_AVAILABLE = 1, "noResultAvailable"
    UNDEFINED_ERROR = 127, "undefinedError"


class NotificationSentResult(
    ResultAnswer, answer="NotificationSentResponse", field="deleteNotificationStatus"
):
    """The result of removing a notification from the list."""

    OK = 0, "ok"
    NOTHING_TO_DELETE = 1, "nothingToDelete"
    UNDEFINED_ERROR = 127, "undefinedError"


class NotificationMetadata(Frozen):
    """An entry of the card's list of notifications.

    `sequence_number` is unique for the life of the card and may be 0. `address` is the receiving server, as
    the card wrote it: spaces and capitals occur. `iccid` may be missing.
    """

    sequence_number: int
    event: NotificationEvent
    address: str
    iccid: Iccid | None

    @classmethod
    def decode(cls, raw: bytes) -> NotificationMetadata:
        """Read a NotificationMetadata (BF2F).

        Raises:
            MalformedError: the bytes are not a NotificationMetadata, or lack the sequence number.
        """
        return cls.from_value(der.decode("NotificationMetadata", raw, lenient=True))

    @classmethod
    def from_value(cls, value: dict[str, Any]) -> NotificationMetadata:
        """Create an entry from the result of `der.decode` for NotificationMetadata.

        Raises:
            MalformedError: the sequence number is missing.
        """
        if "seqNumber" not in value:
            raise MalformedError("a notification lacks its sequence number")
        events = events_of(value.get("profileManagementOperation", (b"", 0)))
        return cls(
            sequence_number=value["seqNumber"],
            event=events[0] if events else NotificationEvent.UNKNOWN,
            address=value.get("notificationAddress", ""),
            iccid=iccid_of(value.get("iccid")),
        )


class ListNotificationRequest(Frozen):
    """ListNotification (BF28): for these events, or for all if `events` is empty."""

    events: tuple[NotificationEvent, ...] = ()

    def encode(self) -> bytes:
        """Return the request."""
        value = {"profileManagementOperation": event_bits(self.events)} if self.events else {}
        return der.encode("ListNotificationRequest", value)


class ListNotificationResponse(Frozen):
    """The card's answer (BF28): the list, ascending by sequence number, or the reason for a missing list.

    Equal entries count as one. `unreadable` counts broken entries and those without a sequence number, which
    cannot be retrieved. `repeated` contains each sequence number that several entries, even equal ones, have.
    """

    notifications: tuple[NotificationMetadata, ...]
    unreadable: int
    error: ListNotificationError | None
    repeated: frozenset[int] = frozenset()

    @classmethod
    def decode(cls, raw: bytes) -> ListNotificationResponse:
        """Read the answer.

        Raises:
            MalformedError: the answer is neither a list nor a refusal.
        """
        answer = _METADATA_LIST.read(raw)
        if isinstance(answer, int):
            return cls((), 0, ListNotificationError(answer))
        found: dict[NotificationMetadata, None] = {}
        numbers: Counter[int] = Counter()
        unreadable = 0
        for entry in (*(item.raw for item in answer.items), *answer.odd):
            try:
                metadata = NotificationMetadata.decode(entry)
            except MalformedError:
                unreadable += 1
            else:
                found[metadata] = None
                numbers[metadata.sequence_number] += 1
        ascending = sorted(found, key=lambda metadata: metadata.sequence_number)
        repeated = frozenset(number for number, entries in numbers.items() if entries > 1)
        return cls(tuple(ascending), unreadable, None, repeated)


class RetrieveNotificationsListRequest(Frozen):
    """RetrieveNotificationsList (BF2B).

    Asks for the notification with this sequence number, for those of these events, or for all.
    """

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


class PendingNotification(Frozen):
    """One notification with its signature; lpad sends `raw` to the server unchanged."""

    raw: bytes
    metadata: NotificationMetadata

    @classmethod
    def decode(cls, raw: bytes) -> PendingNotification:
        """Read a ProfileInstallationResult (BF37) or an OtherSignedNotification (30).

        Raises:
            MalformedError: the bytes are not a notification, or lack the metadata.
        """
        element = tlv.parse(raw)
        if element.tag == _INSTALLATION_RESULT:
            element = _child(element, _INSTALLATION_RESULT_DATA)
        elif element.tag != _OTHER_NOTIFICATION:
            raise MalformedError(f"element {element.tag:02X} is not a notification")
        return cls(raw, NotificationMetadata.decode(_child(element, _METADATA).raw))


class RetrieveNotificationsListResponse(Frozen):
    """The card's answer (BF2B).

    It contains the notifications, ascending by sequence number, or the reason for a missing list.

    `unreadable` counts elements that are not a known kind of notification, so that they have no known
    recipient.
    """

    notifications: tuple[PendingNotification, ...]
    unreadable: int
    error: RetrieveNotificationsError | None

    @classmethod
    def decode(cls, raw: bytes) -> RetrieveNotificationsListResponse:
        """Read the answer; an empty list and `noResultAvailable` mean that no notification exists.

        Notifications are read at any level, because some cards omit the list's own element (A0).

        Raises:
            MalformedError: the answer is neither a list nor a refusal.
        """
        answer = _NOTIFICATION_LIST.read(raw)
        if isinstance(answer, int):
            error = RetrieveNotificationsError(answer)
            return cls((), 0, None if error is RetrieveNotificationsError.NO_RESULT_AVAILABLE else error)
        found = [PendingNotification.decode(element.raw) for element in answer.items]
        found.sort(key=lambda notification: notification.metadata.sequence_number)
        return cls(tuple(found), len(answer.odd), None)


class NotificationSentRequest(Frozen):
    """RemoveNotificationFromList (BF30)."""

    sequence_number: int

    def encode(self) -> bytes:
        """Return the request."""
        return der.encode("NotificationSentRequest", {"seqNumber": self.sequence_number})


def signed_part(raw: bytes) -> bytes:
    """Return the signed part of a notification (BF27 or BF2F); some cards sign it again for each request.

    Args:
        raw: a notification: an element BF37 or 30.

    Returns:
        The element BF27 or BF2F, or all of `raw` if its parts cannot be distinguished.
    """
    try:
        return tlv.parse(raw).children()[0].raw
    except (MalformedError, IndexError):
        return raw


def _child(element: tlv.Tlv, tag: int) -> tlv.Tlv:
    """Return an element's first child with a tag, even if unreadable bytes follow the child."""
    for child in broken_list.whole_children(element.value)[0]:
        if child.tag == tag:
            return child
    raise MalformedError(f"element {element.tag:02X} lacks the mandatory element {tag:02X}")


def _sure_metadata(element: tlv.Tlv) -> Sureness:
    """Return how certain it is that an element is a complete NotificationMetadata."""
    if element.tag != _METADATA or not broken_list.is_padding(broken_list.whole_children(element.value)[1]):
        return Sureness.NONE
    try:
        metadata = NotificationMetadata.decode(element.raw)
    except MalformedError:
        return Sureness.NONE
    return Sureness.SURE if metadata.address else Sureness.PERHAPS


def _sure_notification(element: tlv.Tlv) -> Sureness:
    try:
        pending = PendingNotification.decode(element.raw)
    except MalformedError:
        return Sureness.NONE
    return Sureness.SURE if pending.metadata.address else Sureness.PERHAPS


_METADATA_LIST = ListOf("ListNotificationResponse", _LISTED, (_METADATA,), _sure_metadata, nests=True)
_NOTIFICATION_LIST = ListOf(
    "RetrieveNotificationsListResponse",
    _RETRIEVED,
    (_INSTALLATION_RESULT, _OTHER_NOTIFICATION),
    _sure_notification,
)
