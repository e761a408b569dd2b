"""Status words in the simulated card's answers (ISO/IEC 7816-4; ETSI TS 102 221, 10.2)."""

from __future__ import annotations

from enum import IntEnum

from lpad.base.errors import LpadError


class StatusWord(IntEnum):
    """The last two bytes of an answer."""

    OK = 0x9000
    WRONG_LENGTH = 0x6700
    NO_CHANNEL = 0x6881
    NO_SECURE_MESSAGING = 0x6882
    OTHER_FILE_STRUCTURE = 0x6981
    CONDITIONS_NOT_SATISFIED = 0x6985
    NO_FILE_SELECTED = 0x6986
    BAD_DATA = 0x6A80
    FUNCTION_NOT_SUPPORTED = 0x6A81
    NOT_FOUND = 0x6A82
    RECORD_NOT_FOUND = 0x6A83
    NOT_ENOUGH_MEMORY = 0x6A84
    WRONG_P1_P2 = 0x6A86
    NO_REFERENCED_DATA = 0x6A88
    WRONG_OFFSET = 0x6B00
    INS_NOT_SUPPORTED = 0x6D00
    CLA_NOT_SUPPORTED = 0x6E00
    NO_DIAGNOSIS = 0x6F00


class Refusal(LpadError):
    """The card answers with a status word other than success, and without data."""

    kind = "simulated-status"

    def __init__(self, status: int, why: str) -> None:
        """Create the refusal with the status word and, for debugging, the reason, which is not sent."""
        super().__init__(f"{status:04X}: {why}")
        self.status = status
