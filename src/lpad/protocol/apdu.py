"""Command and response APDUs, and the exchange that one command may need (ISO/IEC 7816-4, 5).

No I/O: `Exchange` provides the next command and receives the answers.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, ClassVar, Self

from msgspec.structs import replace

from lpad.base.errors import InternalError, InvalidValue, MalformedError
from lpad.base.frozen import Frozen
from lpad.codec.es10_intents import UNSTATED, Intent

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_CHANNELS = 20
"""A class byte can address channels 0 to 19."""
MOST_BLOCKS = 256
"""P2 counts blocks from 00 to FF."""
LARGEST_BLOCK = 255
LARGEST_ANSWER = 256 * 1024
"""The largest answer, in bytes, that lpad collects through GET RESPONSE; a card that sends more is faulty."""

_PROPRIETARY = 0x80
_FURTHER_CHANNELS = 0x40
_STORE_DATA = 0xE2
_GET_RESPONSE = 0xC0
_MORE_BLOCKS = 0x11
_NO_MORE_BLOCKS = 0x80
_LAST_BLOCK = 0x91
_REPETITIONS = 3
"""The maximum number of times that a command is sent again because its answer was lost."""


class Command(Frozen):
    """A short command APDU; `le` is the number of expected bytes, 256 encoded as 00; None: no Le."""

    cla: int
    ins: int
    p1: int = 0
    p2: int = 0
    data: bytes = b""
    le: int | None = None
    intent: Intent = UNSTATED

    def __bytes__(self) -> bytes:
        if len(self.data) > LARGEST_BLOCK:
            raise InternalError(f"a short APDU carries at most 255 bytes; this one has {len(self.data)}")
        body = bytes([len(self.data)]) + self.data if self.data else b""
        tail = b"" if self.le is None else bytes([self.le & 0xFF])
        return bytes([self.cla, self.ins, self.p1, self.p2]) + body + tail

    @classmethod
    def parse(cls, raw: bytes) -> Command:
        """Read a short command APDU of any of the four cases (ISO/IEC 7816-3, 12.1).

        Raises:
            MalformedError: the command is shorter than its header, or Lc contradicts its length.
        """
        if len(raw) < 4:
            raise MalformedError(f"a command APDU must have at least 4 bytes; got {len(raw)}")
        (cla, ins, p1, p2), body = raw[:4], raw[4:]
        if len(body) <= 1:
            return cls(cla, ins, p1, p2, le=(body[0] or 256) if body else None)
        length, rest = body[0], body[1:]
        if length == 0 or len(rest) not in (length, length + 1):
            raise MalformedError(f"a command APDU announces {length} data bytes, but {len(rest)} follow")
        le = (rest[length] or 256) if len(rest) > length else None
        return cls(cla, ins, p1, p2, rest[:length], le)

    def on_channel(self, number: int) -> Command:
        """Return the same command for logical channel `number` (0 to 19)."""
        return replace(self, cla=class_byte(self.cla, number))

    @property
    def block(self) -> int | None:
        """The number of this STORE DATA block, from 0; None for any other command."""
        return self.p2 if self.ins == _STORE_DATA and self.cla & _PROPRIETARY else None

    @property
    def unfinished(self) -> bool:
        """Whether more blocks of the same ES10 command follow."""
        return self.block is not None and not self.p1 & _NO_MORE_BLOCKS

    @property
    def repeatable_alone(self) -> bool:
        """Whether the command alone can be sent again without changing anything."""
        return self.intent.repeatable and self.block in (None, 0) and not self.unfinished


class Apdu(bytes):
    """An encoded command APDU, with its command."""

    command: Command

    def __new__(cls, command: Command) -> Self:
        """Encode a command.

        Raises:
            InternalError: more data than a short APDU carries.
        """
        apdu = super().__new__(cls, bytes(command))
        apdu.command = command
        return apdu

    def with_le(self) -> Apdu:
        """Return the same command with Le = 00: the answer may have any length."""
        return Apdu(replace(self.command, le=256))

    def on_channel(self, number: int) -> Apdu:
        """Return the same command for logical channel `number` (0 to 19)."""
        return Apdu(self.command.on_channel(number))


class Response(Frozen):
    """A card's answer: data and status word."""

    data: bytes
    sw: int

    @classmethod
    def parse(cls, raw: bytes) -> Response:
        """Parse an answer into data and status word.

        Raises:
            MalformedError: fewer than two bytes.
        """
        if len(raw) < 2:
            raise MalformedError(f"a response APDU must have at least 2 bytes; got {len(raw)}")
        return cls(raw[:-2], int.from_bytes(raw[-2:], "big"))

    @property
    def ok(self) -> bool:
        """Whether the command succeeded: 9000, or 91xx (success, and a proactive command waits)."""
        return self.sw == 0x9000 or self.pending is not None

    @property
    def pending(self) -> int | None:
        """The length in bytes of the proactive command that waits to be fetched (91xx); None: none waits."""
        if self.sw >> 8 != 0x91:
            return None
        return self.sw & 0xFF or 256


