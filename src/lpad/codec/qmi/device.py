"""The messages of the device service (libqmi, `qmi-service-dms.json`)."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

from lpad.codec.qmi.message_parameters import U8, Body, Text
from lpad.codec.qmi.services import Dms, Service


class OperatingMode(IntEnum):
    """The modem's power modes, and its reset."""

    ONLINE = 0
    LOW_POWER = 1
    FACTORY_TEST = 2
    OFFLINE = 3
    RESET = 4
    SHUTTING_DOWN = 5
    PERSISTENT_LOW_POWER = 6


class GetIds(Body):
    """Ask for the modem's serial numbers."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_IDS


class Ids(Body):
    """The modem's serial numbers, of which lpad reads only the IMEI."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_IDS
    imei: Annotated[Text | None, 0x11] = None


class GetManufacturer(Body):
    """Ask for the manufacturer's name."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_MANUFACTURER


class Manufacturer(Body):
    """The manufacturer's name."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_MANUFACTURER
    name: Annotated[Text, 0x01]


class GetModel(Body):
    """Ask for the model's name."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_MODEL


class Model(Body):
    """The model's name."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_MODEL
    name: Annotated[Text, 0x01]


class GetRevision(Body):
    """Ask for the firmware's revision."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_REVISION


class Revision(Body):
    """The firmware's revision."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_REVISION
    name: Annotated[Text, 0x01]


class GetOperatingMode(Body):
    """Ask for the modem's power mode."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_OPERATING_MODE


class PresentOperatingMode(Body):
    """The modem's power mode, one of `OperatingMode`."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_OPERATING_MODE
    mode: Annotated[U8, 0x01]


class SetOperatingMode(Body):
    """Change the modem's power mode, or reset the modem."""

    SERVICE, MESSAGE = Service.DMS, Dms.SET_OPERATING_MODE
    mode: Annotated[U8, 0x01]
