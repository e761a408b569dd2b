"""The bodies of requests."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec.structs import replace

from lpad.base.activation_code_extraction import LONGEST_TEXT
from lpad.base.guard_condition import LONGEST as LONGEST_CONDITION
from lpad.codec.es11_event_entries import LONGEST_EVENT_ID
from lpad.engine.change.guard import LONGEST as LONGEST_GUARD
from lpad.engine.change.guard import MOST_CONDITIONS
from lpad.network.network_settings import (
    LEAST_MTU,
    LONGEST_APN,
    LONGEST_CREDENTIAL,
    MOST_MTU,
    Authentication,
    InitialBearer,
    IpType,
    NetworkSettings,
)
from lpad.provisioning.platform_interface import LineAction

MAX_NICKNAME_BYTES = 64
Name = Annotated[str, msgspec.Meta(extra_json_schema={"maxLength": MAX_NICKNAME_BYTES})]
"""A profile's nickname. The handler checks its bytes, because a schema can only count characters."""
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
ActivationCodeText = Annotated[
    str,
    msgspec.Meta(
        min_length=1,
        max_length=LONGEST_TEXT,
        description=(
            "as the user received it: quotes, line breaks, and a setup link of Apple or Android"
            " around the code are accepted"
        ),
        examples=["LPA:1$smdp.example.com$ABCD-1234"],
    ),
]


class Request(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A request's body; lpad refuses unknown fields instead of ignoring them silently."""


class NoBody(Request, frozen=True):
    """A request without content."""


class GuardRequest(Request, frozen=True, kw_only=True):
    """Conditions that must all be met within a number of seconds, or the switch is rolled back."""

    until: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_CONDITION)]],
        msgspec.Meta(min_length=1, max_length=MOST_CONDITIONS),
    ]
    within: Annotated[float, msgspec.Meta(ge=1, le=LONGEST_GUARD)] = 180


class NetworkRequest(Request, frozen=True, kw_only=True):
    """All network settings of a profile; an omitted field has its default.

    An omitted `password` stays unchanged, because no answer shows it, unless authentication is turned off. An
    empty `password` removes the stored one.
    """

    apn: Annotated[str, msgspec.Meta(max_length=LONGEST_APN)] = ""
    username: Annotated[str, msgspec.Meta(max_length=LONGEST_CREDENTIAL)] = ""
    password: Annotated[str, msgspec.Meta(max_length=LONGEST_CREDENTIAL)] | msgspec.UnsetType = msgspec.UNSET
    authentication: Authentication = Authentication.NONE
    ip: IpType = IpType.IPV4V6
    roaming: bool = True
    initial_bearer: InitialBearer = InitialBearer.SAME
    initial_bearer_apn: Annotated[str, msgspec.Meta(max_length=LONGEST_APN)] = ""
    mtu: Annotated[int, msgspec.Meta(ge=LEAST_MTU, le=MOST_MTU)] | None = None

    def settings(self, *, stored: NetworkSettings | None = None) -> NetworkSettings:
        """Return the settings, with the stored password if the request omits a needed password.

        Raises:
            InvalidValue: the settings contradict each other, or a text has forbidden characters.
        """
        given = self
        if self.password is msgspec.UNSET:
            uses_one = stored is not None and self.authentication is not Authentication.NONE
            given = replace(self, password=stored.password if stored is not None and uses_one else "")
        return msgspec.convert(given, NetworkSettings, from_attributes=True)


class EventRequest(Request, frozen=True, kw_only=True):
    """An event of an SM-DS, as a discovery shows it: the address of its SM-DP+, and the event's ID there."""

    server: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
    event_id: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_EVENT_ID)]


