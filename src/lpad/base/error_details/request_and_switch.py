"""The details of errors of requests and of switches: facts for programs, each present only if known."""

from __future__ import annotations

from typing import Annotated, TypedDict

import msgspec


class Details(TypedDict, total=False):
    """The details of any error; `installed`: the ICCID or AID of a profile that the change has installed."""

    installed: str


class SettingsDetails(Details, total=False):
    """The first mistake's `key` and `line` (0 if it has no line), and the number of mistakes."""

    key: str
    line: int
    mistakes: int


class ConflictDetails(Details, total=False):
    """The obstacle to the request: the `change` (its ID), the `limit`, or an ambiguity.

    `candidates`: AIDs of the profiles with the ICCID, joined by ", ". `unreadable`: the number of profiles
    that cannot be read. `reserved`: the ICCID that a platform reserved. `interrupted`: the change was cut
    off.
    """

    candidates: str
    change: int
    interrupted: bool
    limit: int
    reserved: str
    unreadable: int


class ProtectedDetails(ConflictDetails, total=False):
    """The ICCID or AID of the protected profile."""

    iccid: str


class OfflineDetails(ConflictDetails, total=False):
    """The ICCID and the name of the profile that the modem uses."""

    iccid: str
    name: str


class LimitDetails(ConflictDetails, total=False):
    """The time of the next possible switch, ISO 8601; `limit`: the allowed number of switches in 24 hours."""

    next_at: Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]


class RoleDetails(Details, total=False):
    """The missing role."""

    role: str


class KeyDetails(Details, total=False):
    """The ID of the change that the idempotency key belongs to."""

    change: int


class DeclinedDetails(Details, total=False):
    """How the offer was declined: `reject`, `postpone` or `timeout`."""

    decision: str


class PolicyDetails(DeclinedDetails, total=False):
    """The policy rule, by the name of its setting; `rules` are the card's policy rules, joined by ", "."""

    rule: str
    rules: str


class JournalDetails(Details, total=False):
    """Why the journal cannot be written, such as `journal-full`."""

    reason: str


class NetworkDetails(Details, total=False):
    """The layer that failed, or the owner's program (`hook`, `command`), and the cause as reported."""

    cause: str
    layer: str


class SwitchDetails(NetworkDetails, total=False):
    """How a guarded switch ended.

    `enabled` and `previous`: ICCIDs or AIDs; empty: none. `reason`: such as `time-limit`. `seen`: what was
    observed. `unmet`: conditions, joined by ", ". `failed`: the failed attempts to roll back, joined by "; ".
    """

    enabled: str
    failed: str
    previous: str
    reason: str
    seen: str
    unmet: str
