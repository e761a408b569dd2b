"""The services of an MBIM function that lpad uses, and their commands (CIDs)."""

from __future__ import annotations

from enum import IntEnum
from uuid import UUID

BASIC_CONNECT = UUID("a289cc33-bcbb-8b4f-b6b0-133ec2aae6df")
"""The basic service, which every function has (MBIM 1.0, 10.5)."""
BASIC_CONNECT_EXTENSIONS = UUID("3d01dcc5-fef5-4d05-0d3a-bef7058e9aaf")
"""Microsoft's extensions of the basic service: slots, the LTE attach context, and the modem's reset."""
UICC = UUID("c2f6588e-f037-4bc9-8665-f4d44bd09367")
"""Microsoft's low-level UICC access."""
PROXY_CONTROL = UUID("838cf7fb-8d0d-4d7f-871e-d71dbefbb39b")
"""mbim-proxy's own service."""
INTERNET = UUID("7e5e2a7e-4e6f-7272-736b-656e7e5e2a7e")
"""The type of a context that leads to the internet (MBIM 1.0, 10.5.12, table 10-54)."""


class Basic(IntEnum):
    """Commands of `BASIC_CONNECT`."""

    DEVICE_CAPS = 1
    SUBSCRIBER_READY_STATUS = 2
    RADIO_STATE = 3
    PIN = 4
    REGISTER_STATE = 9
    PACKET_SERVICE = 10
    CONNECT = 12
    IP_CONFIGURATION = 15
    DEVICE_SERVICES = 16
    DEVICE_SERVICE_SUBSCRIBE_LIST = 19


class Extended(IntEnum):
    """Commands of `BASIC_CONNECT_EXTENSIONS`."""

    LTE_ATTACH_CONFIGURATION = 3
    SYS_CAPS = 5
    DEVICE_SLOT_MAPPINGS = 7
    SLOT_INFO_STATUS = 8
    DEVICE_RESET = 10


class Uicc(IntEnum):
    """Commands of `UICC`."""

    ATR = 1
    OPEN_CHANNEL = 2
    CLOSE_CHANNEL = 3
    APDU = 4
    TERMINAL_CAPABILITY = 5
    RESET = 6


class Proxy(IntEnum):
    """Commands of `PROXY_CONTROL`."""

    CONFIGURATION = 1
    VERSION = 2
