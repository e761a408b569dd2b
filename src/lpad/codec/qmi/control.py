"""The messages of the control service, and the message of qmi-proxy (libqmi, `qmi-service-ctl.json`)."""

from __future__ import annotations

from dataclasses import dataclass, field

from lpad.codec.qmi.message_parameters import Body, Kind, Several, parameter, part
from lpad.codec.qmi.services import Ctl, Service


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A service of the modem, and its version."""

    service: int = field(metadata=part(Kind.U8))
    major: int = field(metadata=part(Kind.U16))
    minor: int = field(metadata=part(Kind.U16))


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client of a service: the modem keeps state for each client, and answers only known clients."""

    service: int = field(metadata=part(Kind.U8))
    client: int = field(metadata=part(Kind.U8))


@dataclass(frozen=True, slots=True, kw_only=True)
class GetVersionInfo(Body):
    """Ask for the modem's services; the request needs no client and changes nothing."""

    SERVICE, MESSAGE = Service.CTL, Ctl.GET_VERSION_INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionInfo(Body):
    """The modem's services, and their versions."""

    SERVICE, MESSAGE = Service.CTL, Ctl.GET_VERSION_INFO
    services: tuple[Version, ...] = field(metadata=parameter(0x01, Several(Version)))


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocateClient(Body):
    """Request a client of a service."""

    SERVICE, MESSAGE = Service.CTL, Ctl.ALLOCATE_CLIENT
    service: int = field(metadata=parameter(0x01, Kind.U8))


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocatedClient(Body):
    """The client to use from now on."""

    SERVICE, MESSAGE = Service.CTL, Ctl.ALLOCATE_CLIENT
    client: Client = field(metadata=parameter(0x01, Client))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseClient(Body):
    """Release a client."""

    SERVICE, MESSAGE = Service.CTL, Ctl.RELEASE_CLIENT
    client: Client = field(metadata=parameter(0x01, Client))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOpen(Body):
    """Name the device to qmi-proxy, which opens the device once for all programs."""

    SERVICE, MESSAGE = Service.CTL, Ctl.PROXY_OPEN
    path: str = field(metadata=parameter(0x01, Kind.TEXT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync(Body):
    """As an indication, this message means that the modem was reset and that all clients are void."""

    SERVICE, MESSAGE = Service.CTL, Ctl.SYNC
