"""rsp.asn through asn1tools: what the simulator encodes and decodes with, and the oracle of the tests.

The daemon never imports this: asn1tools costs 22 MB and its start. `python -m lpad.codec.schema` writes
what the daemon needs of rsp.asn into rsp_table.py, which `codec/der.py` works by. So an LPA and a
simulated card that understand each other did it through two independent codecs.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import asn1tools
from asn1tools.codecs import constraints_checker, der, type_checker
from asn1tools.compiler import Specification

from lpad.errors import MalformedError

SOURCE = Path(__file__).with_name("rsp.asn")
MODULE = "RSPDefinitions"


class Schema:
    """The compiled types of rsp.asn.

    Values are asn1tools' own: dict for SEQUENCE, (name, value) for CHOICE, list for SEQUENCE OF,
    (bytes, number of bits) for BIT STRING, str for UTF8String and OBJECT IDENTIFIER, bytes for OCTET
    STRING and for ANY (the whole element, tag and length included), None for NULL.
    """

    def __init__(self, parsed: dict[str, Any]) -> None:
        tree = deepcopy(parsed)  # asn1tools writes into what it compiles
        self._types = Specification(
            _Compiler(tree, numeric_enums=False).process(),
            der.decode_full_length,
            type_checker.compile_dict(tree),
            constraints_checker.compile_dict(tree),
        )

    @classmethod
    def compile(cls) -> Schema:
        """Return the schema, compiled once for the process (about half a second)."""
        return _compiled()

    def encode(self, type_name: str, value: Any) -> bytes:
        """Return the DER of `value`.

        Args:
            type_name: a type of rsp.asn, such as "EUICCInfo1".
            value: as the class says.

        Raises:
            MalformedError: the value doesn't fit the type.
        """
        try:
            return bytes(self._types.encode(type_name, value))
        except (asn1tools.Error, TypeError, ValueError, IndexError) as error:
            raise MalformedError(f"{type_name} can't hold this value: {error}") from error

    def decode(self, type_name: str, data: bytes) -> Any:
        """Return the value of `data`; members unknown to rsp.asn are passed over where they end the type.

        Raises:
            MalformedError: the bytes don't fit the type, or more bytes follow.
        """
        try:
            value, length = self._types.decode_with_length(type_name, data)
        except (asn1tools.Error, TypeError, ValueError, IndexError) as error:
            raise MalformedError(f"these bytes are no {type_name}: {error}") from error
        if length != len(data):
            raise MalformedError(f"{type_name} ends after {length} of {len(data)} bytes")
        return value


@cache
def _compiled() -> Schema:
    return Schema(parse())


def parse() -> dict[str, Any]:
    """Return the syntax tree of rsp.asn as asn1tools parses it."""
    tree: dict[str, Any] = asn1tools.parse_files(str(SOURCE), encoding="utf-8")
    return tree


class _ObjectIdentifier(der.ObjectIdentifier):  # type: ignore[misc] # asn1tools has no types
    """asn1tools 0.169 reads OID 2.999.10 as 26.39.10: the first number holds two, the first at most 2."""

    def decode_content(self, data: Any, offset: int, length: int) -> tuple[str, int]:
        text, end = super().decode_content(data, offset, length)
        first, second, *rest = (int(part) for part in text.split("."))
        if first > 2:
            first, second = 2, first * 40 + second - 80
        return ".".join(map(str, (first, second, *rest))), end


class _Any(der.Any):  # type: ignore[misc] # asn1tools has no types
    """asn1tools hands out its bytearray and doesn't look whether the bytes are there."""

    def decode(self, data: Any, offset: int, values: Any = None) -> tuple[bytes, int]:
        element, end = super().decode(data, offset, values)
        if end > len(data):
            raise asn1tools.DecodeError(f"an element ends {end - len(data)} bytes too early")
        return bytes(element), end


class _Compiler(der.Compiler):  # type: ignore[misc] # asn1tools has no types
    def compile_implicit_type(self, name: str, type_descriptor: Any, module_name: str) -> Any:
        if type_descriptor["type"] == "OBJECT IDENTIFIER":
            return _ObjectIdentifier(name)
        if type_descriptor["type"] == "ANY":
            return _Any(name)
        return super().compile_implicit_type(name, type_descriptor, module_name)
