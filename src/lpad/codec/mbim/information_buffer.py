"""Information buffers: fixed fields, and after them the parts of variable size that they point to.

A pointer is an offset from the start of the buffer and a size in bytes. Most services write the offset first;
Microsoft's low-level UICC access writes the size first. Parts are padded to 4 bytes. Bytes after the known
fields are ignored, because later versions append fields.
"""

from __future__ import annotations

import struct
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import UUID

from msgspec.structs import fields

from lpad.base.errors import MalformedError
from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Callable

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class _Reader:
    """Reads the fixed fields one after the other, and the parts at their offsets."""

    def __init__(self, buffer: bytes) -> None:
        self._buffer = buffer
        self._at = 0

    def fixed(self, size: int) -> bytes:
        found = self._buffer[self._at : self._at + size]
        if len(found) < size:
            raise MalformedError(
                f"an MBIM information buffer of {len(self._buffer)} bytes ends within its fixed fields"
            )
        self._at += size
        return found

    def u32(self) -> int:
        number: int = _U32.unpack(self.fixed(4))[0]
        return number

    def part(self, offset: int, size: int) -> bytes:
        if size == 0:
            return b""
        if offset + size > len(self._buffer):
            raise MalformedError(
                f"a part of an MBIM information buffer reaches to byte {offset + size}, but the buffer has"
                f" {len(self._buffer)} bytes"
            )
        return self._buffer[offset : offset + size]

    def offset_first(self) -> bytes:
        offset, size = self.u32(), self.u32()
        return self.part(offset, size)

    def size_first(self) -> bytes:
        size, offset = self.u32(), self.u32()
        return self.part(offset, size)

    def several(self, one: Callable[[], bytes]) -> tuple[bytes, ...]:
        count = self.u32()
        # each part has 8 bytes among the fixed fields, so the buffer's size limits the count
        if count * 8 > len(self._buffer):
            raise MalformedError(f"an MBIM information buffer announces {count} parts, more than fit into it")
        return tuple(one() for _ in range(count))

    def elements(self, size: int) -> tuple[bytes, ...]:
        count, offset = self.u32(), self.u32()
        raw = self.part(offset, count * size)
        return tuple(raw[at : at + size] for at in range(0, len(raw), size))


class _Writer:
    """Collects the fixed fields and the parts, whose offsets `finish` writes into the fixed fields."""

    def __init__(self) -> None:
        self._fixed = bytearray()
        self._parts: list[tuple[int, bytes]] = []

    def fixed(self, data: bytes) -> None:
        self._fixed += data

    def u32(self, number: int) -> None:
        self.fixed(_U32.pack(number))

    def pointer(self, data: bytes) -> None:
        """Reserve the place of an offset, which `finish` fills in; the offset stays 0 if there is no data."""
        if data:
            self._parts.append((len(self._fixed), data))
        self.u32(0)

    def offset_first(self, data: bytes) -> None:
        self.pointer(data)
        self.u32(len(data))

    def size_first(self, data: bytes) -> None:
        self.u32(len(data))
        self.pointer(data)

    def several(self, parts: tuple[bytes, ...], one: Callable[[bytes], None]) -> None:
        self.u32(len(parts))
        for part in parts:
            one(part)

    def elements(self, parts: tuple[bytes, ...]) -> None:
        self.u32(len(parts))
        self.pointer(b"".join(parts))

    def finish(self) -> bytes:
        whole = bytearray(self._fixed)
        for place, data in self._parts:
            _U32.pack_into(whole, place, len(whole))
            whole += data + bytes(-len(data) % 4)
        return bytes(whole)


class _Form(Frozen):
    read: Callable[[_Reader], Any]
    write: Callable[[_Writer, Any], None]


def _text(raw: bytes) -> str:
    # An odd last byte or a lone surrogate must not hide the other fields.
    return raw.decode("utf-16-le", "replace").rstrip("\0")


