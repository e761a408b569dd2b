"""The messages of the control service, and the message of qmi-proxy (libqmi, `qmi-service-ctl.json`)."""

from __future__ import annotations

from typing import Annotated

from lpad.base.frozen import Frozen
from lpad.codec.qmi.message_parameters import U8, U16, Body, Text
from lpad.codec.qmi.services import Ctl, Service


class Version(Frozen):
    """A service of the modem, and its version."""

    service: U8
    major: U16
    minor: U16


class Client(Frozen):
    """A client of a service: the modem keeps state for each client, and answers only known clients."""

    service: U8
    client: U8


class GetVersionInfo(Body):
    """Ask for the modem's services; the request needs no client and changes nothing."""

    SERVICE, MESSAGE = Service.CTL, Ctl.GET_VERSION_INFO


class VersionInfo(Body):
    """The modem's services, and their versions."""

    SERVICE, MESSAGE = Service.CTL, Ctl.GET_VERSION_INFO
    services: Annotated[tuple[Version, ...], 0x01]


class AllocateClient(Body):
    """Request a client of a service."""

    SERVICE, MESSAGE = Service.CTL, Ctl.ALLOCATE_CLIENT
    service: Annotated[U8, 0x01]


class AllocatedClient(Body):
    """The client to use from now on."""

    SERVICE, MESSAGE = Service.CTL, Ctl.ALLOCATE_CLIENT
    client: Annotated[Client, 0x01]


class ReleaseClient(Body):
    """Release a client."""

    SERVICE, MESSAGE = Service.CTL, Ctl.RELEASE_CLIENT
    client: Annotated[Client, 0x01]


class ProxyOpen(Body):
    """Name the device to qmi-proxy, which opens the device once for all programs."""

    SERVICE, MESSAGE = Service.CTL, Ctl.PROXY_OPEN
    path: Annotated[Text, 0x01]


class Sync(Body):
    """As an indication, this message means that the modem was reset and that all clients are void."""

    SERVICE, MESSAGE = Service.CTL, Ctl.SYNC
