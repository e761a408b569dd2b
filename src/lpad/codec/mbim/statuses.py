"""The numbers with which an MBIM function refuses messages and commands."""

from __future__ import annotations

from enum import IntEnum


class ProtocolError(IntEnum):
    """The error of a FunctionError or a HostError (MBIM 1.0, 9.3.4, table 9-9)."""

    TIMEOUT_FRAGMENT = 1
    FRAGMENT_OUT_OF_SEQUENCE = 2
    LENGTH_MISMATCH = 3
    DUPLICATED_TRANSACTION = 4
    NOT_OPENED = 5
    """The MBIM function was reset: the host must send Open again."""
    UNKNOWN = 6
    CANCEL = 7
    MAX_TRANSFER = 8


class Status(IntEnum):
    """The status of a command (MBIM 1.0, 9.4.5; the last three values: Microsoft's low-level UICC access)."""

    SUCCESS = 0
    BUSY = 1
    FAILURE = 2
    SIM_NOT_INSERTED = 3
    BAD_SIM = 4
    PIN_REQUIRED = 5
    PIN_DISABLED = 6
    NOT_REGISTERED = 7
    NO_DEVICE_SUPPORT = 9
    PROVIDER_NOT_VISIBLE = 10
    PACKET_SERVICE_DETACHED = 12
    NOT_INITIALIZED = 14
    RADIO_POWER_OFF = 20
    INVALID_PARAMETERS = 21
    PARAMETER_TOO_LONG = 26
    STK_BUSY = 27
    OPERATION_NOT_ALLOWED = 28
    INVALID_DEVICE_SERVICE_OPERATION = 34
    NO_LOGICAL_CHANNELS = 0x87430001
    SELECT_FAILED = 0x87430002
    INVALID_LOGICAL_CHANNEL = 0x87430003


def status_name(number: int) -> str:
    """Return a status in words, such as "sim not inserted"; an unknown status as its number."""
    return _name(Status, number, "status")


def error_name(number: int) -> str:
    """Return a protocol error in words, such as "not opened"; an unknown error as its number."""
    return _name(ProtocolError, number, "error")


def _name(kind: type[IntEnum], number: int, word: str) -> str:
    known = {each.value: each for each in kind}
    if number not in known:
        return f"{word} {number}" if number < 1 << 16 else f"{word} {number:#010x}"
    return known[number].name.lower().replace("_", " ")
