"""The answer to reset of an eUICC that speaks T=0 (ISO/IEC 7816-3, 8; ETSI TS 102 221, 6.3)."""

from __future__ import annotations

from functools import reduce
from operator import xor

_INTERFACE = bytes.fromhex("96 80 3F C7 82")
"""TA1: speed. TD1: T=0. TD2: T=15 follows. TA3: classes A to C. TB3: eUICC functions (SGP.22, 3.4)."""
_HISTORICAL = bytes.fromhex("80 31 E0 73 FE 21 13") + b"\x54lpad"
"""Compact TLV: selection by full AID, the capabilities of a UICC with logical channels, issuer's data."""
_CHECKED = bytes([0x90 | len(_HISTORICAL)]) + _INTERFACE + _HISTORICAL

ANSWER_TO_RESET = b"\x3b" + _CHECKED + bytes([reduce(xor, _CHECKED)])
