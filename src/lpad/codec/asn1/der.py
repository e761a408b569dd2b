"""DER by the table of rsp.asn: a small codec for the daemon's messages.

Types of values, as in `simulator/asn1/schema.py`: dict for SEQUENCE, (name, value) for CHOICE, list for
SEQUENCE OF, (bytes, number of bits) for BIT STRING, str for UTF8String and OBJECT IDENTIFIER, bytes for OCTET
STRING and for ANY (the whole element, tag and length included), None for NULL.

Cards and servers follow newer or older versions of the specification, and some deviate from it. So unknown
elements are ignored everywhere, and members may come in any order. Any byte other than 00 is a true
BOOLEAN, and an INTEGER may carry more leading bytes than DER allows. Text that is not UTF-8 gets U+FFFD in
place of the wrong bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import broken_list, object_identifier, tlv
from lpad.codec.asn1.rsp_table import TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

Node = tuple[Any, ...]


def encode(type_name: str, value: Any) -> bytes:
    """Return the DER of `value`, which must fit the type.

    Args:
        type_name: a SEQUENCE or CHOICE of rsp.asn, such as "EnableProfileRequest".
        value: in the form that the module's docstring describes.

    Raises:
        MalformedError: a mandatory member is missing, or a member or alternative is unknown.
    """
    return _encode(TYPES[type_name], value, type_name)


def decode(type_name: str, data: bytes, *, lenient: bool = False) -> Any:
    """Return the value of the one element that fills `data`.

    Args:
        type_name: a SEQUENCE or CHOICE of rsp.asn, such as "EUICCInfo2".
        data: the element with its tag.
        lenient: omit missing and unreadable members, and those after a broken element, instead of failing.
            This is for a card's data about itself, in which one odd member must not hide the others.

    Raises:
        MalformedError: the bytes do not fit the type.
    """
    element = tlv.parse_first(data)[0] if lenient else tlv.parse(data)
    node = TYPES[type_name]
    if not _fits(node, element.tag):
        raise MalformedError(f"element {element.tag:02X} is not of type {type_name}")
    return _decode(node, element, type_name, lenient)


def _resolved(node: Node) -> Node:
    """Return the type that a reference names, with the reference's own tag if any; other nodes unchanged."""
    if node[0] != "=":
        return node
    named = TYPES[node[2]]
    return named if node[1] is None else (named[0], node[1], *named[2:])


def _fits(node: Node, tag: int) -> bool:
    node = _resolved(node)
    if node[0] == "ANY":
        return True
    if node[0] == "CHOICE":
        return any(_fits(alternative, tag) for _, alternative in node[2])
    return bool(node[1] == tag)


def _encode(node: Node, value: Any, name: str) -> bytes:
    node = _resolved(node)
    kind, tag = node[0], node[1]
    if kind == "ANY":
        return bytes(value)
    if kind == "CHOICE":
        chosen, content = value
        for alternative_name, alternative in node[2]:
            if alternative_name == chosen:
                return _encode(alternative, content, chosen)
        raise MalformedError(f"{name} has no alternative {chosen}")
    if kind == "SEQUENCE":
        return tlv.encode(tag, *_encode_members(node[2], value, name))
    if kind == "SEQUENCE OF":
        return tlv.encode(tag, *(_encode(node[2], item, name) for item in value))
    if kind == "EXPLICIT":
        return tlv.encode(tag, _encode(node[2], value, name))
    return tlv.encode(tag, _ENCODERS[kind](value))


def _encode_members(members: tuple[Node, ...], value: dict[str, Any], name: str) -> list[bytes]:
    parts = []
    left = set(value)
    for member, node, optional, default in members:
        if member in left:
            left.remove(member)
            if default is None or value[member] != default:  # DER omits a default
                parts.append(_encode(node, value[member], member))
        elif not optional and default is None:
            raise MalformedError(f"{name} lacks the mandatory {member}")
    if left:
        raise MalformedError(f"{name} has unknown members: {', '.join(sorted(left))}")
    return parts