class DownloadRequest(Request, frozen=True, kw_only=True):
    """An activation code, an `event`, or `default`; `confirm` asks for consent once the profile is known.

    `retry_for` is the number of seconds for which lpad retries after temporary failures; the setting
    `retry_for` is the default. With `when_online`, the change waits for a network until it is cancelled.
    `guard` applies to the switch that `enable` requests. lpad stores `network` for the installed profile.
    """

    activation_code: ActivationCodeText | None = None
    event: EventRequest | None = None
    default: bool = False
    confirmation_code: Code | None = None
    confirm: bool = False
    enable: bool = False
    guard: GuardRequest | msgspec.UnsetType | None = msgspec.UNSET
    when_online: bool = False
    retry_for: Annotated[float, msgspec.Meta(ge=0, le=30 * 24 * 3600)] | None = None
    network: NetworkRequest | None = None


class ProvisionRequest(Request, frozen=True, kw_only=True):
    """A profile from an operator's platform; `product` and `options` have defaults in the settings.

    `platform` is needed if the settings name several platforms. `product` is the product to
    order, as the platform names it, and `options` are further values that the platform's description needs.
    `guard` is for the switch to the new profile; null means no guard.
    """

    platform: Annotated[str, msgspec.Meta(min_length=1, max_length=32)] | None = None
    product: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None = None
    options: Annotated[
        dict[
            Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{1,32}$")],
            Annotated[str, msgspec.Meta(max_length=255)],
        ],
        msgspec.Meta(max_length=32),
    ] = {}
    enable: bool = True
    confirm: bool = False
    guard: GuardRequest | msgspec.UnsetType | None = msgspec.UNSET


class DiscoverRequest(Request, frozen=True, kw_only=True):
    """The SM-DSs to query, and whether lpad downloads the profiles that wait there.

    Without `servers`, lpad asks the SM-DS of the card and those of the settings. With `install`, lpad
    downloads the profiles of unhandled events one after the other, and enables the first profile that it
    installs; `confirm` asks for consent to each profile.
    """

    install: bool = False
    confirm: bool = False
    servers: Annotated[
        list[Annotated[str, msgspec.Meta(min_length=1, max_length=255)]], msgspec.Meta(max_length=8)
    ] = []


class EnableRequest(Request, frozen=True, kw_only=True):
    """With a guard, the previous profile is enabled again unless all conditions are met in time.

    Without `guard`, the default guard of the settings applies if possible; null means no guard.
    """

    guard: GuardRequest | msgspec.UnsetType | None = msgspec.UNSET


class DisableRequest(Request, frozen=True, kw_only=True):
    """Whether to disable the profile even if the device loses its connection."""

    accept_offline: bool = False


class LineRequest(Request, frozen=True, kw_only=True):
    """The action for the line of a profile at its platform: show, activate, suspend or retire.

    A retired line has ended, which cannot be undone. Suspending or retiring the line of the enabled profile
    needs `accept_offline`, because the device may then lose its connection.
    """

    action: LineAction
    accept_offline: bool = False


class AnswerRequest(Request, frozen=True, kw_only=True):
    """An answer: one of the three fields, as the change's question requires."""

    confirmation_code: Code | None = None
    decision: Annotated[str, msgspec.Meta(pattern="^(accept|reject|postpone)$")] | None = None
    confirm: bool | None = None


class EuiccPatch(Request, frozen=True, kw_only=True):
    """The default SM-DP+ address to write into the card; an empty text removes the address."""

    default_smdp: Annotated[str, msgspec.Meta(max_length=255)]


class ProfilePatch(Request, frozen=True, kw_only=True):
    """The nickname, at most 64 bytes of UTF-8; an empty text removes the nickname."""

    nickname: Name


class ResetRequest(Request, frozen=True, kw_only=True):
    """The data to delete, at least one kind; `accept_offline` allows the device to lose its connection."""

    operational_profiles: bool = False
    test_profiles: bool = False
    default_smdp: bool = False
    accept_offline: bool = False


class ProbeRequest(Request, frozen=True, kw_only=True):
    """Whether the report shows EID, IMEI and serial numbers in full."""

    unredacted: bool = False


class TrustCheckRequest(Request, frozen=True, kw_only=True):
    """The server for the TLS handshake: name, or name:port."""

    address: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
