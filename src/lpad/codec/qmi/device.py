"""The messages of the device service (libqmi, `qmi-service-dms.json`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from lpad.codec.qmi.message_parameters import Body, Kind, parameter
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


@dataclass(frozen=True, slots=True, kw_only=True)
class GetIds(Body):
    """Ask for the modem's serial numbers."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_IDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Ids(Body):
    """The modem's serial numbers, of which lpad reads only the IMEI."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_IDS
    imei: str | None = field(default=None, metadata=parameter(0x11, Kind.TEXT))


@dataclass(frozen=True, slots=True, kw_only=True)
class GetManufacturer(Body):
    """Ask for the manufacturer's name."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_MANUFACTURER


@dataclass(frozen=True, slots=True, kw_only=True)
class Manufacturer(Body):
    """The manufacturer's name."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_MANUFACTURER
    name: str = field(metadata=parameter(0x01, Kind.TEXT))


@dataclass(frozen=True, slots=True, kw_only=True)
class GetModel(Body):
    """Ask for the model's name."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_MODEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Model(Body):
    """The model's name."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_MODEL
    name: str = field(metadata=parameter(0x01, Kind.TEXT))


@dataclass(frozen=True, slots=True, kw_only=True)
class GetRevision(Body):
    """Ask for the firmware's revision."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_REVISION


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision(Body):
    """The firmware's revision."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_REVISION
    name: str = field(metadata=parameter(0x01, Kind.TEXT))


@dataclass(frozen=True, slots=True, kw_only=True)
class GetOperatingMode(Body):
    """Ask for the modem's power mode."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_OPERATING_MODE


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentOperatingMode(Body):
    """The modem's power mode, one of `OperatingMode`."""

    SERVICE, MESSAGE = Service.DMS, Dms.GET_OPERATING_MODE
    mode: int = field(metadata=parameter(0x01, Kind.U8))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetOperatingMode(Body):
    """Change the modem's power mode, or reset the modem."""

    SERVICE, MESSAGE = Service.DMS, Dms.SET_OPERATING_MODE
    mode: int = field(metadata=parameter(0x01, Kind.U8))