def class_byte(cla: int, channel: int) -> int:
    """Return `cla` with the bits of a logical channel (ISO/IEC 7816-4, 5.4.1).

    Channels 4 to 19 use a different form: 4x interindustry, Cx proprietary, x = channel - 4.

    Args:
        cla: a class byte of any channel, without secure messaging or chaining.
        channel: 0 to 19.
    """
    if not 0 <= channel < MOST_CHANNELS:
        raise InternalError(f"no class byte can address logical channel {channel}")
    base = cla & _PROPRIETARY
    return base | channel if channel < 4 else base | _FURTHER_CHANNELS | (channel - 4)


def channel_of(cla: int) -> int:
    """Return the logical channel of a class byte."""
    return (cla & 0x0F) + 4 if cla & _FURTHER_CHANNELS else cla & 0x03


def store_data(
    data: bytes, *, intent: Intent = UNSTATED, block_size: int = LARGEST_BLOCK
) -> tuple[Command, ...]:
    """Split one ES10 command into STORE DATA commands for the basic channel (SGP.22 v2.5, 5.7.2).

    P2 starts at 00 for every ES10 command and for every segment of a bound profile package. No Le is sent:
    T=0 has no Le, and on an AT port Le would only cost two characters.

    Args:
        data: the command, such as BF3E 03 5C 01 5A.
        intent: the effect of the command on the card; each block carries this intent.
        block_size: bytes in one block, 1 to 255.

    Raises:
        InvalidValue: `block_size` out of range, or more blocks than P2 can count; nothing was sent.
    """
    if not 1 <= block_size <= LARGEST_BLOCK:
        raise InvalidValue(f"a STORE DATA block must have 1 to {LARGEST_BLOCK} bytes, not {block_size}")
    if not data:
        raise InternalError("an ES10 command is never empty")
    count = -(-len(data) // block_size)
    if count > MOST_BLOCKS:
        raise InvalidValue(
            f"a command of {len(data)} bytes needs {count} blocks of {block_size} bytes, and a card counts"
            f" to {MOST_BLOCKS}: use a block size of {-(-len(data) // MOST_BLOCKS)} or more"
            if len(data) <= MOST_BLOCKS * LARGEST_BLOCK
            else f"a command of {len(data)} bytes exceeds the limit of a card: {MOST_BLOCKS * LARGEST_BLOCK}"
        )
    return tuple(
        Command(
            _PROPRIETARY,
            _STORE_DATA,
            _LAST_BLOCK if number == count - 1 else _MORE_BLOCKS,
            number,
            data[number * block_size : (number + 1) * block_size],
            intent=intent,
        )
        for number in range(count)
    )


class _Said(Enum):
    """The next step that a status word requires."""

    MORE = auto()  # 61xx: xx bytes wait
    WRONG_LENGTH = auto()  # 6Cxx: repeat the command with Le = xx
    DONE = auto()


_SAID = {0x61: _Said.MORE, 0x6C: _Said.WRONG_LENGTH}


class _At(Enum):
    """The state of an exchange."""

    COMMAND = auto()  # the command itself is in progress
    COMMAND_AGAIN = auto()  # the command is in progress again, with the Le that the card requested
    FETCH = auto()  # GET RESPONSE is in progress
    FETCH_AGAIN = auto()
    END = auto()


class Exchange:
    """One command and the further commands that fetch its whole answer.

    The caller sends `to_send` and feeds the answer, until `response` is set. A card keeps an answer only
    until the next command. If another program on the modem sends a command between 61xx and GET RESPONSE, the
    card refuses GET RESPONSE, mostly with 6985; a repeatable command is then sent again.
    """

    def __init__(self, command: Command) -> None:
        """Create the exchange; `to_send` is the command at first.

        Args:
            command: the command to send first. After 6Cxx this command is sent again, but not inside a chain,
                because the card has already counted the block.
        """
        self._fetch = Command(class_byte(0, channel_of(command.cla)), _GET_RESPONSE)
        self._command = command
        self._at = _At.COMMAND
        self._data = bytearray()
        self._lost = 0
        self.to_send: Command | None = command
        self.response: Response | None = None

    def feed(self, raw: bytes) -> None:
        """Process the answer to the last command.

        Raises:
            MalformedError: no status word, an endless or missing answer, or a wrong length twice.
        """
        if self._at is _At.END:
            raise InternalError("an exchange was fed after its end")
        answer = Response.parse(raw)
        said = _SAID.get(answer.sw >> 8, _Said.DONE)
        self._TRANSITIONS[self._at, said](self, answer)

    def _fetch_more(self, answer: Response) -> None:
        if self._at in (_At.FETCH, _At.FETCH_AGAIN) and not answer.data:
            raise MalformedError("the card repeatedly announces more data but returns none")
        self._collect(answer)
        self._at = _At.FETCH
        self.to_send = replace(self._fetch, le=answer.sw & 0xFF or 256)

    def _repeat(self, answer: Response) -> None:
        if self._at is _At.COMMAND and self._command.unfinished:
            self._finish(answer)
            return
        again = self._command if self._at is _At.COMMAND else self._fetch
        self._at = _At.COMMAND_AGAIN if self._at is _At.COMMAND else _At.FETCH_AGAIN
        self.to_send = replace(again, le=answer.sw & 0xFF or 256)

    def _refuse_again(self, answer: Response) -> None:
        raise MalformedError(
            f"the card requests a length ({answer.sw:04X}) that differs from the length that it announced"
        )

    def _finish_fetch(self, answer: Response) -> None:
        if answer.ok or not self._command.repeatable_alone or self._lost == _REPETITIONS:
            self._finish(answer)
            return
        self._lost += 1
        self._data.clear()
        self._at = _At.COMMAND
        self.to_send = self._command

    def _finish(self, answer: Response) -> None:
        self._collect(answer)
        self._at = _At.END
        self.to_send = None
        self.response = Response(bytes(self._data), answer.sw)

    def _collect(self, answer: Response) -> None:
        self._data += answer.data
        if len(self._data) > LARGEST_ANSWER:
            raise MalformedError(f"the card's answer does not end within {LARGEST_ANSWER} bytes")

    _TRANSITIONS: ClassVar[dict[tuple[_At, _Said], Callable[[Exchange, Response], None]]] = {
        (_At.COMMAND, _Said.MORE): _fetch_more,
        (_At.COMMAND, _Said.WRONG_LENGTH): _repeat,
        (_At.COMMAND, _Said.DONE): _finish,
        (_At.COMMAND_AGAIN, _Said.MORE): _fetch_more,
        (_At.COMMAND_AGAIN, _Said.WRONG_LENGTH): _refuse_again,
        (_At.COMMAND_AGAIN, _Said.DONE): _finish,
        (_At.FETCH, _Said.MORE): _fetch_more,
        (_At.FETCH, _Said.WRONG_LENGTH): _repeat,
        (_At.FETCH, _Said.DONE): _finish_fetch,
        (_At.FETCH_AGAIN, _Said.MORE): _fetch_more,
        (_At.FETCH_AGAIN, _Said.WRONG_LENGTH): _refuse_again,
        (_At.FETCH_AGAIN, _Said.DONE): _finish_fetch,
    }
