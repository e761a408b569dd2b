"""APDUs, class bytes, STORE DATA blocks and the exchange."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import lpad
from lpad.base.errors import InternalError, InvalidValue, MalformedError
from lpad.codec import es10_intents
from lpad.protocol.apdu import (
    LARGEST_ANSWER,
    Apdu,
    Command,
    Exchange,
    Response,
    channel_of,
    class_byte,
    store_data,
)

_HEX = re.compile(r"([0-9A-F]{2})?E2([0-9A-F]{2})*$", re.IGNORECASE)
"""Hexadecimal digits whose first or second byte is the number of STORE DATA."""
BLOCK = Command(0x80, 0xE2, 0x91, 0x00, b"\xbf\x2d\x00")


@pytest.mark.parametrize(
    ("channel", "interindustry", "proprietary"),
    [(0, 0x00, 0x80), (1, 0x01, 0x81), (3, 0x03, 0x83), (4, 0x40, 0xC0), (5, 0x41, 0xC1), (19, 0x4F, 0xCF)],
)
def test_class_bytes_of_channels(channel: int, interindustry: int, proprietary: int) -> None:
    """In the class byte, channels 0 to 3 use two bits, and channels 4 to 19 use four bits."""
    assert class_byte(0x00, channel) == interindustry
    assert class_byte(0x80, channel) == proprietary
    assert channel_of(interindustry) == channel_of(proprietary) == channel


def test_channel_20_has_no_class_byte() -> None:
    """A class byte for channel 20 is an internal error."""
    with pytest.raises(InternalError):
        class_byte(0x80, 20)


@pytest.mark.parametrize(
    "raw", ["00A40004", "0070000001", "80E2910003BF2D00", "80E2910003BF2D0000", "00C0000000"]
)
def test_commands_parse_and_print_alike(raw: str) -> None:
    """Commands in all four cases of a short APDU are parsed and printed unchanged."""
    assert bytes(Command.parse(bytes.fromhex(raw))) == bytes.fromhex(raw)


def test_le_of_00_means_256() -> None:
    """An Le of 00 is parsed as 256."""
    assert Command.parse(bytes.fromhex("00C0000000")).le == 256


@pytest.mark.parametrize("raw", ["", "00A400", "80E2910003BF2D", "80E2910000BF2D00", "80E2910001BF2D00"])
def test_crooked_commands_are_malformed(raw: str) -> None:
    """A command that is too short, or whose Lc contradicts its bytes, is malformed."""
    with pytest.raises(MalformedError):
        Command.parse(bytes.fromhex(raw))


def test_a_response_without_status_word_is_malformed() -> None:
    """A card's answer of fewer than two bytes is malformed."""
    with pytest.raises(MalformedError):
        Response.parse(b"\x90")


@pytest.mark.parametrize(
    ("sw", "ok", "pending"),
    [(0x9000, True, None), (0x910B, True, 11), (0x9100, True, 256), (0x6985, False, None)],
)
def test_success_is_9000_or_91xx(sw: int, ok: bool, pending: int | None) -> None:  # noqa: FBT001 - a column
    """9000 and 91xx are success; 91xx also gives the length of the waiting proactive command."""
    response = Response(b"", sw)
    assert response.ok is ok
    assert response.pending == pending


