"""The results of changes, one type for each kind, and the form of a profile in questions and results.

An empty field does not appear in the JSON text, unless it is marked `always`.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import UNSET, Struct, UnsetType

from lpad.base.frozen import Frozen
from lpad.card.probe import ShownReport
from lpad.engine.change.params import always
from lpad.remote.trust.server_trust_report import TrustReport


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result of a change.

    `settled` means that lpad found the result on the card after the change was cut off.
    """

    settled: bool = False


class Owner(Frozen, kw_only=True):
    """A profile's operator: MCC and MNC as digits, group IDs as hex."""

    mcc_mnc: str
    gid1: str | None = None
    gid2: str | None = None


class NotificationAddress(Struct, frozen=True, kw_only=True):
    """A server that receives notifications of some of a profile's events."""

    address: str
    events: tuple[str, ...]


class ShownProfile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A profile that a server offers (without state and AID), or one on the card, as far as it can be read.

    An entry of the card's list that is broken, lacks a valid ICCID or contradicts another entry has
    `raw_iccid`, the card's value of the ICCID in hex. `whole` is true if all elements of the entry are
    readable.
    """

    iccid: str | None = always(None)
    state: str | None = always(None)
    profile_class: str | None = always(None)
    name: str | None = always(None)
    provider: str | None = always(None)
    nickname: str | None = always(None)
    isdp_aid: str | None = always(None)
    icon_type: str | None = always(None)
    owner: Owner | None = always(None)
    policy_rules: tuple[str, ...] = always(())
    notification_addresses: tuple[NotificationAddress, ...] = always(())
    raw_iccid: str | None = None
    whole: bool | None = None


class RemarkResult(Result, frozen=True, kw_only=True, omit_defaults=True):
    """The result of a change, with a `remark` for the user about the modem or the network settings."""

    remark: str | None = None


class NetworkFailure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A step of the network settings that failed, and the network's cause if it gave one.

    `layer` is the failed layer of the connection: card, modem, registered, bearer, address or path; or the
    owner's program that failed: hook or command.
    """

    step: str
    layer: str
    told: str
    cause: str | None = None


class NetworkResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The result for a profile's network settings in a switch.

    `worked` names the other settings that brought the connection up, if the profile's own did not. `bearer`
    and `address` are up, down or unknown.
    """

    applier: str
    given_by: str
    failures: tuple[NetworkFailure, ...] = ()
    worked: str | None = None
    bearer: str | None = None
    address: str | None = None
    addresses: tuple[str, ...] = ()
    interface: str | None = None


class SwitchResult(RemarkResult, frozen=True, kw_only=True, omit_defaults=True):
    """The profile that is enabled or disabled, and whether it already was in this state.

    After a guarded switch, `guard` is `met`, and `previous` is the previously enabled profile, or null.
    `unguarded` is the reason why the default guard did not apply. `registration` is the modem's last known
    registration, in words.
    """

    iccid: str
    already: bool = always(False)
    guard: str | None = None
    previous: str | UnsetType | None = UNSET
    unguarded: str | None = None
    registration: str | None = None
    network: NetworkResult | None = None


class DownloadResult(RemarkResult, frozen=True, kw_only=True, omit_defaults=True):
    """The profile that was installed; `guard` and `previous` are as for a switch.

    `notifications_delivered` is the number of the installation's notifications that servers accepted before
    the change was done; it is missing if they are delivered afterwards.
    """

    iccid: str
    isdp_aid: str | None = always(None)
    profile: ShownProfile | None = always(None)
    enabled: bool = always(False)
    server: str | None = None
    notifications_delivered: int | None = None
    guard: str | None = None
    previous: str | UnsetType | None = UNSET
    unguarded: str | None = None
    registration: str | None = None
    network: NetworkResult | None = None


class ProvisionResult(DownloadResult, frozen=True, kw_only=True, omit_defaults=True):
    """The installed profile, and its platform."""

    platform: str | None = None


class AskedSmds(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An SM-DS that was asked: the number of its events, or the error with its `kind`."""

    address: str
    events: int = always(0)
    kind: str | None = None
    error: str | None = None


class ShownEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An event of an SM-DS: the SM-DP+ that the event leads to, and the result.

    `state` is listed, wanted, downloading, installed, failed or forbidden. `change` is the last download.
    """

    event_id: str
    server: str
    listed_by: str
    state: str
    change: int | None = None
    iccid: str | None = None
    why: str | None = None


class DiscoverResult(Result, frozen=True, kw_only=True, omit_defaults=True):
    """The SM-DSs that were asked, and all known events, the listed ones first.

    `left_off` counts the omitted events: unreadable, or beyond a limit.
    """

    servers: tuple[AskedSmds, ...] = always(())
    events: tuple[ShownEvent, ...] = always(())
    left_off: int = always(0)


class LineResult(Result, frozen=True, kw_only=True, omit_defaults=True):
    """A platform's report on the line of a profile after the action.

    `line` is idle, changing, live, ended or unknown, and `word` is the platform's own word for it. `imei` is
    that of the device in which the platform saw the line. `already` means that there was nothing to do.
    """

    iccid: str
    platform: str
    line: str
    word: str | None = always(None)
    imei: str | None = always(None)
    already: bool = always(False)


class DeleteResult(RemarkResult, frozen=True, kw_only=True, omit_defaults=True):
    """The profile that is no longer on the card, and whether it was already missing."""

    iccid: str
    already: bool = always(False)


class RenameResult(Result, frozen=True, kw_only=True, omit_defaults=True):
    """The profile, its nickname, and whether it already had this nickname."""

    iccid: str
    nickname: str
    already: bool = always(False)


class SetDefaultSmdpResult(Result, frozen=True, kw_only=True, omit_defaults=True):
    """The default SM-DP+ address, and whether the card already had it."""

    default_smdp: str
    already: bool = always(False)


class ResetResult(RemarkResult, frozen=True, kw_only=True, omit_defaults=True):
    """The result of a reset.

    `already` means that there was nothing to delete. `deleted` has the ICCIDs of the deleted profiles, if the
    card reported them.
    """

    already: bool = always(False)
    deleted: tuple[str, ...] = ()


class DeliverNotificationsResult(Result, frozen=True, kw_only=True, omit_defaults=True):
    """The number of delivered notifications."""

    delivered: int


class DropNotificationResult(Result, frozen=True, kw_only=True, omit_defaults=True):
    """The dropped notification."""

    seq: int
    event: str | None = None
    address: str | None = None


class RefreshResult(Result, frozen=True, kw_only=True, omit_defaults=True):
    """No fields of its own: the card was read."""


class RestartModemResult(RemarkResult, frozen=True, kw_only=True, omit_defaults=True):
    """No fields of its own: the modem was restarted, and its card can be read."""


Outcome: TypeAlias = Result | TrustReport | ShownReport
"""The result of a change of any kind."""
