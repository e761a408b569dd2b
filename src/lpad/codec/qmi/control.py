"""The messages of the control service, and qmi-proxy's own one (libqmi, `qmi-service-ctl.json`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lpad.codec.qmi.services import Ctl, Service
from lpad.codec.qmi.values import Body, Form, Kind, Parameters, Several


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A service that the modem has, and its version."""

    FIELDS: ClassVar[tuple[tuple[str, Form], ...]] = (
        ("service", Kind.U8),
        ("major", Kind.U16),
        ("minor", Kind.U16),
    )
    service: int
    major: int
    minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client of a service: the modem keeps state for each, and answers only those that it knows."""

    FIELDS: ClassVar[tuple[tuple[str, Form], ...]] = (("service", Kind.U8), ("client", Kind.U8))
    service: int
    client: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GetVersionInfo(Body):
    """Ask for the modem's services; it needs no client and changes nothing."""

    SERVICE, MESSAGE = Service.CTL, Ctl.GET_VERSION_INFO
    PARAMETERS: ClassVar[Parameters] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionInfo(Body):
    """The modem's services."""

    SERVICE, MESSAGE = Service.CTL, Ctl.GET_VERSION_INFO
    PARAMETERS: ClassVar[Parameters] = ((0x01, "services", Several(Version)),)
    services: tuple[Version, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocateClient(Body):
    """Request a client of a service."""

    SERVICE, MESSAGE = Service.CTL, Ctl.ALLOCATE_CLIENT
    PARAMETERS: ClassVar[Parameters] = ((0x01, "service", Kind.U8),)
    service: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocatedClient(Body):
    """The client to use from now on."""

    SERVICE, MESSAGE = Service.CTL, Ctl.ALLOCATE_CLIENT
    PARAMETERS: ClassVar[Parameters] = ((0x01, "client", Client),)
    client: Client


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseClient(Body):
    """Give a client back."""

    SERVICE, MESSAGE = Service.CTL, Ctl.RELEASE_CLIENT
    PARAMETERS: ClassVar[Parameters] = ((0x01, "client", Client),)
    client: Client


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyOpen(Body):
    """Name the device for qmi-proxy, which opens it once for all programs."""

    SERVICE, MESSAGE = Service.CTL, Ctl.PROXY_OPEN
    PARAMETERS: ClassVar[Parameters] = ((0x01, "path", Kind.TEXT),)
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync(Body):
    """As an indication: the modem was reset, and all clients are void."""

    SERVICE, MESSAGE = Service.CTL, Ctl.SYNC
    PARAMETERS: ClassVar[Parameters] = ()
