"""APDU records as pcap files with GSMTAP, which Wireshark dissects down to ISO 7816.

As in SIM traces, one packet contains a command with its answer: IPv4 without Ethernet, UDP to port 4729, 16
bytes of GSMTAP header of type SIM. Each card has its own source address, so that filters can distinguish
cards.
"""

from __future__ import annotations

import struct
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lpad.simulator.replayed_card import Exchange

PORT = 4729
_RAW_IP = 101
"""LINKTYPE_RAW: packets begin with an IP header."""
_PCAP = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, _RAW_IP)
_GSMTAP = bytes.fromhex("02 04 04 00 0000 00 00 00000000 00 00 00 00")
"""The GSMTAP header: version 2, 4 words, type SIM, radio fields zero; sub-type 0 is an APDU."""


def write_pcap(path: Path, cards: Mapping[str, Sequence[Exchange]]) -> None:
    """Write the exchanges with cards in chronological order; a command without an answer is written alone.

    Args:
        path: the file to write.
        cards: the records by card name; their order determines the addresses, from 127.0.1.1 on.
    """
    packets = sorted(
        chain.from_iterable(
            ((each.at, number, each.command + (each.answer or b"")) for each in exchanges)
            for number, exchanges in enumerate(cards.values(), 1)
        )
    )
    with path.open("wb") as file:
        file.write(_PCAP)
        for at, number, apdu in packets:
            packet = _packet(number, apdu)
            seconds, rest = divmod(at, 1)
            file.write(struct.pack("<IIII", int(seconds), int(rest * 1_000_000), len(packet), len(packet)))
            file.write(packet)


def _packet(number: int, apdu: bytes) -> bytes:
    payload = _GSMTAP + apdu
    udp = struct.pack(">HHHH", PORT, PORT, 8 + len(payload), 0)
    source, target = bytes([127, 0, 1, number & 0xFF]), bytes([127, 0, 0, 1])
    head = struct.pack(">BBHHHBBH", 0x45, 0, 28 + len(payload), 0, 0, 64, 17, 0)
    checksum = _checksum(head + source + target)
    return head[:10] + checksum.to_bytes(2, "big") + source + target + udp + payload


def _checksum(header: bytes) -> int:
    """Return the checksum of an IPv4 header (RFC 1071)."""
    total: int = sum(struct.unpack(f">{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
