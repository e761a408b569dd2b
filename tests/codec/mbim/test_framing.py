"""MBIM messages and fragments as bytes: written and read as in MBIM 1.0, and read from arbitrary input."""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpad.base.errors import InternalError, MalformedError
from lpad.codec.mbim.framing import (
    DEFAULT_TRANSFER,
    LEAST_TRANSFER,
    TO_FUNCTION,
    Fragment,
    decode,
    encode,
)
from lpad.codec.mbim.messages import (
    Action,
    Close,
    CloseDone,
    Command,
    CommandDone,
    FunctionError,
    HostError,
    Indication,
    Message,
    Open,
    OpenDone,
)
from lpad.codec.mbim.reassembly import Receiver
from lpad.codec.mbim.services import BASIC_CONNECT, UICC, Basic, Uicc

U32 = st.integers(0, 0xFFFFFFFF)
TRANSACTION = st.integers(1, 0xFFFFFFFF)
INFO = st.binary(max_size=700)


def _made(kind: type[Any], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for messages of a type; `st.builds` would evaluate the type's annotations."""
    return st.fixed_dictionaries(fields).map(lambda values: kind(**values))


MESSAGES: st.SearchStrategy[Message] = st.one_of(
    _made(Open, transaction=TRANSACTION, max_transfer=U32),
    _made(OpenDone, transaction=TRANSACTION, status=U32),
    _made(Close, transaction=TRANSACTION),
    _made(CloseDone, transaction=TRANSACTION, status=U32),
    _made(HostError, transaction=TRANSACTION, error=U32),
    _made(FunctionError, transaction=TRANSACTION, error=U32),
    _made(Command, transaction=TRANSACTION, service=st.uuids(), cid=U32, action=U32, info=INFO),
    _made(CommandDone, transaction=TRANSACTION, service=st.uuids(), cid=U32, status=U32, info=INFO),
    _made(Indication, service=st.uuids(), cid=U32, info=INFO),
)
ALL_TYPES = TO_FUNCTION | frozenset(number | 0x80000000 for number in (1, 2, 3, 4, 7))

VECTORS = [
    (Open(transaction=1, max_transfer=4096), "01000000 10000000 01000000 00100000"),
    (OpenDone(transaction=1, status=0), "01000080 10000000 01000000 00000000"),
    (Close(transaction=2), "02000000 0C000000 02000000"),
    (CloseDone(transaction=2, status=0), "02000080 10000000 02000000 00000000"),
    (FunctionError(transaction=3, error=5), "04000080 10000000 03000000 05000000"),
    (HostError(transaction=3, error=1), "04000000 10000000 03000000 01000000"),
    (
        Command(transaction=5, service=BASIC_CONNECT, cid=Basic.DEVICE_CAPS),
        (
            "03000000 30000000 05000000 01000000 00000000 A289CC33BCBB8B4FB6B0133EC2AAE6DF 01000000 00000000"
            " 00000000"
        ),
    ),
    (
        Command(
            transaction=6,
            service=UICC,
            cid=Uicc.CLOSE_CHANNEL,
            action=Action.SET,
            info=bytes([0] * 4 + [1, 0, 0, 0]),
        ),
        (
            "03000000 38000000 06000000 01000000 00000000 C2F6588EF0374BC98665F4D44BD09367 03000000 01000000"
            " 08000000 00000000 01000000"
        ),
    ),
    (
        CommandDone(transaction=6, service=UICC, cid=Uicc.CLOSE_CHANNEL, info=b"\x90\0\0\0"),
        (
            "03000080 34000000 06000000 01000000 00000000 C2F6588EF0374BC98665F4D44BD09367 03000000 00000000"
            " 04000000 90000000"
        ),
    ),
    (
        Indication(service=BASIC_CONNECT, cid=Basic.RADIO_STATE, info=bytes.fromhex("0100000001000000")),
        (
            "07000080 34000000 00000000 01000000 00000000 A289CC33BCBB8B4FB6B0133EC2AAE6DF 03000000 08000000"
            " 01000000 01000000"
        ),
    ),
]


@pytest.mark.parametrize(("message", "octets"), VECTORS, ids=lambda each: type(each).__name__)
def test_writes_and_reads_each_message_by_the_letter(message: Message, octets: str) -> None:
    """Type, length and transaction come first, then the fragment header, then the body (MBIM 1.0, 9)."""
    raw = bytes.fromhex(octets)
    assert encode(message) == (raw,)
    assert decode(raw) == message


@given(MESSAGES, st.integers(LEAST_TRANSFER, DEFAULT_TRANSFER), st.integers(1, 64))
def test_every_message_comes_back_whole(message: Message, most: int, piece: int) -> None:
    """Each message is put together again, whatever the size of fragments and of the pieces that arrive."""
    fragments = encode(message, max_transfer=most)
    assert all(len(each) <= most for each in fragments)
    stream = b"".join(fragments)
    receiver = Receiver(types=ALL_TYPES)
    found = [
        each for at in range(0, len(stream), piece) for each in receiver.receive(stream[at : at + piece])
    ]
    assert found == [message]
    assert (receiver.noise, receiver.broken) == (0, 0)


@given(st.lists(MESSAGES, max_size=5), st.binary(max_size=100))
def test_finds_the_next_message_after_noise(messages: list[Message], noise: bytes) -> None:
    """Bytes that are not a message are skipped; the next complete message is found."""
    receiver = Receiver(types=ALL_TYPES)
    zeros = bytes(200)  # This ends any message that the noise may have begun, which is at most 64 KiB long.
    receiver.receive(noise + zeros)
    receiver.forget()
    found = receiver.receive(zeros + b"".join(b"".join(encode(each)) for each in messages))
    assert found == messages
    assert receiver.noise >= len(zeros)


@given(st.binary(max_size=400))
def test_any_bytes_are_a_message_or_an_error(raw: bytes) -> None:
    """Whatever the bytes are, the parser raises only one kind of error, and the receiver raises none."""
    receiver = Receiver(types=ALL_TYPES)
    receiver.receive(raw)
    with suppress(MalformedError):
        decode(raw)


@given(MESSAGES, st.data())
def test_a_damaged_message_does_not_hide_the_next(message: Message, data: st.DataObject) -> None:
    """After a cut message, or one with a damaged body, the next message is read."""
    raw = bytearray(encode(message)[0])
    at = data.draw(st.integers(12, len(raw))) if len(raw) > 12 else 12
    if at < len(raw):
        raw[at] ^= data.draw(st.integers(1, 255))
    receiver = Receiver(types=ALL_TYPES)
    receiver.receive(bytes(raw))
    receiver.forget()
    assert receiver.receive(encode(Close(transaction=9))[0]) == [Close(transaction=9)]


def fragments_of(info: bytes) -> tuple[bytes, ...]:
    done = CommandDone(transaction=7, service=UICC, cid=Uicc.APDU, info=info)
    return encode(done, max_transfer=64)


def test_only_the_first_fragment_repeats_service_and_command() -> None:
    """Only the first fragment has service and command; the others continue the buffer after 20 bytes."""
    first, second, *rest = fragments_of(bytes(range(100)))
    assert len(first) == 64
    assert first[48:] == bytes(range(16))
    assert second[:20] == struct.pack("<IIIII", 0x80000003, 64, 7, 3, 1)
    assert second[20:] == bytes(range(16, 60))
    assert [each[20:] for each in rest] == [bytes(range(60, 100))]


@pytest.mark.parametrize(
    "order", [(0, 2), (1, 0), (0, 0, 2), (0, 1, 1)], ids=["left out", "late", "begun again", "twice"]
)
def test_fragments_out_of_order_are_given_up(order: tuple[int, ...]) -> None:
    """No message is put together from fragments out of order; a later complete message is read."""
    fragments = fragments_of(bytes(120))
    receiver = Receiver()
    assert receiver.receive(b"".join(fragments[each] for each in order)) == []
    assert receiver.broken
    receiver.forget()
    assert len(receiver.receive(b"".join(fragments))) == 1


def test_fragments_of_two_messages_may_take_turns() -> None:
    """An indication may arrive between two fragments of an answer; both messages are read."""
    one = fragments_of(bytes(100))
    other = encode(Indication(service=BASIC_CONNECT, cid=2, info=bytes(100)), max_transfer=64)
    receiver = Receiver()
    assert len(one) == len(other)
    found = receiver.receive(b"".join(each for pair in zip(one, other, strict=True) for each in pair))
    assert [type(each) for each in found] == [CommandDone, Indication]
    assert receiver.broken == 0


def test_unfinished_messages_do_not_pile_up() -> None:
    """If the modem never finishes its messages, they take only a limited amount of memory."""
    receiver = Receiver()
    for transaction in range(1, 1000):
        head = encode(
            CommandDone(transaction=transaction, service=UICC, cid=4, info=bytes(100)), max_transfer=64
        )[0]
        receiver.receive(head)
    assert len(receiver._unfinished) <= 8
    assert receiver.broken >= 990


def test_endless_fragments_are_given_up() -> None:
    """A message that never ends is dropped at the limit, whatever number of fragments it announces."""
    receiver = Receiver()
    for index in range(40):
        body = bytes(60_000)
        receiver.receive(struct.pack("<IIIII", 0x80000003, 20 + len(body), 7, 0xFFFFFFFF, index) + body)
    assert receiver.broken
    assert sum(len(part.payload) for parts in receiver._unfinished.values() for part in parts) <= 128 * 1024


def test_a_fragment_is_distinguished_from_a_message() -> None:
    """Decoding a single fragment returns its place and its part of the body."""
    found = decode(fragments_of(bytes(100))[1])
    assert isinstance(found, Fragment)
    assert (found.total, found.current, len(found.payload)) == (3, 1, 44)


@pytest.mark.parametrize(
    ("octets", "says"),
    [
        ("", "at least 12 bytes"),
        ("01000080 10000000 01000000", "announces 16 bytes"),
        ("01000080 0C000000 01000000", "at least 16 bytes"),
        ("99000080 0C000000 01000000", "type 0x80000099"),
        ("03000080 10000000 01000000 01000000", "at least 20 bytes"),
        ("03000080 14000000 01000000 02000000 02000000", "fragment 2 of 2"),
        ("03000080 14000000 01000000 01000000 00000000", "fewer than its head"),
        ("03000080 30000000 01000000 01000000 00000000" + "00" * 24 + "01000000", "0 follow"),
    ],
)
def test_the_error_of_a_malformed_message_has_its_numbers(octets: str, says: str) -> None:
    """The error for a malformed message contains the numbers that contradict each other."""
    with pytest.raises(MalformedError, match=says):
        decode(bytes.fromhex(octets))


def test_refuses_fragments_that_are_too_small() -> None:
    """A fragment size that is too small for the fragment's own head is refused."""
    with pytest.raises(InternalError):
        encode(Command(transaction=1, service=UUID(int=0), cid=1), max_transfer=20)
