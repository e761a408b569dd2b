"""The types of the bodies of answers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec

from lpad.engine.change.change import Change, Failure
from lpad.engine.change.results import NotificationAddress, Owner
from lpad.engine.journal.file.writability import JournalState, Repair
from lpad.engine.policy.switching import SwitchPolicy
from lpad.engine.snapshot.profile import Profile, UnreadableProfile
from lpad.engine.snapshot.risky_test_profiles import KnownRisk
from lpad.engine.snapshot.snapshot import Addresses, CardInfo
from lpad.engine.unattended.failover import FailoverStatus
from lpad.network.network_settings import (
    Authentication,
    GivenBy,
    InitialBearer,
    IpType,
)
from lpad.provisioning.platform_interface import LineAction

if TYPE_CHECKING:
    from lpad.network.network_settings_choice import Chosen

V = TypeVar("V", bound=msgspec.Struct)


def view_of(type_: type[V], source: object, **told: object) -> V:
    """Return a view with the given fields; its other fields come from the attributes of `source`."""
    rest = {name: getattr(source, name) for name in type_.__struct_fields__ if name not in told}
    return type_(**told, **rest)


class NetworkView(msgspec.Struct, frozen=True, kw_only=True):
    """The network settings that apply to a profile, with their source and reason, without the password.

    `given_by` is owner, order, pattern or nothing.
    """

    iccid: str
    given_by: GivenBy
    why: str
    apn: str
    username: str
    password_set: bool
    authentication: Authentication
    ip: IpType
    roaming: bool
    initial_bearer: InitialBearer
    initial_bearer_apn: str
    mtu: int | None

    @classmethod
    def of(cls, iccid: str, chosen: Chosen) -> NetworkView:
        """Create the view of a profile's settings."""
        settings = chosen.settings
        return view_of(
            cls,
            settings,
            iccid=iccid,
            given_by=chosen.given_by,
            why=chosen.why,
            password_set=bool(settings.password),
        )


class JournalView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the journal can be written, or why not; the damaged files that lpad kept; and the repairs."""

    state: JournalState
    error: Failure | None
    set_aside: list[str]
    repairs: list[Repair]


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the daemon works, and how many cards are ready."""

    ok: bool
    cards: int
    cards_ready: int
    journal: JournalView
    clock_set: bool


class SettingsView(msgspec.Struct, frozen=True, kw_only=True):
    """When lpad read the settings in force; changed keys in `restart_needed` need a restart to take effect.

    `error` describes the mistakes in the file when it was last read; the previous settings stay in force.
    """

    read_at: datetime
    restart_needed: tuple[str, ...]
    error: str | None


class SystemView(msgspec.Struct, frozen=True, kw_only=True):
    """The daemon's version, process, uptime, health and settings."""

    version: str
    pid: int
    started_at: datetime
    uptime_seconds: float
    health: Health
    settings: SettingsView


class PortsView(msgspec.Struct, frozen=True, kw_only=True):
    """The ports that may lead to a card; `no_readers` explains why no readers are listed, if known."""

    serial: tuple[str, ...]
    readers: tuple[str, ...]
    no_readers: str | None


class EuiccSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One card in the list.

    `port_in_use` is the path of the modem's port through which lpad reaches the card: the setting `port`, or
    one of the `fallback_ports`. For a reader, and while lpad does not reach the card, the field is null.
    """

    name: str
    transport: str
    port_in_use: str | None
    state: str
    eid: str | None
    error: Failure | None


class EuiccList(msgspec.Struct, frozen=True, kw_only=True):
    """The cards in the settings."""

    euiccs: list[EuiccSummary]
    next: str | None = None


class ProvisioningView(msgspec.Struct, frozen=True, kw_only=True):
    """The number of lpad's own requests for a first profile; `next_at`: the time of the next one, or null."""

    attempts: int
    next_at: datetime | None


class WishView(msgspec.Struct, frozen=True, kw_only=True):
    """An unfulfilled request to an operator's platform for a card.

    `profile` is pending, available, downloaded, installed, failed, gone or unknown; `line` is idle,
    changing, live, ended or unknown. Both are null while there is no reservation. `change` is the change that
    fulfils the wish, or the last one that tried; `spent` explains why another order would be needed;
    `next_look_at` is the time of lpad's next query.
    """

    platform: str
    product: str | None
    change: int
    profile: str | None
    line: str | None
    iccid: str | None
    orders: int
    stalled: bool
    spent: str | None
    why: str | None
    next_look_at: datetime | None


class ModemRestartsView(msgspec.Struct, frozen=True, kw_only=True):
    """The number of lpad's own restarts of the modem since the modem last read the enabled profile.

    `times` counts the uses of the refresh ladder, `steps` all steps taken. `next_at` is when lpad may restart
    the modem again; null: not before it reads the enabled profile or a user restarts it.
    """

    times: int
    steps: int
    last_step: str
    last_at: datetime
    next_at: datetime | None


class RescueView(msgspec.Struct, frozen=True, kw_only=True):
    """The rescue after `change`, which failed with `switch-stuck`, and the time of the next attempt.

    `wanted` lists the profiles to try, in this order; null stands for no enabled profile.
    """

    change: int
    wanted: tuple[str | None, ...]
    since: datetime
    attempts: int
    next_at: datetime


