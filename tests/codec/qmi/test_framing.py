"""QMUX frames as bytes: known messages, messages that are written and read again, and arbitrary input."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lpad.base.errors import InternalError, MalformedError
from lpad.codec.qmi import card, control
from lpad.codec.qmi.framing import (
    LARGEST_FRAME,
    MOST_CONTROL_TRANSACTION,
    MOST_TRANSACTION,
    Direction,
    Kind,
    Message,
    decode,
    encode,
)
from lpad.codec.qmi.message_parameters import encode as written
from lpad.codec.qmi.message_parameters import encode_result
from lpad.codec.qmi.message_stream_splitting import Receiver
from lpad.codec.qmi.services import Ctl, Service, Uim

ISD_R = bytes.fromhex("A0000005591010FFFFFFFF8900000100")


def message(body: Any, *, client: int, transaction: int) -> Message:
    return Message(
        kind=Kind.REQUEST,
        service=body.SERVICE,
        client=client,
        transaction=transaction,
        number=body.MESSAGE,
        parameters=written(body),
    )


ALLOCATED = Message(
    kind=Kind.RESPONSE,
    service=Service.CTL,
    client=0,
    transaction=1,
    number=Ctl.ALLOCATE_CLIENT,
    parameters=(
        encode_result(0),
        *written(control.AllocatedClient(client=control.Client(service=Service.UIM, client=4))),
    ),
)
VECTORS = [
    (
        message(control.AllocateClient(service=Service.UIM), client=0, transaction=1),
        "01 0F00 00 00 00 | 00 01 2200 0400 | 01 0100 0B",
    ),
    (ALLOCATED, "01 1700 80 00 00 | 01 01 2200 0C00 | 02 0400 0000 0000 | 01 0200 0B 04"),
    (
        message(card.OpenLogicalChannel(slot=1, aid=ISD_R), client=4, transaction=2),
        "01 2400 00 0B 04 | 00 0200 4200 1800 | 01 0100 01 | 10 1100 10 A0000005591010FFFFFFFF8900000100",
    ),
    (
        message(
            card.SendApdu(slot=1, apdu=bytes.fromhex("81E2910006BF3E035C015A"), channel=1),
            client=4,
            transaction=3,
        ),
        (
            "01 2400 00 0B 04 | 00 0300 3B00 1800 | 01 0100 01"
            " | 02 0D00 0B00 81E2910006BF3E035C015A | 10 0100 01"
        ),
    ),
    (
        message(card.CloseLogicalChannel(slot=1, channel=1), client=4, transaction=4),
        "01 1400 00 0B 04 | 00 0400 3F00 0800 | 01 0100 01 | 11 0100 01",
    ),
    (
        Message(
            kind=Kind.INDICATION, service=Service.UIM, client=0xFF, transaction=0, number=Uim.CARD_STATUS
        ),
        "01 0C00 80 0B FF | 04 0000 3200 0000",
    ),
]


def raw(text: str) -> bytes:
    return bytes.fromhex(text.replace("|", ""))


@pytest.mark.parametrize(("known", "text"), VECTORS)
def test_known_messages_are_read_and_written(known: Message, text: str) -> None:
    """Each message is written as the listed bytes, and these bytes are read as that message."""
    assert encode(known) == raw(text)
    assert decode(raw(text)) == known


PARAMETERS = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=4).map(tuple)
TO_HOST = st.one_of(
    st.builds(
        Message,
        kind=st.sampled_from([Kind.RESPONSE, Kind.INDICATION]),
        service=st.just(0),
        client=st.sampled_from([0, 0xFF]),
        transaction=st.integers(0, MOST_CONTROL_TRANSACTION),
        number=st.integers(0, 0xFFFF),
        parameters=PARAMETERS,
    ),
    st.builds(
        Message,
        kind=st.sampled_from([Kind.RESPONSE, Kind.INDICATION]),
        service=st.integers(1, 255),
        client=st.integers(1, 255),
        transaction=st.integers(0, MOST_TRANSACTION),
        number=st.integers(0, 0xFFFF),
        parameters=PARAMETERS,
    ),
)


@settings(deadline=None)
@given(TO_HOST)
def test_written_messages_are_read_unchanged(sent: Message) -> None:
    """Each message of each service that is written is read back unchanged."""
    assert decode(encode(sent)) == sent


@settings(deadline=None)
@given(st.lists(TO_HOST, max_size=4), st.integers(1, 40))
def test_a_stream_is_cut_at_its_lengths(sent: list[Message], size: int) -> None:
    """Reads of any size return the same messages in their order."""
    stream = b"".join(map(encode, sent))
    receiver = Receiver()
    found = []
    for at in range(0, len(stream), size):
        found += receiver.receive(stream[at : at + size])
    assert found == sent
    assert (receiver.noise, receiver.broken) == (0, 0)


def test_a_message_is_found_after_noise() -> None:
    """Bytes that begin no frame are skipped and counted, as are those of a frame in the other direction."""
    receiver = Receiver()
    ours = raw(VECTORS[0][1])
    assert receiver.receive(b"\r\nRDY\r\n" + ours + encode(ALLOCATED)) == [ALLOCATED]
    assert receiver.noise == 7 + len(ours)


@pytest.mark.parametrize(
    "text",
    [
        "01 0D00 80 0B 04 | 07 0000 3200 0000 00",  # unknown flags
        "01 0D00 80 0B 04 | 02 0100 3200 0900 00",  # parameters longer than the frame
        "01 0D00 80 0B 04 | 02 0100 3200 0100 00",  # a parameter without length
        "01 0F00 80 0B 04 | 02 0100 3200 0300 | 01 0900",  # a parameter longer than the message
    ],
)
def test_a_frame_without_a_message_is_dropped(text: str) -> None:
    """A frame whose message is malformed is counted as broken, and the next frame is read."""
    receiver = Receiver()
    assert receiver.receive(raw(text) + encode(ALLOCATED)) == [ALLOCATED]
    assert receiver.broken == 1
    with pytest.raises(MalformedError):
        decode(raw(text))


@pytest.mark.parametrize("text", ["", "01", "01 0500 80 0B 04", "02 0C00 80 0B FF | 04 0000 3200 0000"])
def test_invalid_frames_are_refused(text: str) -> None:
    """A frame that is too short, or that lacks the marker, is refused."""
    with pytest.raises(MalformedError):
        decode(raw(text))


@settings(deadline=None)
@given(st.binary(max_size=200), st.integers(0, 200))
def test_nothing_that_arrives_raises(noise: bytes, cut: int) -> None:
    """Whatever the port returns, the receiver continues, and finds the next message after a `forget`."""
    receiver = Receiver()
    receiver.receive(noise[:cut])
    receiver.receive(noise[cut:])
    receiver.forget()
    assert receiver.receive(encode(ALLOCATED)) == [ALLOCATED]
    with suppress(MalformedError):
        decode(noise)


def test_a_message_too_long_for_a_frame_is_refused() -> None:
    """A message that is too long for the two-byte length field is refused."""
    long = Message(
        kind=Kind.REQUEST,
        service=11,
        client=1,
        transaction=1,
        number=1,
        parameters=((1, bytes(LARGEST_FRAME)),),
    )
    with pytest.raises(InternalError, match="too long"):
        encode(long)


def test_the_log_never_shows_parameters() -> None:
    """The log leaves parameters out, because they may contain an APDU or a PIN."""
    shown = repr(VECTORS[3][0])
    assert "BF3E" not in shown.upper()
    assert "number=0x003b" in shown


def test_a_host_and_a_modem_hear_only_each_other() -> None:
    """Only frames of the other direction are read, so that an echo does not count as an answer."""
    request = raw(VECTORS[0][1])
    assert Receiver(Direction.TO_HOST).receive(request) == []
    assert Receiver(Direction.TO_MODEM).receive(request) == [VECTORS[0][0]]