def _raw(text: str) -> bytes:
    return text.encode("utf-16-le")


def _number(raw: bytes) -> int:
    if len(raw) != 4:
        raise MalformedError(f"an MBIM information buffer has a number of {len(raw)} bytes instead of 4")
    number: int = _U32.unpack(raw)[0]
    return number


def _addresses(size: int) -> _Form:
    """Return the form of elements with a prefix length and an address of `size` bytes."""

    def read(reader: _Reader) -> tuple[IPv4Address | IPv6Address, ...]:
        return tuple(ip_address(each[4:]) for each in reader.elements(4 + size))

    def write(writer: _Writer, addresses: tuple[IPv4Address | IPv6Address, ...]) -> None:
        writer.elements(tuple(_U32.pack(size * 8) + each.packed for each in addresses))

    return _Form(read, write)


U32 = Annotated[int, _Form(_Reader.u32, _Writer.u32)]
U64 = Annotated[
    int, _Form(lambda r: _U64.unpack(r.fixed(8))[0], lambda w, number: w.fixed(_U64.pack(number)))
]
Uuid = Annotated[UUID, _Form(lambda r: UUID(bytes=r.fixed(16)), lambda w, uuid: w.fixed(uuid.bytes))]
Text = Annotated[str, _Form(lambda r: _text(r.offset_first()), lambda w, text: w.offset_first(_raw(text)))]
"""A text in UTF-16LE, written as an offset and a size."""
Data = Annotated[bytes, _Form(_Reader.size_first, _Writer.size_first)]
"""Bytes, written as a size and an offset."""
Texts = Annotated[
    tuple[str, ...],
    _Form(
        lambda r: tuple(map(_text, r.several(r.offset_first))),
        lambda w, texts: w.several(tuple(map(_raw, texts)), w.offset_first),
    ),
]
"""Texts, written as a count, and then the offset and the size of each text."""
Parts = Annotated[
    tuple[bytes, ...],
    _Form(lambda r: r.several(r.offset_first), lambda w, parts: w.several(parts, w.offset_first)),
]
"""Information buffers, written as a count, and then the offset and the size of each buffer."""
Numbers = Annotated[
    tuple[int, ...],
    _Form(
        lambda r: tuple(map(_number, r.several(r.offset_first))),
        lambda w, numbers: w.several(tuple(map(_U32.pack, numbers)), w.offset_first),
    ),
]
"""Numbers of 4 bytes, written as a count, and then the offset and the size of each number."""
Objects = Annotated[
    tuple[bytes, ...],
    _Form(lambda r: r.several(r.size_first), lambda w, objects: w.several(objects, w.size_first)),
]
"""Objects, written as a count, and then the size and the offset of each object."""
Ipv4Addresses = Annotated[tuple[IPv4Address, ...], _addresses(4)]
"""Addresses, written as a count and an offset; each element is a prefix length and an address."""
Ipv6Addresses = Annotated[tuple[IPv6Address, ...], _addresses(16)]
"""Addresses, written as a count and an offset; each element is a prefix length and an address."""


class Information(Frozen):
    """The base of the types of buffers, with fields of types such as `U32` and `Text`."""


_I = TypeVar("_I", bound=Information)


def decode(kind: type[_I], buffer: bytes) -> _I:
    """Read an information buffer.

    Raises:
        MalformedError: the buffer is too short, a pointer leads out of it, or a number has a wrong size.
    """
    reader = _Reader(buffer)
    return kind(**{name: form.read(reader) for name, form in _forms(kind).items()})


def encode(information: Information) -> bytes:
    """Return the bytes of an information buffer."""
    writer = _Writer()
    for name, form in _forms(type(information)).items():
        form.write(writer, getattr(information, name))
    return writer.finish()


@cache
def _forms(kind: type[Information]) -> dict[str, _Form]:
    return {each.name: each.type.__metadata__[0] for each in fields(kind)}
