"""Encode and decode the parameters of messages, as the message types declare them.

Each attribute of a message is declared with the parameter's type and its form (`parameter`). A form is a
`Kind`, a type of record whose attributes are declared with their forms (`part`), or `Several` values of one
form. Attributes are written in the order of their declaration. Unknown parameters are ignored, and so are
bytes after the known fields, because later firmware adds both.
"""

from __future__ import annotations

import struct
from dataclasses import MISSING, Field, dataclass, fields
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from lpad.base.errors import InternalError, MalformedError

if TYPE_CHECKING:
    from collections.abc import Sequence

_RESULT = 0x02
_RESULT_FORM = struct.Struct("<HH")


class Kind(Enum):
    """The kinds of field: numbers, bytes and texts; the value of a number's kind is its `struct` format."""

    U8 = "B"
    U16 = "<H"
    U32 = "<I"
    DATA8 = "data B"
    """bytes, preceded by their count in 1 byte."""
    DATA16 = "data <H"
    """bytes, preceded by their count in 2 bytes."""
    REST = "rest"
    """bytes: all remaining bytes of the parameter."""
    TEXT = "text"
    """str: all remaining bytes of the parameter, without zeros at the end."""


@dataclass(frozen=True, slots=True)
class Several:
    """A tuple of values of one form, preceded by their count."""

    form: Kind | type
    count: Kind = Kind.U8


Form = Kind | Several | type
_NUMBER, _FORM = "number", "form"


class Body:
    """The parameters of a message; its subclasses are frozen types.

    An attribute with a default is optional; one that is None is not sent.
    """

    __slots__ = ()

    SERVICE: ClassVar[int]
    MESSAGE: ClassVar[int]


def parameter(number: int, form: Form) -> dict[str, Any]:
    """Return the metadata of a message's attribute: a parameter's type, 1 byte, and its form."""
    return {_NUMBER: number, _FORM: form}


def part(form: Form) -> dict[str, Any]:
    """Return the metadata of a record's attribute: its form."""
    return {_FORM: form}


_B = TypeVar("_B", bound=Body)


@dataclass(frozen=True, slots=True)
class Result:
    """The result in each response."""

    failed: bool
    error: int


def encode(body: Body) -> tuple[tuple[int, bytes], ...]:
    """Return a message's parameters, encoded."""
    found = []
    for each in _declared(type(body)):
        value = getattr(body, each.name)
        if value is not None:
            found.append((each.metadata[_NUMBER], _written(each.metadata[_FORM], value)))
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
        wanted = each.metadata[_NUMBER]
        if wanted in given:
            values[each.name] = _Reader(given[wanted], wanted).read(each.metadata[_FORM])
        elif each.default is MISSING:
            raise MalformedError(f"a QMI message lacks its parameter {wanted:#04x}")
    made: Any = kind
    body: _B = made(**values)
    return body


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


def numbers(kind: type[Body]) -> tuple[int, ...]:
    """Return the types of the parameters that a type of message has."""
    return tuple(each.metadata[_NUMBER] for each in _declared(kind))


def _declared(kind: Any) -> tuple[Field[Any], ...]:
    return fields(kind)


class _Reader:
    """Reads the fields of one parameter one after the other."""

    def __init__(self, raw: bytes, number: int) -> None:
        self._raw = raw
        self._at = 0
        self._number = number

    def read(self, form: Form) -> Any:
        if isinstance(form, Several):
            count = self._count(form.count)
            return tuple(self.read(form.form) for _ in range(count))
        if isinstance(form, Kind):
            return self._field(form)
        made: Any = form
        return made(**{each.name: self.read(each.metadata[_FORM]) for each in _declared(form)})

    def _count(self, kind: Kind) -> int:
        count: int = self._field(kind)
        if count > len(self._raw) - self._at:  # each part has at least one byte
            raise MalformedError(
                f"parameter {self._number:#04x} of a QMI message announces {count} parts, more than it has"
            )
        return count

    def _field(self, kind: Kind) -> Any:
        match kind:
            case Kind.U8 | Kind.U16 | Kind.U32:
                return struct.unpack(kind.value, self._bytes(struct.calcsize(kind.value)))[0]
            case Kind.DATA8 | Kind.DATA16:
                return self._bytes(self._field(_LENGTHS[kind]))
            case Kind.REST:
                return self._bytes(len(self._raw) - self._at)
            case Kind.TEXT:
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


def _written(form: Form, value: Any) -> bytes:
    if isinstance(form, Several):
        return _written(form.count, len(value)) + b"".join(_written(form.form, each) for each in value)
    if not isinstance(form, Kind):
        return b"".join(_written(each.metadata[_FORM], getattr(value, each.name)) for each in _declared(form))
    match form:
        case Kind.U8 | Kind.U16 | Kind.U32:
            try:
                return struct.pack(form.value, value)
            except struct.error as error:
                raise InternalError(f"{value} does not fit into a field of a QMI message") from error
        case Kind.DATA8 | Kind.DATA16:
            return _written(_LENGTHS[form], len(value)) + bytes(value)
        case Kind.REST:
            return bytes(value)
        case Kind.TEXT:
            text: str = value
            return text.encode()


_LENGTHS = {Kind.DATA8: Kind.U8, Kind.DATA16: Kind.U16}