def _encode_integer(value: int) -> bytes:
    bits = (value if value >= 0 else ~value).bit_length()
    return value.to_bytes(bits // 8 + 1, "big", signed=True)


def _encode_bits(value: tuple[bytes, int]) -> bytes:
    data, bits = value
    length, unused = (bits + 7) // 8, -bits % 8
    whole = int.from_bytes(data[:length], "big") >> unused << unused
    return bytes([unused]) + whole.to_bytes(length, "big")


_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "BIT STRING": _encode_bits,
    "BOOLEAN": lambda value: b"\xff" if value else b"\x00",
    "INTEGER": _encode_integer,
    "NULL": lambda _: b"",
    "OBJECT IDENTIFIER": object_identifier.encode,
    "OCTET STRING": bytes,
    "UTF8String": str.encode,
}


def _decode(node: Node, element: tlv.Tlv, name: str, lenient: bool) -> Any:  # noqa: FBT001 # passed straight through the recursion
    node = _resolved(node)
    kind = node[0]
    if kind == "ANY":
        return element.raw
    if kind == "CHOICE":
        for chosen, alternative in node[2]:
            if _fits(alternative, element.tag):
                return chosen, _decode(alternative, element, chosen, lenient)
        raise MalformedError(f"{name} contains the unknown alternative {element.tag:02X}")
    if kind == "SEQUENCE":
        return _decode_members(node[2], element, name, lenient)
    if kind == "SEQUENCE OF":
        return _decode_items(node[2], element, name, lenient)
    if kind == "EXPLICIT":
        return _decode(node[2], _only_child(element, name), name, lenient)
    try:
        return _DECODERS[kind](element.value)
    except MalformedError as error:
        raise MalformedError(f"{name}: {error.sentence}") from error


def _only_child(element: tlv.Tlv, name: str) -> tlv.Tlv:
    children = element.children()
    if not children:
        raise MalformedError(f"{name} is empty")
    return children[0]


def _decode_members(members: tuple[Node, ...], element: tlv.Tlv, name: str, lenient: bool) -> dict[str, Any]:  # noqa: FBT001 # as _decode
    values: dict[str, Any] = {}
    left = list(members)
    for child in _children(element, lenient):
        member = next((member for member in left if _fits(member[1], child.tag)), None)
        if member is None:
            continue
        left.remove(member)
        try:
            values[member[0]] = _decode(member[1], child, member[0], lenient)
        except MalformedError:
            if not lenient:
                raise
    for member_name, _, optional, default in left:
        if default is not None:
            values[member_name] = default
        elif not optional and not lenient:
            raise MalformedError(f"{name} lacks the mandatory {member_name}")
    return values


def _decode_items(node: Node, element: tlv.Tlv, name: str, lenient: bool) -> list[Any]:  # noqa: FBT001 # as _decode
    items = []
    for child in _children(element, lenient):
        if not _fits(node, child.tag):
            if not lenient:
                raise MalformedError(f"{name} contains an unexpected element {child.tag:02X}")
            continue
        try:
            items.append(_decode(node, child, name, lenient))
        except MalformedError:
            if not lenient:
                raise
    return items


def _children(element: tlv.Tlv, lenient: bool) -> tuple[tlv.Tlv, ...]:  # noqa: FBT001 # as _decode
    return broken_list.whole_children(element.value)[0] if lenient else element.children()


def _decode_integer(data: bytes) -> int:
    if not data:
        raise MalformedError("a number is empty")
    value = int.from_bytes(data, "big", signed=True)
    # SGP.22 defines no number of more than 64 bits, and SQLite and many JSON parsers cannot represent one.
    if not -(1 << 63) <= value < 1 << 63:
        raise MalformedError(f"a number has {len(data)} bytes, more than 64 bits can represent")
    return value


def _decode_boolean(data: bytes) -> bool:
    if not data:
        raise MalformedError("a BOOLEAN is empty")
    return any(data)


def _decode_bits(data: bytes) -> tuple[bytes, int]:
    """Return a bit string and its length in bits; cards send named bits trimmed (07 80) or not (00 80)."""
    if not data or data[0] > 7 or (data[0] and len(data) == 1):
        raise MalformedError("a bit string has an impossible number of unused bits")
    return data[1:], 8 * (len(data) - 1) - data[0]


_DECODERS: dict[str, Callable[[bytes], Any]] = {
    "BIT STRING": _decode_bits,
    "BOOLEAN": _decode_boolean,
    "INTEGER": _decode_integer,
    "NULL": lambda _: None,
    "OBJECT IDENTIFIER": object_identifier.decode,
    "OCTET STRING": lambda data: data,
    "UTF8String": lambda data: data.decode(errors="replace"),
}