class LayerView(msgspec.Struct, frozen=True, kw_only=True):
    """A layer of the data connection as lpad last saw it: in a switch, in failover, or after a report.

    `layer` is card, modem, registered, bearer, address or path. `iccid` is the profile that was enabled, null
    if unknown. `told` is the observation in words; `cause` is the network's reason for a fault, or null.
    """

    layer: str
    up: bool
    seen_at: datetime
    iccid: str | None
    told: str | None
    cause: str | None


class NetworkLeftoverView(msgspec.Struct, frozen=True, kw_only=True):
    """A deleted profile whose network settings the applier could not remove yet; lpad tries again.

    `told` is the last failure, as a sentence.
    """

    iccid: str
    applier: str
    since: datetime
    told: str


class EuiccView(EuiccSummary, frozen=True, kw_only=True):
    """One card with all its information at `read_at`."""

    imei: str | None
    info: CardInfo | None
    addresses: Addresses | None
    provisioning: ProvisioningView | None
    wish: WishView | None
    read_at: datetime | None
    switching: SwitchPolicy
    failover: FailoverStatus | None
    rescue: RescueView | None
    modem_restarts: ModemRestartsView | None
    network_leftovers: tuple[NetworkLeftoverView, ...]
    layers: tuple[LayerView, ...]
    known_risks: tuple[KnownRisk, ...]
    unreadable: tuple[UnreadableProfile, ...]


class LineView(msgspec.Struct, frozen=True, kw_only=True):
    """The line of a profile as its platform reported it at `seen_at`.

    `line` is idle, changing, live, ended or unknown, and `word` is the platform's own name for this state.
    `imei` is the IMEI of the device in which the platform saw the line. `cause` explains in a sentence why
    the network may not serve the line, and is null if there is no reason.
    """

    platform: str
    line: str
    word: str | None
    imei: str | None
    seen_at: datetime | None
    cause: str | None


class ProfileView(msgspec.Struct, frozen=True, kw_only=True):
    """One profile, which is addressed by its ICCID or its AID.

    `iccid` is null if the card reports no readable ICCID; then `raw_iccid` is the card's value in hex. `line`
    is null if lpad knows no platform in the settings with the profile's line.
    """

    iccid: str | None
    raw_iccid: str | msgspec.UnsetType | None = msgspec.UNSET
    state: str | None
    profile_class: str | None
    name: str | None
    provider: str | None
    nickname: str | None
    isdp_aid: str | None
    icon_type: str | None
    owner: Owner | None
    policy_rules: tuple[str, ...]
    notification_addresses: tuple[NotificationAddress, ...]
    line: LineView | None

    @classmethod
    def of(cls, profile: Profile | UnreadableProfile, *, line: LineView | None) -> ProfileView:
        """Create the view of a profile in a card's list, with its line."""
        if isinstance(profile, Profile):
            return view_of(cls, profile, raw_iccid=msgspec.UNSET, line=line)
        return view_of(cls, profile, icon_type=None, owner=None, notification_addresses=(), line=line)


class ProfileList(msgspec.Struct, frozen=True, kw_only=True):
    """A card's profiles at `read_at`, and the unreadable entries of its list."""

    euicc: str
    state: str
    read_at: datetime | None
    profiles: tuple[ProfileView, ...]
    unreadable: tuple[UnreadableProfile, ...]
    next: str | None = None


class NotificationView(msgspec.Struct, frozen=True, kw_only=True):
    """A notification in the outbox, or one on the card that lpad could not copy.

    `state` is pending or sending; refused, if the notification was set aside because of `last_error`; or
    uncopied, if it is only on the card because of `last_error`. In the states delivered, dropped and
    removing, the notification only waits for its removal from the card.
    """

    seq: int
    event: str
    address: str
    iccid: str | None
    state: str
    age_seconds: int
    attempts: int
    last_error: str | None
    next_attempt_at: datetime | None


class NotificationList(msgspec.Struct, frozen=True, kw_only=True):
    """A card's outbox, sorted by `seq`; `oldest_seconds` is the age of the oldest pending notification.

    `unreadable` counts the entries of the card's own list that cannot be read. `list_error` explains why the
    card's list cannot be read at all; then the card may have more notifications. `copying`: a change has just
    ended, and lpad has yet to copy its notifications from the card.
    """

    euicc: str
    pending: int
    oldest_seconds: int | None
    notifications: list[NotificationView]
    unreadable: int
    list_error: str | None
    copying: bool
    next: str | None = None


class PlatformView(msgspec.Struct, frozen=True, kw_only=True):
    """A platform that the settings name, and its capabilities.

    `activates` states when lpad can activate a line: before the profile is enabled, after it is installed, or
    never. `lines` lists the actions for the line of an installed profile.
    """

    name: str
    orders: bool
    costs: bool
    releases: bool
    activates: str
    lines: tuple[LineAction, ...]


class PlatformList(msgspec.Struct, frozen=True, kw_only=True):
    """All platforms, in the order of the settings."""

    platforms: list[PlatformView]
    next: str | None = None


class ProductView(msgspec.Struct, frozen=True, kw_only=True):
    """A product that can be ordered; all fields except `id` are texts of the platform, or null."""

    id: str
    name: str | None
    price: str | None
    validity: str | None
    coverage: str | None


class ProductList(msgspec.Struct, frozen=True, kw_only=True):
    """The products that a platform offers."""

    platform: str
    products: list[ProductView]
    next: str | None = None


class ChangeList(msgspec.Struct, frozen=True, kw_only=True):
    """Changes, newest first; `next` is the `before` of the next page, and null if there are no older ones."""

    changes: list[Change]
    next: int | None = None