@given(st.binary(min_size=1, max_size=3000), st.integers(min_value=12, max_value=255))
def test_blocks_join_to_the_command(data: bytes, block_size: int) -> None:
    """STORE DATA blocks join to the command, are numbered in P2, and only the last is marked so."""
    blocks = store_data(data, block_size=block_size)
    assert b"".join(block.data for block in blocks) == data
    assert [block.p2 for block in blocks] == list(range(len(blocks)))
    assert [block.p1 for block in blocks] == [0x11] * (len(blocks) - 1) + [0x91]
    assert all(0 < len(block.data) <= block_size for block in blocks)
    assert len(blocks) == -(-len(data) // block_size)


def test_256_blocks_are_the_most() -> None:
    """A command may have 256 blocks; for more, the error names a sufficient block size."""
    assert store_data(bytes(256 * 63), block_size=63)[-1].p2 == 0xFF
    with pytest.raises(InvalidValue, match="block size of 64"):
        store_data(bytes(256 * 63 + 1), block_size=63)
    with pytest.raises(InvalidValue, match="exceeds the limit of a card"):
        store_data(bytes(256 * 255 + 1))


@pytest.mark.parametrize("block_size", [0, 256])
def test_block_size_has_a_range(block_size: int) -> None:
    """A block size outside of 1 to 255 is refused."""
    with pytest.raises(InvalidValue):
        store_data(b"\x01", block_size=block_size)


def play(exchange: Exchange, *answers: str) -> list[str]:
    """Feed answers to an exchange in order; return the command that was sent before each answer."""
    sent = []
    for answer in answers:
        assert exchange.to_send is not None
        sent.append(bytes(exchange.to_send).hex().upper())
        exchange.feed(bytes.fromhex(answer))
    return sent


def test_a_plain_answer_ends_an_exchange() -> None:
    """After an answer with data and 9000, the exchange needs no further command."""
    exchange = Exchange(BLOCK)
    assert play(exchange, "BF2D009000") == ["80E2910003BF2D00"]
    assert exchange.response == Response(b"\xbf\x2d\x00", 0x9000)
    assert exchange.to_send is None


def test_61xx_is_followed_to_the_end() -> None:
    """GET RESPONSE requests the length in each 61xx (00 for 256) on the command's channel."""
    exchange = Exchange(BLOCK.on_channel(2))
    sent = play(exchange, "6100", "AA" * 256 + "6102", "BBBB9000")
    assert sent[1:] == ["02C0000000", "02C0000002"]
    assert exchange.response == Response(b"\xaa" * 256 + b"\xbb\xbb", 0x9000)


def test_data_may_come_with_61xx() -> None:
    """Data that come together with 61xx are part of the answer."""
    exchange = Exchange(BLOCK)
    play(exchange, "AA" * 256 + "6101", "BB9000")
    assert exchange.response == Response(b"\xaa" * 256 + b"\xbb", 0x9000)


def test_a_lost_answer_is_asked_for_again() -> None:
    """If the card refuses GET RESPONSE because the answer is lost, lpad repeats its command.

    Only a repeatable command is repeated.
    """
    exchange = Exchange(replace(BLOCK, intent=es10_intents.GET_PROFILES_INFO))
    sent = play(exchange, "6110", "6985", "6102", "BBBB9000")
    assert sent == ["80E2910003BF2D00", "00C0000010", "80E2910003BF2D00", "00C0000002"]
    assert exchange.response == Response(b"\xbb\xbb", 0x9000)


def test_an_answer_that_is_lost_in_the_middle() -> None:
    """If an answer is lost in the middle, its earlier portions are dropped, and lpad asks again."""
    exchange = Exchange(replace(BLOCK, intent=es10_intents.GET_PROFILES_INFO))
    play(exchange, "6110", "AAAA6102", "6985", "6104", "BBBBBBBB9000")
    assert exchange.response == Response(b"\xbb" * 4, 0x9000)


def test_an_answer_that_is_lost_each_time() -> None:
    """If the answer is lost even after three repetitions, the result is the status word of GET RESPONSE."""
    exchange = Exchange(replace(BLOCK, intent=es10_intents.GET_PROFILES_INFO))
    play(exchange, *["6110", "6985"] * 4)
    assert exchange.response == Response(b"", 0x6985)


@pytest.mark.parametrize(
    "command",
    [
        BLOCK,
        replace(BLOCK, intent=es10_intents.DELETE_PROFILE),
        replace(BLOCK, p2=1, intent=es10_intents.GET_PROFILES_INFO),
    ],
    ids=["unstated", "altering", "second-block"],
)
def test_only_a_repeatable_command_is_sent_again(command: Command) -> None:
    """A command that may alter the card, or is a later block of a chain, is not repeated."""
    exchange = Exchange(command)
    play(exchange, "6110", "6985")
    assert exchange.response == Response(b"", 0x6985)


def test_a_refused_command_is_not_sent_again() -> None:
    """Lpad repeats a command only after a lost answer, and not after a refusal."""
    exchange = Exchange(replace(BLOCK, intent=es10_intents.GET_PROFILES_INFO))
    play(exchange, "6985")
    assert exchange.response == Response(b"", 0x6985)


def test_get_response_on_a_further_channel_has_its_class_byte() -> None:
    """On channel 5 the class byte is 41 for interindustry commands, and C1 for proprietary ones."""
    sent = play(Exchange(BLOCK.on_channel(5)), "6110", "9000")
    assert sent == ["C1E2910003BF2D00", "41C0000010"]


@pytest.mark.parametrize(
    ("apdu", "block", "unfinished"),
    [
        ("80E2910003BF2D00", 0, False),
        ("C1E2110303BF2D00", 3, True),
        ("00E2910003BF2D00", None, False),  # APPEND RECORD, ISO/IEC 7816-4
        ("00A4040000", None, False),
    ],
)
def test_p1_and_p2_give_the_place_in_a_chain(apdu: str, block: int | None, unfinished: bool) -> None:  # noqa: FBT001 - a column
    """Only a STORE DATA command has a block number (P2), and P1 shows whether further blocks follow."""
    command = Command.parse(bytes.fromhex(apdu))
    assert (command.block, command.unfinished) == (block, unfinished)


def test_every_block_and_its_repetition_carry_the_intent() -> None:
    """Each block of a command has its intent, even with Le, on another channel and after 6Cxx."""
    first, last = map(Apdu, store_data(bytes(70), intent=es10_intents.ENABLE_PROFILE, block_size=63))
    for apdu in (first, last, last.with_le(), last.on_channel(5), last.with_le().on_channel(5)):
        assert apdu.command.intent is es10_intents.ENABLE_PROFILE
    assert last.with_le().on_channel(5).hex() == "c1e2910107" + "00" * 7 + "00"
    exchange = Exchange(last.command)
    exchange.feed(b"\x6c\x03")
    assert exchange.to_send is not None
    assert exchange.to_send.intent is es10_intents.ENABLE_PROFILE
    exchange.feed(b"\x61\x03")
    assert exchange.to_send.intent is es10_intents.UNSTATED, "GET RESPONSE alters nothing"


def test_6cxx_is_answered_with_the_right_length() -> None:
    """After 6Cxx, the same command is sent again with the Le that the card gave."""
    exchange = Exchange(BLOCK)
    assert play(exchange, "6C03", "BF2D009000") == ["80E2910003BF2D00", "80E2910003BF2D0003"]
    assert exchange.response == Response(b"\xbf\x2d\x00", 0x9000)


def test_6cxx_to_get_response_repeats_only_that() -> None:
    """After 6Cxx to GET RESPONSE, only GET RESPONSE is repeated, with this length."""
    sent = play(Exchange(BLOCK), "6110", "6C05", "AABBCCDDEE9000")
    assert sent == ["80E2910003BF2D00", "00C0000010", "00C0000005"]


def test_6cxx_inside_a_chain_is_the_result() -> None:
    """6Cxx in answer to a block that is not the last one is the result."""
    exchange = Exchange(replace(BLOCK, p1=0x11))
    play(exchange, "6C03")
    assert exchange.response == Response(b"", 0x6C03)


def test_6cxx_twice_is_malformed() -> None:
    """A second 6Cxx, to the length that the card gave itself, is malformed."""
    with pytest.raises(MalformedError, match="requests a length"):
        play(Exchange(BLOCK), "6C03", "6C04")


def test_promises_without_data_are_malformed() -> None:
    """61xx without data in answer to GET RESPONSE is malformed."""
    with pytest.raises(MalformedError, match="returns none"):
        play(Exchange(BLOCK), "6110", "6110")


def test_an_answer_without_end_is_malformed() -> None:
    """An answer that never ends is malformed once it exceeds the limit."""
    exchange = Exchange(BLOCK)
    exchange.feed(b"\x61\x00")

    def feed_for_ever() -> None:
        for _ in range(LARGEST_ANSWER // 256 + 1):
            exchange.feed(bytes(256) + b"\x61\x00")

    with pytest.raises(MalformedError, match="does not end"):
        feed_for_ever()


def test_an_error_after_portions_is_the_result() -> None:
    """If an answer in portions ends with an error status, the result has the portions and the status."""
    exchange = Exchange(BLOCK)
    play(exchange, "6102", "AAAA6F00")
    assert exchange.response == Response(b"\xaa\xaa", 0x6F00)


def test_an_exchange_is_not_fed_after_its_end() -> None:
    """Feeding a finished exchange is an internal error."""
    exchange = Exchange(BLOCK)
    exchange.feed(b"\x90\x00")
    with pytest.raises(InternalError):
        exchange.feed(b"\x90\x00")


@given(st.lists(st.binary(max_size=300), max_size=50))
def test_no_answers_crash_an_exchange(answers: list[bytes]) -> None:
    """Whatever a card answers, an exchange raises nothing but MalformedError."""
    exchange = Exchange(BLOCK)
    for answer in answers:
        if exchange.to_send is None:
            break
        try:
            exchange.feed(answer)
        except MalformedError:
            break


@given(st.binary(min_size=1, max_size=2000), st.integers(min_value=1, max_value=256))
def test_any_portions_join_to_the_answer(data: bytes, portion: int) -> None:
    """However a card divides its answer, the exchange's response is the whole answer."""
    exchange = Exchange(BLOCK)
    exchange.feed(bytes([0x61, min(portion, len(data)) & 0xFF]))
    rest = data
    while exchange.to_send is not None:
        part, rest = rest[:portion], rest[portion:]
        left = min(portion, len(rest)) & 0xFF
        exchange.feed(part + (bytes([0x61, left]) if rest else b"\x90\x00"))
    assert exchange.response == Response(data, 0x9000)


def test_a_short_apdu_carries_255_bytes() -> None:
    """A short APDU can have 255 bytes of data; 256 are an internal error."""
    assert bytes(Command(0x80, 0xE2, data=bytes(255)))[4] == 255
    with pytest.raises(InternalError, match="255"):
        bytes(Command(0x80, 0xE2, data=bytes(256)))


def test_a_length_of_00_before_data_is_not_a_short_command() -> None:
    """A command whose Lc is 00, as in an extended length, is malformed."""
    with pytest.raises(MalformedError):
        Command.parse(bytes.fromhex("80E291000005"))
    assert Command.parse(bytes.fromhex("80E2910001AA")).data == b"\xaa"


def _has_store_data(source: str) -> bool:
    """Return whether a source has the number of STORE DATA as an integer, or as INS in a literal."""
    values = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)]
    return any(
        (type(value) is int and value == 0xE2)
        or (isinstance(value, bytes) and 0xE2 in value[:2])
        or (isinstance(value, str) and _HEX.match(value.replace(" ", "")) is not None)
        for value in values
    )


