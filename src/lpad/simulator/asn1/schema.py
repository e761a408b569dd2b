"""rsp.asn compiled by asn1tools: the simulator's codec and the reference of the tests.

The daemon never imports this module, because asn1tools needs 22 MB and loads slowly.
`python -m lpad.simulator.asn1.schema` writes the daemon's part of rsp.asn into rsp_table.py, which
`codec/asn1/der.py` uses. If an LPA and a simulated card understand each other, two independent codecs agree.
"""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from pathlib import Path
from pprint import pformat
from typing import Any

import asn1tools
from asn1tools.codecs import constraints_checker, der, type_checker
from asn1tools.compiler import Specification

from lpad.base.errors import MalformedError
from lpad.codec import asn1

SOURCE = Path(__file__).with_name("rsp.asn")
TABLE = Path(asn1.__path__[0], "rsp_table.py")

_UNIVERSAL = {
    "BOOLEAN": 0x01,
    "INTEGER": 0x02,
    "BIT STRING": 0x03,
    "OCTET STRING": 0x04,
    "NULL": 0x05,
    "OBJECT IDENTIFIER": 0x06,
    "UTF8String": 0x0C,
    "SEQUENCE": 0x30,
    "SEQUENCE OF": 0x30,
    "ANY": None,
    "CHOICE": None,
}
_CLASSES = {"APPLICATION": 0x40, "CONTEXT": 0x80, "PRIVATE": 0xC0}
_CONSTRUCTED = ("SEQUENCE", "SEQUENCE OF")
_TABLE_HEAD = '''"""rsp.asn as a table, made by `python -m lpad.simulator.asn1.schema`; never edit it by hand.

A node is (kind, tag, content): a leaf has no content, SEQUENCE OF and EXPLICIT have a node, CHOICE has
(name, node) pairs, SEQUENCE has (name, node, optional, default) rows, "=" has the name of a type.
"""

from __future__ import annotations

from typing import Any

# fmt: off
TYPES: dict[str, tuple[Any, ...]] = {
'''


class Schema:
    """The compiled types of rsp.asn.

    Values are asn1tools' own: dict for SEQUENCE, (name, value) for CHOICE, list for SEQUENCE OF,
    (bytes, number of bits) for BIT STRING, str for UTF8String and OBJECT IDENTIFIER, bytes for OCTET
    STRING and for ANY (the whole element, tag and length included), None for NULL.
    """

    def __init__(self, parsed: dict[str, Any]) -> None:
        tree = deepcopy(parsed)  # asn1tools modifies its input
        self._types = Specification(
            _Compiler(tree, numeric_enums=False).process(),
            der.decode_full_length,
            type_checker.compile_dict(tree),
            constraints_checker.compile_dict(tree),
        )

    @classmethod
    def compile(cls) -> Schema:
        """Return the schema, which is compiled once per process (about half a second)."""
        return _compiled()

    def encode(self, type_name: str, value: Any) -> bytes:
        """Return the DER of `value`.

        Args:
            type_name: a type of rsp.asn, such as "EUICCInfo1".
            value: a value in the form that the class describes.

        Raises:
            MalformedError: the value does not fit the type.
        """
        try:
            return bytes(self._types.encode(type_name, value))
        except (asn1tools.Error, TypeError, ValueError, IndexError) as error:
            raise MalformedError(f"{type_name} cannot represent this value: {error}") from error

    def decode(self, type_name: str, data: bytes) -> Any:
        """Return the value of `data`; members at the end of the type that rsp.asn does not know are ignored.

        Raises:
            MalformedError: the bytes do not fit the type, or more bytes follow.
        """
        try:
            value, length = self._types.decode_with_length(type_name, data)
        except (asn1tools.Error, TypeError, ValueError, IndexError) as error:
            raise MalformedError(f"these bytes are not of type {type_name}: {error}") from error
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
    """Corrects asn1tools 0.169, which reads OID 2.999.10 as 26.39.10; the first number is at most 2."""

    def decode_content(self, data: Any, offset: int, length: int) -> tuple[str, int]:
        text, end = super().decode_content(data, offset, length)
        first, second, *rest = (int(part) for part in text.split("."))
        if first > 2:
            first, second = 2, first * 40 + second - 80
        return ".".join(map(str, (first, second, *rest))), end


class _Any(der.Any):  # type: ignore[misc] # asn1tools has no types
    """Corrects asn1tools, which returns a bytearray and does not check whether all bytes are present."""

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


def table() -> str:
    """Return the text of rsp_table.py, generated from rsp.asn."""
    (module,) = parse().values()
    types = module["types"]
    rows = [
        f'    "{name}":\n     {_literal(_node(types, descriptor))},\n'
        for name, descriptor in types.items()
        if _kind(types, descriptor) in (*_CONSTRUCTED, "CHOICE")
    ]
    return f"{_TABLE_HEAD}{''.join(rows)}}}\n"


def _literal(node: Any) -> str:
    text = pformat(node, width=104, compact=True).replace("'", '"')
    return text.replace("\n", "\n     ")


def _kind(types: dict[str, Any], descriptor: Any) -> str:
    """Return the built-in type on which the descriptor is based."""
    kind: str = descriptor["type"]
    return kind if kind in _UNIVERSAL else _kind(types, types[kind])


def _tag(types: dict[str, Any], descriptor: Any) -> int | None:
    """Return the outermost tag as the number that its bytes spell; None for an untagged CHOICE or ANY."""
    kind = _kind(types, descriptor)
    tag = descriptor.get("tag")
    if tag is None:
        named = types.get(descriptor["type"])
        return _UNIVERSAL[kind] if named is None else _tag(types, named)
    lead = _CLASSES[tag.get("class", "CONTEXT")]
    if kind in _CONSTRUCTED or tag.get("kind") == "EXPLICIT":
        lead |= 0x20
    number: int = tag["number"]
    if number < 0x1F:
        return lead | number
    if number < 0x80:
        return (lead | 0x1F) << 8 | number
    raise ValueError(f"tag number {number} has more bytes than any tag of SGP.22")


def _node(types: dict[str, Any], descriptor: Any) -> tuple[Any, ...]:
    tag = descriptor.get("tag", {})
    if tag.get("kind") == "EXPLICIT":
        inner = {key: value for key, value in descriptor.items() if key != "tag"}
        return ("EXPLICIT", _tag(types, descriptor), _node(types, inner))
    kind = _kind(types, descriptor)
    if descriptor["type"] in types and kind in (*_CONSTRUCTED, "CHOICE"):
        return ("=", _tag(types, descriptor) if tag else None, descriptor["type"])
    own_tag = _tag(types, descriptor)
    if kind == "SEQUENCE OF":
        return (kind, own_tag, _node(types, descriptor["element"]))
    if kind not in ("SEQUENCE", "CHOICE"):
        return (kind, own_tag)
    members = [member for member in descriptor["members"] if member is not None]  # None: the mark "..."
    if kind == "CHOICE":
        return (kind, own_tag, tuple((member["name"], _node(types, member)) for member in members))
    return (
        kind,
        own_tag,
        tuple(
            (member["name"], _node(types, member), member.get("optional", False), member.get("default"))
            for member in members
        ),
    )


if __name__ == "__main__":
    TABLE.write_text(table(), encoding="utf-8")
