"""The services of a QMI modem that lpad uses, and their messages."""

from __future__ import annotations

from enum import IntEnum


class Service(IntEnum):
    """The services, by their numbers in a frame."""

    CTL = 0x00
    """The control service, which allocates the client numbers of the other services."""
    WDS = 0x01
    """Wireless data: the data sessions."""
    DMS = 0x02
    """The device: its serial numbers, names and power."""
    NAS = 0x03
    """The network: the registration."""
    UIM = 0x0B
    """The card: slots, channels and APDUs."""


class Ctl(IntEnum):
    """Messages of `Service.CTL`."""

    GET_VERSION_INFO = 0x0021
    ALLOCATE_CLIENT = 0x0022
    RELEASE_CLIENT = 0x0023
    SYNC = 0x0027
    """Frees all clients of all programs, so lpad never sends this message. As an indication, it means that
    the modem was reset."""
    PROXY_OPEN = 0xFF00
    """qmi-proxy's own message: it names the device that a program wants to use."""


class Wds(IntEnum):
    """Messages of `Service.WDS`."""

    START_NETWORK = 0x0020
    STOP_NETWORK = 0x0021
    GET_PACKET_SERVICE_STATUS = 0x0022
    """The indication of a changed data session has this number, too."""
    GET_CURRENT_SETTINGS = 0x002D
    SET_IP_FAMILY = 0x004D


class Dms(IntEnum):
    """Messages of `Service.DMS`."""

    GET_MANUFACTURER = 0x0021
    GET_MODEL = 0x0022
    GET_REVISION = 0x0023
    GET_IDS = 0x0025
    GET_OPERATING_MODE = 0x002D
    SET_OPERATING_MODE = 0x002E


class Nas(IntEnum):
    """Messages of `Service.NAS`."""

    EVENT_REPORT = 0x0002
    """The indication of an event has this number, too."""
    REGISTER_INDICATIONS = 0x0003
    ATTACH_DETACH = 0x0023
    GET_SERVING_SYSTEM = 0x0024
    """The indication of a changed registration has this number, too."""


class Uim(IntEnum):
    """Messages of `Service.UIM`."""

    RESET = 0x0000
    READ_TRANSPARENT = 0x0020
    REFRESH_COMPLETE = 0x002C
    REGISTER_EVENTS = 0x002E
    GET_CARD_STATUS = 0x002F
    POWER_OFF = 0x0030
    POWER_ON = 0x0031
    CARD_STATUS = 0x0032
    """An indication, which the modem sends without a request."""
    REFRESH = 0x0033
    """An indication, which the modem sends without a request."""
    CHANGE_PROVISIONING_SESSION = 0x0038
    SEND_APDU = 0x003B
    """The indication with a piece of a long answer has this number, too."""
    CLOSE_LOGICAL_CHANNEL = 0x003F
    GET_ATR = 0x0041
    OPEN_LOGICAL_CHANNEL = 0x0042
    REFRESH_REGISTER_ALL = 0x0044
    SWITCH_SLOT = 0x0046
    GET_SLOT_STATUS = 0x0047
    SLOT_STATUS = 0x0048
    """An indication, which the modem sends without a request."""
