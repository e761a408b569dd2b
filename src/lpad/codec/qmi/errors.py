"""The errors with which a QMI modem refuses a request (libqmi, `qmi-errors.h`)."""

from __future__ import annotations

from enum import IntEnum


class Error(IntEnum):
    """The error in a response's result."""

    NONE = 0
    MALFORMED_MESSAGE = 1
    NO_MEMORY = 2
    INTERNAL = 3
    CLIENT_IDS_EXHAUSTED = 5
    """No client is free until the modem is reset, or another program releases one."""
    INVALID_CLIENT_ID = 7
    """The modem was reset, or the client was never allocated."""
    INVALID_HANDLE = 9
    """The handle's data session belongs to another client, or has ended."""
    CALL_FAILED = 14
    """The network refuses a data session, or cannot be reached."""
    OUT_OF_CALL = 15
    """There is no data session."""
    NOT_PROVISIONED = 16
    MISSING_ARGUMENT = 17
    ARGUMENT_TOO_LONG = 19
    NO_EFFECT = 26
    """The state is already as requested."""
    UIM_UNINITIALIZED = 37
    INVALID_ARGUMENT = 48
    DEVICE_NOT_READY = 52
    INSUFFICIENT_RESOURCES = 68
    """No channel is free; in a response that announces a long answer: the answer follows in indications."""
    INVALID_QMI_COMMAND = 71
    SIM_FILE_NOT_FOUND = 80
    ACCESS_DENIED = 82
    INCOMPATIBLE_STATE = 90
    NOT_SUPPORTED = 94
    NO_SIM = 102


def error_name(number: int) -> str:
    """Return an error in words, such as "access denied"; an unknown error as "error" and its number."""
    known = {each.value: each for each in Error}
    if number not in known:
        return f"error {number}"
    return known[number].name.lower().replace("_", " ")
