"""What a change has led to, one type for each kind, and the profile as questions and results show it.

A field that says nothing does not appear in the JSON text, unless it is `always` there.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from lpad.card.probe import ShownReport
from lpad.engine.change.params import always
from lpad.remote.trust.report import TrustReport


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a change has led to.

    `settled` says that this was found on the card after the change was cut off.
    """

    settled: bool = False


class ShownOwner(msgspec.Struct, frozen=True, kw_only=True):
    """A profile's operator: MCC and MNC as digits, group IDs as hex."""

    mcc_mnc: str
    gid1: str | None = None
    gid2: str | None = None


class ShownAddress(msgspec.Struct, frozen=True, kw_only=True):
    """A server that is told of some of a profile's events."""

    address: str
    events: tuple[str, ...]


class ShownProfile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A profile that a server offers (without state and AID), or one on the card, as far as it can be read.

    `raw_iccid` and `whole` belong to an entry of the card's list that is broken or has no ICCID: what the
    card gives as the ICCID, in hex, and whether nothing but the ICCID is wrong.
    """

    iccid: str | None = always(None)
    state: str | None = always(None)
    profile_class: str | None = always(None)
    name: str | None = always(None)
    provider: str | None = always(None)
    nickname: str | None = always(None)
    isdp_aid: str | None = always(None)
    icon_type: str | None = always(None)
    owner: ShownOwner | None = always(None)
    policy_rules: tuple[str, ...] = always(())
    notification_addresses: tuple[ShownAddress, ...] = always(())
    raw_iccid: str | None = None
    whole: bool | None = None


class RemarkResult(Result, frozen=True, kw_only=True, omit_defaults=True):
    """What a change has led to, and in `remark` what a person should know of the modem."""

    remark: str | None = None


class SwitchResult(RemarkResult, frozen=True, kw_only=True, omit_defaults=True):
    """The profile that is enabled or disabled, and whether it was so already.

    Of a guarded switch, `guard` is `met`, and `previous` the profile that was enabled before, null if none.
    """

    iccid: str
    already: bool = always(False)
    guard: str | None = None
    previous: str | UnsetType | None = UNSET


class DownloadResult(RemarkResult, frozen=True, kw_only=True, omit_defaults=True):
    """The profile that was installed; `guard` and `previous` as of a switch."""

    iccid: str
    isdp_aid: str | None = always(None)
    profile: ShownProfile | None = always(None)
    enabled: bool = always(False)
    server: str | None = None
    notifications_delivered: int | None = None
    guard: str | None = None
    previous: str | UnsetType | None = UNSET


class ProvisionResult(DownloadResult, frozen=True, kw_only=True, omit_defaults=True):
    """The profile that was installed, and the platform that it came from."""

    platform: str | None = None


class DeleteResult(Result, frozen=True, kw_only=True, omit_defaults=True):
    """The profile that is not on the card, and whether it was so already."""

    iccid: str
    already: bool = always(False)


class RenameResult(Result, frozen=True, kw_only=True, omit_defaults=True):
    """The profile and its nickname, and whether it had that already."""

    iccid: str
    nickname: str
    already: bool = always(False)


class SetDefaultSmdpResult(Result, frozen=True, kw_only=True, omit_defaults=True):
    """The default SM-DP+ address, and whether the card had it already."""

    default_smdp: str
    already: bool = always(False)


class ResetResult(RemarkResult, frozen=True, kw_only=True, omit_defaults=True):
    """Whether there was nothing to delete."""

    already: bool = always(False)


class DeliverNotificationsResult(Result, frozen=True, kw_only=True, omit_defaults=True):
    """How many notifications were delivered."""

    delivered: int


class DropNotificationResult(Result, frozen=True, kw_only=True, omit_defaults=True):
    """The notification that was given up."""

    seq: int
    event: str | None = None
    address: str | None = None


class RefreshResult(Result, frozen=True, kw_only=True, omit_defaults=True):
    """Nothing more: the card was read."""


class RestartModemResult(RemarkResult, frozen=True, kw_only=True, omit_defaults=True):
    """Nothing more: the modem was restarted, and its card can be read."""


Outcome: TypeAlias = Result | TrustReport | ShownReport
"""What a change has led to, of any kind."""
