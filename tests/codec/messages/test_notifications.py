"""Notifications: the list, the signed ones, their removal."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lpad.base.errors import MalformedError
from lpad.base.identifiers import Iccid
from lpad.codec.asn1 import named_bits, tlv
from lpad.codec.messages.metadata import NotificationEvent
from lpad.codec.messages.notifications import (
    ListNotificationError,
    ListNotificationRequest,
    ListNotificationResponse,
    NotificationMetadata,
    NotificationSentRequest,
    NotificationSentResult,
    PendingNotification,
    RetrieveNotificationsError,
    RetrieveNotificationsListRequest,
    RetrieveNotificationsListResponse,
)
from lpad.simulator.asn1.schema import Schema

ICCID = bytes.fromhex("98001032547698103214")


def metadata(number: int, *, bit: int = 1, address: str = "a.example.com") -> bytes:
    value = {
        "seqNumber": number,
        "profileManagementOperation": named_bits.of([bit]),
        "notificationAddress": address,
        "iccid": ICCID,
    }
    return Schema.compile().encode("NotificationMetadata", value)


def signed(number: int) -> bytes:
    return tlv.encode(0x30, metadata(number), tlv.encode(0x5F37, bytes(64)), b"\x30\x00", b"\x30\x00")


def installed(number: int) -> bytes:
    data = tlv.encode(
        0xBF27, tlv.encode(0x80, b"1"), metadata(number, bit=0), tlv.encode(0x06, b"\x88\x37\x0a")
    )
    return tlv.encode(0xBF37, data, tlv.encode(0x5F37, bytes(64)))


def listed(*elements: bytes) -> bytes:
    return tlv.encode(0xBF28, tlv.encode(0xA0, *elements))


def retrieved(*elements: bytes) -> bytes:
    return tlv.encode(0xBF2B, tlv.encode(0xA0, *elements))


@pytest.mark.parametrize("number", [0, 127, 128, 32768, 2**31 - 1])
def test_sequence_numbers_of_any_size_are_read(number: int) -> None:
    """Sequence numbers of any size, even 0, are read and requested."""
    read = NotificationMetadata.decode(metadata(number))
    assert read == NotificationMetadata(
        number, NotificationEvent.ENABLE, "a.example.com", Iccid.from_bytes(ICCID)
    )
    request = RetrieveNotificationsListRequest(number).encode()
    assert Schema.compile().decode("RetrieveNotificationsListRequest", request) == {
        "searchCriteria": ("seqNumber", number)
    }
    removal = NotificationSentRequest(number).encode()
    assert Schema.compile().decode("NotificationSentRequest", removal) == {"seqNumber": number}


@pytest.mark.parametrize("bits", ["0780", "0080", "0480"])
def test_events_are_read_in_every_spelling(bits: str) -> None:
    """An event's bit string may be trimmed, a whole byte, or in between."""
    raw = tlv.encode(0xBF2F, b"\x80\x01\x05", tlv.encode(0x81, bytes.fromhex(bits)), b"\x0c\x01a")
    assert NotificationMetadata.decode(raw).event is NotificationEvent.INSTALL


@pytest.mark.parametrize("bits", ["00", "0308"])
def test_events_without_a_name(bits: str) -> None:
    """A notification without an event bit, or with a bit of a later version, has an unknown event."""
    raw = tlv.encode(0xBF2F, b"\x80\x01\x05", tlv.encode(0x81, bytes.fromhex(bits)), b"\x0c\x01a")
    assert NotificationMetadata.decode(raw).event is NotificationEvent.UNKNOWN


def test_a_card_that_says_little() -> None:
    """A notification is identified by its number; ICCID and address may be missing or odd."""
    read = NotificationMetadata.decode(bytes.fromhex("BF2F08800105 5A03010203"))
    assert read == NotificationMetadata(5, NotificationEvent.UNKNOWN, "", None)
    with pytest.raises(MalformedError, match="sequence number"):
        NotificationMetadata.decode(bytes.fromhex("BF2F030C0161"))


def test_a_list_is_requested_for_all_or_some_events() -> None:
    """The request is for all notifications, or for notifications of some events."""
    assert ListNotificationRequest().encode().hex() == "bf2800"
    some = ListNotificationRequest((NotificationEvent.INSTALL, NotificationEvent.DELETE))
    assert some.encode().hex() == "bf280481020490"


def test_a_list_is_in_the_order_of_sending() -> None:
    """The list is in the order in which notifications must be sent, whatever order the card uses."""
    answer = ListNotificationResponse.decode(listed(metadata(9), metadata(0), metadata(130)))
    assert [entry.sequence_number for entry in answer.notifications] == [0, 9, 130]
    assert answer.error is None


@pytest.mark.parametrize("empty", ["BF2802A000", "BF2800"])
def test_an_empty_list(empty: str) -> None:
    """An empty list is read, with the list's own element or without."""
    answer = ListNotificationResponse.decode(bytes.fromhex(empty))
    assert (answer.notifications, answer.unreadable, answer.error) == ((), 0, None)


def test_an_entry_without_number() -> None:
    """An entry without a number is counted, not listed, and does not hide the others."""
    answer = ListNotificationResponse.decode(listed(tlv.encode(0xBF2F, b"\x0c\x01a"), metadata(7)))
    assert [entry.sequence_number for entry in answer.notifications] == [7]
    assert answer.unreadable == 1


def test_a_refusal_to_list_is_an_error() -> None:
    """A card's refusal to list its notifications is read as an error."""
    assert ListNotificationResponse.decode(bytes.fromhex("BF280381017F")).error is (
        ListNotificationError.UNDEFINED_ERROR
    )


