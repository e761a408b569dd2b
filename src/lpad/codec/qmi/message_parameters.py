"""Encode and decode the parameters of messages, as the message types declare them.

Each attribute of a message is a parameter, and its annotation has the parameter's form and its type, a number
of 1 byte. A form is a field such as `U8`, a type of record whose attributes are annotated with their forms,
or a tuple of values of one form, preceded by their count in 1 byte. Attributes are written in the order of
their declaration. Unknown parameters are ignored, and so are bytes after the known fields, because later
firmware adds both.
"""

from __future__ import annotations

import struct
from enum import Enum
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar, get_args, get_origin

from msgspec.structs import fields

from lpad.base.errors import InternalError, MalformedError
from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msgspec.structs import FieldInfo

_RESULT = 0x02
_RESULT_FORM = struct.Struct("<HH")


class _Kind(Enum):
    """The kinds of field: numbers, bytes and texts; the value of a number's kind is its `struct` format."""

    U8 = "B"
    U16 = "<H"
    U32 = "<I"
    DATA8 = "data B"
    DATA16 = "data <H"
    REST = "rest"
    TEXT = "text"


U8 = Annotated[int, _Kind.U8]
U16 = Annotated[int, _Kind.U16]
U32 = Annotated[int, _Kind.U32]
Data8 = Annotated[bytes, _Kind.DATA8]
"""Bytes, preceded by their count in 1 byte."""
Data16 = Annotated[bytes, _Kind.DATA16]
"""Bytes, preceded by their count in 2 bytes."""
Rest = Annotated[bytes, _Kind.REST]
"""All remaining bytes of the parameter."""
Text = Annotated[str, _Kind.TEXT]
"""All remaining bytes of the parameter as a text, without zeros at the end."""


class Body(Frozen):
    """The parameters of a message.

    An attribute with a default is optional; one that is None is not sent.
    """

    SERVICE: ClassVar[int]
    MESSAGE: ClassVar[int]


_B = TypeVar("_B", bound=Body)


class Result(Frozen):
    """The result in each response."""

    failed: bool
    error: int


def encode(body: Body) -> tuple[tuple[int, bytes], ...]:
    """Return a message's parameters, encoded."""
    found = []
    for each in _declared(type(body)):
        value = getattr(body, each.name)
        if value is not None:
            found.append((_number(each), _written(each.type, value)))
    return tuple(found)


def decode(kind: type[_B], parameters: Sequence[tuple[int, bytes]]) -> _B:
    """Read a message's parameters; of several parameters with the same type, the first counts.

    Raises:
        MalformedError: a parameter is missing, or too short for its fields.
    """
    given: dict[int, bytes] = {}
    for number, value in parameters:
        given.setdefault(number, value)
    values = {}
    for each in _declared(kind):
        wanted = _number(each)
        if wanted in given:
            values[each.name] = _Reader(given[wanted], wanted).read(each.type)
        elif each.required:
            raise MalformedError(f"a QMI message lacks its parameter {wanted:#04x}")
    return kind(**values)


def encode_result(error: int) -> tuple[int, bytes]:
    """Return the parameter with a response's result; the error 0 means success."""
    return _RESULT, _RESULT_FORM.pack(error != 0, error)


def result_of(parameters: Sequence[tuple[int, bytes]]) -> Result:
    """Return the result in a response.

    Raises:
        MalformedError: the response contains no result.
    """
    for number, value in parameters:
        if number == _RESULT and len(value) >= _RESULT_FORM.size:
            status, error = _RESULT_FORM.unpack_from(value)
            return Result(status != 0, error)
    raise MalformedError("a QMI response has no result")


@cache
def _declared(kind: type[Frozen]) -> tuple[FieldInfo, ...]:
    return tuple(fields(kind))


def _number(attribute: FieldInfo) -> int:
    """Return the type of the parameter in an attribute of a message."""
    number: int = attribute.type.__metadata__[-1]
    return number


@cache
def _form(annotation: Any) -> Any:
    """Return the form in an annotation: a `_Kind`, a type of record, or a tuple type."""
    if get_origin(annotation) is Annotated:
        kinds = [each for each in annotation.__metadata__ if isinstance(each, _Kind)]
        return kinds[0] if kinds else _form(annotation.__origin__)
    inner = get_args(annotation)
    return _form(inner[0]) if NoneType in inner else annotation


class _Reader:
    """Reads the fields of one parameter one after the other."""

    def __init__(self, raw: bytes, number: int) -> None:
        self._raw = raw
        self._at = 0
        self._number = number

    def read(self, annotation: Any) -> Any:
        form = _form(annotation)
        if get_origin(form) is tuple:
            return tuple(self.read(get_args(form)[0]) for _ in range(self._count()))
        if isinstance(form, _Kind):
            return self._field(form)
        return form(**{each.name: self.read(each.type) for each in _declared(form)})

    def _count(self) -> int:
        count: int = self._field(_Kind.U8)
        if count > len(self._raw) - self._at:  # each part has at least one byte
            raise MalformedError(
                f"parameter {self._number:#04x} of a QMI message announces {count} parts, more than it has"
            )
        return count

    def _field(self, kind: _Kind) -> Any:
        match kind:
            case _Kind.U8 | _Kind.U16 | _Kind.U32:
                return struct.unpack(kind.value, self._bytes(struct.calcsize(kind.value)))[0]
            case _Kind.DATA8 | _Kind.DATA16:
                return self._bytes(self._field(_LENGTHS[kind]))
            case _Kind.REST:
                return self._bytes(len(self._raw) - self._at)
            case _Kind.TEXT:
                # An invalid byte must not hide the other characters.
                return self._bytes(len(self._raw) - self._at).rstrip(b"\0").decode("utf-8", "replace")

    def _bytes(self, size: int) -> bytes:
        found = self._raw[self._at : self._at + size]
        if len(found) < size:
            raise MalformedError(
                f"parameter {self._number:#04x} of a QMI message has {len(self._raw)} bytes, too few for its"
                " fields"
            )
        self._at += size
        return found


def _written(annotation: Any, value: Any) -> bytes:
    form = _form(annotation)
    if get_origin(form) is tuple:
        return _written(U8, len(value)) + b"".join(_written(get_args(form)[0], each) for each in value)
    if not isinstance(form, _Kind):
        return b"".join(_written(each.type, getattr(value, each.name)) for each in _declared(form))
    match form:
        case _Kind.U8 | _Kind.U16 | _Kind.U32:
            try:
                return struct.pack(form.value, value)
            except struct.error as error:
                raise InternalError(f"{value} does not fit into a field of a QMI message") from error
        case _Kind.DATA8 | _Kind.DATA16:
            return _written(_LENGTHS[form], len(value)) + bytes(value)
        case _Kind.REST:
            return bytes(value)
        case _Kind.TEXT:
            text: str = value
            return text.encode()


_LENGTHS = {_Kind.DATA8: _Kind.U8, _Kind.DATA16: _Kind.U16}