def test_no_other_module_reads_the_meaning_of_store_data() -> None:
    """Of lpad's modules outside of the simulator, only protocol/apdu.py contains the number of STORE DATA."""
    package = Path(lpad.__file__).parent
    knowing = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if "simulator" not in path.parts and _has_store_data(path.read_text(encoding="utf-8"))
    }
    assert knowing == {"protocol/apdu.py"}


@pytest.mark.parametrize(
    "source",
    [
        "INS = 0xE2",
        "INS = 0xe2",
        "def f(apdu):\n    return apdu[1] == 226",
        "INS = 0b11100010",
        r"INS = b'\xe2'",
        r"apdu.startswith(b'\xe2\x91')",
        r"APDU = b'\x80\xe2\x91\x00'",
        "APDU = bytes.fromhex('80e29100')",
        "APDU = bytes.fromhex('80 E2 91 00')",
    ],
)
def test_the_number_of_store_data_is_found_as_integer_bytes_and_hex_digits(source: str) -> None:
    """The check of modules finds the number of STORE DATA as an integer, as bytes and as hex digits."""
    assert _has_store_data(source)


@pytest.mark.parametrize(
    "source",
    [
        "INS = 0xE20",
        "INS = 0xA4  # 0xE2 is another command",
        r"TAG = b'\xbf\x2d\xe2'",
        "TEXT = 'TS 102 226'",
    ],
)
def test_other_numbers_are_not_taken_for_store_data(source: str) -> None:
    """The check of modules ignores comments, texts, other numbers, and the byte E2 after the second byte."""
    assert not _has_store_data(source)
