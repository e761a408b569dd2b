"""The parameters of changes, one type for each kind; secrets are redacted.

A missing field does not appear in the JSON text, unless it is marked `always`. So a new field does
not change the form of existing requests, which an Idempotency-Key identifies.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from lpad.network.network_settings import Authentication, InitialBearer, IpType
from lpad.provisioning.platform_interface import LineAction

T = TypeVar("T")


def always(default: T) -> T:
    """Return the default of a field that always appears in the JSON text."""
    field: T = msgspec.field(default_factory=lambda: default)
    return field


class Params(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The parameters of a change."""


class GuardParams(msgspec.Struct, frozen=True, kw_only=True):
    """The conditions that a switch must meet within a number of seconds; otherwise it is rolled back."""

    until: tuple[str, ...]
    within: float = 180.0


class NetworkParams(msgspec.Struct, frozen=True, kw_only=True):
    """The network settings that come with an order; `password_set` shows whether there is a password."""

    apn: str = ""
    username: str = ""
    authentication: Authentication = Authentication.NONE
    ip: IpType = IpType.IPV4V6
    roaming: bool = True
    initial_bearer: InitialBearer = InitialBearer.SAME
    initial_bearer_apn: str = ""
    mtu: int | None = None
    password_set: bool = False


class EventParams(msgspec.Struct, frozen=True, kw_only=True):
    """An event of an SM-DS: the SM-DP+ that it leads to, and its ID, which is the matching ID there."""

    server: str
    event_id: str


class DownloadParams(Params, frozen=True, kw_only=True):
    """A download from `server` or the default SM-DP+; `event` is the SM-DS's event that names the server.

    `confirm` asks for consent once the profile is known. `retry_for` is in seconds; with `when_online` the
    download waits for a network without limit. `guard` is for the switch that `enable` requests; with
    `unguarded`, even the default guard does not apply.
    """

    confirm: bool = always(False)
    enable: bool = always(False)
    guard: GuardParams | None = None
    unguarded: bool = False
    network: NetworkParams | None = None
    when_online: bool = False
    retry_for: float | None = None
    default: bool = False
    server: str | None = None
    matching_id: str | None = None
    event: EventParams | None = None


class ProvisionParams(DownloadParams, frozen=True, kw_only=True, omit_defaults=True):
    """A download through an operator's platform, with `product` and `options` as the platform names them."""

    platform: str
    product: str | None = None
    options: dict[str, str] = {}
    enable: bool = always(True)
    when_online: bool = always(True)


class DiscoverParams(Params, frozen=True, kw_only=True):
    """Whether to install the events' profiles (`confirm`: after consent to each), and the SM-DSs to ask.

    Without `servers`, lpad asks the card's own SM-DSs and those of the settings.
    """

    install: bool = always(False)
    confirm: bool = False
    servers: tuple[str, ...] = ()


class ProfileParams(Params, frozen=True, kw_only=True):
    """A profile, by ICCID or AID."""

    iccid: str


class EnableParams(ProfileParams, frozen=True, kw_only=True):
    """The profile to enable; with `unguarded`, even the default guard does not apply."""

    guard: GuardParams | None = None
    unguarded: bool = False


class DisableParams(ProfileParams, frozen=True, kw_only=True):
    """The profile to disable; `accept_offline` allows the device to lose its connection."""

    accept_offline: bool = False


class LineParams(ProfileParams, frozen=True, kw_only=True):
    """The action for a profile's line; `accept_offline` allows the device to lose its connection."""

    action: LineAction
    accept_offline: bool = False


class DeleteParams(ProfileParams, frozen=True, kw_only=True):
    """The profile to delete; with `missing_ok`, a missing profile is not an error."""

    missing_ok: bool = always(False)


class RenameParams(ProfileParams, frozen=True, kw_only=True):
    """A profile and its new nickname; an empty nickname removes the present one."""

    nickname: str


class SetDefaultSmdpParams(Params, frozen=True, kw_only=True):
    """The default SM-DP+ address; an empty address removes the present one."""

    default_smdp: str


class ResetParams(Params, frozen=True, kw_only=True):
    """The data that a reset deletes or restores; `accept_offline` permits the device to go offline."""

    operational_profiles: bool = always(False)
    test_profiles: bool = always(False)
    default_smdp: bool = always(False)
    accept_offline: bool = False


class DeliverNotificationsParams(Params, frozen=True, kw_only=True):
    """The number of a notification, whose recipient alone is tried; None: the recipients of all."""

    seq: int | None = None


class DropNotificationParams(Params, frozen=True, kw_only=True):
    """The number of the notification to drop."""

    seq: int


class RefreshParams(Params, frozen=True, kw_only=True):
    """No parameters: the whole card is read."""


class ProbeParams(Params, frozen=True, kw_only=True):
    """Whether the report shows EID, IMEI and serial numbers in full."""

    unredacted: bool = always(False)


class CheckTrustParams(Params, frozen=True, kw_only=True):
    """The server for the TLS handshake, as name or name:port."""

    address: str


class RestartModemParams(Params, frozen=True, kw_only=True):
    """No parameters: the card's modem is restarted."""