def test_notifications_are_requested_by_number_or_event() -> None:
    """The request is for one notification, for all, or for those of some events."""
    assert RetrieveNotificationsListRequest(5).encode().hex() == "bf2b05a003800105"
    assert RetrieveNotificationsListRequest().encode().hex() == "bf2b00"
    some = RetrieveNotificationsListRequest(events=(NotificationEvent.ENABLE,))
    assert some.encode().hex() == "bf2b06a00481020640"


def test_both_kinds_are_kept_as_they_came() -> None:
    """Installation results and other notifications are read as far as needed, and kept byte for byte."""
    answer = RetrieveNotificationsListResponse.decode(retrieved(signed(7), installed(3)))
    assert [pending.raw for pending in answer.notifications] == [installed(3), signed(7)]
    assert [pending.metadata.sequence_number for pending in answer.notifications] == [3, 7]
    assert answer.unreadable == 0


def test_unknown_kinds_are_counted() -> None:
    """A kind of notification that only later versions know does not hide the others."""
    answer = RetrieveNotificationsListResponse.decode(
        retrieved(tlv.encode(0xA1), signed(7), tlv.encode(0x30))
    )
    assert [pending.metadata.sequence_number for pending in answer.notifications] == [7]
    assert answer.unreadable == 2


def test_a_bare_list() -> None:
    """Notifications in an answer without the list's own element are read, too."""
    answer = RetrieveNotificationsListResponse.decode(tlv.encode(0xBF2B, signed(7), installed(3)))
    assert [pending.raw for pending in answer.notifications] == [installed(3), signed(7)]
    assert (answer.unreadable, answer.error) == (0, None)


@pytest.mark.parametrize("data", ["BF2B02A000", "BF2B00", "BF2B03810101"])
def test_a_number_that_is_gone(data: str) -> None:
    """For a number that it no longer has, a card answers with an empty list, nothing, or error 1."""
    answer = RetrieveNotificationsListResponse.decode(bytes.fromhex(data))
    assert (answer.notifications, answer.error) == ((), None)


def test_a_refusal_to_retrieve_is_an_error() -> None:
    """A refusal to retrieve, with a code other than 1, is read as an error."""
    answer = RetrieveNotificationsListResponse.decode(bytes.fromhex("BF2B0381017F"))
    assert answer.error is RetrieveNotificationsError.UNDEFINED_ERROR


@pytest.mark.parametrize(("code", "result"), [(0, "OK"), (1, "NOTHING_TO_DELETE"), (127, "UNDEFINED_ERROR")])
def test_the_results_of_a_removal_are_read(code: int, result: str) -> None:
    """The card's answer says that a notification was removed, that it was already gone, or that it stays."""
    assert NotificationSentResult.decode(bytes([0xBF, 0x30, 3, 0x80, 1, code])).name == result


@pytest.mark.parametrize("data", ["", "BF2802A500", "BF2B02A500", "3000", "BF3700", "BF2F00", "BF310180"])
def test_other_answers_are_malformed(data: str) -> None:
    """Any answer other than the defined ones is malformed."""
    for decode in (
        ListNotificationResponse.decode,
        RetrieveNotificationsListResponse.decode,
        PendingNotification.decode,
        NotificationMetadata.decode,
        NotificationSentResult.decode,
    ):
        with pytest.raises(MalformedError):
            decode(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("raw", "unreadable"),
    [
        (tlv.encode(0xBF28, metadata(1), metadata(2)), 0),
        (tlv.encode(0xBF28, tlv.encode(0xA0, metadata(1)), metadata(2)), 0),
        (listed(metadata(1), metadata(1), metadata(2)) + b"\xff\xff", 0),
        (listed(tlv.encode(0xBF2F, metadata(1)), metadata(2)), 1),
        (listed(metadata(1), tlv.encode(0xE3, b"abc"), metadata(2)), 1),
        (listed(metadata(1), tlv.encode(0xBF2F, bytes.fromhex("800102"), b"\x0c\x50a")), 0),
        (listed(metadata(1), metadata(2), metadata(3)[:9]), 1),
        (b"\xbf\x28\x10\xa0\x10" + metadata(1) + metadata(2), 0),
    ],
)
def test_nothing_odd_hides_an_entry(raw: bytes, unreadable: int) -> None:
    """Sequence numbers are read despite a missing A0, wrong lengths, padding, or odd entries in the list."""
    answer = ListNotificationResponse.decode(raw)
    assert [entry.sequence_number for entry in answer.notifications] == [1, 2]
    assert answer.unreadable == unreadable


@given(st.binary(max_size=60), st.binary(max_size=30), st.binary(max_size=30))
@example(b"\xbf\x2f" + bytes([len(metadata(2))]), b"", b"")
@example(b"\x30\x7f", b"\xa0\x20", b"\x30")
def test_no_bytes_hide_a_notification(between: bytes, before: bytes, behind: bytes) -> None:
    """All notifications in both lists are read, whatever bytes are before, between and after them."""
    answer = ListNotificationResponse.decode(listed(before, metadata(1), between, metadata(2), behind))
    assert {1, 2} <= {entry.sequence_number for entry in answer.notifications}
    whole = RetrieveNotificationsListResponse.decode(
        retrieved(before, signed(1), between, installed(2), behind)
    )
    assert {signed(1), installed(2)} <= {pending.raw for pending in whole.notifications}


def test_odd_extra_data_in_a_notification() -> None:
    """Bytes after the metadata, and unknown elements, do not stop a notification's delivery."""
    odd = tlv.encode(0x30, metadata(7), tlv.encode(0x5F37, bytes(64)), b"\x9f\x99\x01x", b"\x30\x50")
    (pending,) = RetrieveNotificationsListResponse.decode(retrieved(odd)).notifications
    assert (pending.raw, pending.metadata.sequence_number) == (odd, 7)
