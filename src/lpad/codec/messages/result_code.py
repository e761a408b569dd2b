"""The number in the answer of an ES10 function, and its name in SGP.22."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from lpad.codec.asn1 import der

if TYPE_CHECKING:
    from typing import Self

_UNDOCUMENTED = "undocumentedCode"


class ResultCode(IntEnum):
    """The base of all result codes: members are `CODE = number, "nameInSgp22"`.

    A number that is not in the specification is still a member of its enum, with the reason
    "undocumentedCode": cards return codes of later versions, and codes of their makers.
    """

    reason: str

    def __new__(cls, code: int, reason: str = _UNDOCUMENTED) -> Self:
        """Create a member from a number and its name in SGP.22."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.reason = reason
        return member

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"CODE_{value}"
        member._value_ = value
        member.reason = _UNDOCUMENTED
        return member


class ResultAnswer(ResultCode):
    """The base of the result codes that are the only content of an answer."""

    _answer: str
    _field: str

    def __init_subclass__(cls, *, answer: str, field: str) -> None:
        """Declare the type of the answer, and the name of the code's field in it."""
        cls._answer, cls._field = answer, field

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the code in an answer.

        Raises:
            MalformedError: the answer is of another type.
        """
        return cls(der.decode(cls._answer, data)[cls._field])
