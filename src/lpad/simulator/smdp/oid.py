"""Object identifiers as the bytes inside their element (ITU-T X.690, 8.19)."""

from __future__ import annotations


def encode_oid(dotted: str) -> bytes:
    """Return the content of an element that holds `dotted`.

    The first two arcs share one number, which outgrows a byte for 2.999: 88 37, where asn1tools
    0.169 reads 26.39.
    """
    first, second, *rest = map(int, dotted.split("."))
    return b"".join(_arc(arc) for arc in (first * 40 + second, *rest))


def decode_oid(content: bytes) -> str:
    """Return the dotted form of an element's content; bytes of an unfinished arc are passed over."""
    arcs: list[int] = []
    number = 0
    for byte in content:
        number = number << 7 | byte & 0x7F
        if not byte & 0x80:
            arcs.append(number)
            number = 0
    if not arcs:
        return ""
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def _arc(number: int) -> bytes:
    digits = [number & 0x7F]
    while number := number >> 7:
        digits.append(number & 0x7F | 0x80)
    return bytes(reversed(digits))
