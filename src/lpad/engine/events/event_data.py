"""The data of events, one type for each form: identifiers, a stage and a cause, and nothing else.

An event is thin: it never contains a code, a key, a subscriber's name or a sentence. A program that needs
more asks the API. An empty field does not appear in the JSON text.
"""

from __future__ import annotations

import msgspec

IDENTIFIERS = frozenset({"eid", "iccid", "imei", "previous", "enabled"})
"""Fields with identifiers of a card, a profile or a modem; `identifiers: redacted` masks them."""


class Payload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The data of an event."""


class EndpointTestData(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """A test of the endpoint with this name, requested by a user."""

    endpoint: str


class ProfileData(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """The result of a change for a profile.

    `previous` is the profile that was enabled before, if known; enabling another profile disables it.
    `change` is the change's number at `/v1/changes`; `settled` means that lpad found the result on the card
    after an interruption.
    """

    euicc: str
    eid: str | None = None
    iccid: str
    change: int
    previous: str | None = None
    settled: bool = False


class SwitchData(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """A stage of a guarded switch to the profile `iccid`.

    `enabled` is the profile that is enabled after a rollback, `layer` the lowest layer of the connection that
    failed, and `cause` why the guard was not met, in one word.
    """

    euicc: str
    eid: str | None = None
    iccid: str
    change: int
    previous: str | None = None
    enabled: str | None = None
    layer: str | None = None
    cause: str | None = None


class FailoverData(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """The stage of failover, as in `/v1/euiccs/NAME`; `iccid` is the watched profile."""

    euicc: str
    stage: str
    iccid: str | None = None


class CardData(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """A card; `cause` is the kind of the error because of which lpad cannot use the card."""

    euicc: str
    eid: str | None = None
    cause: str | None = None


class CardChangedData(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """A port or reader in which the card was exchanged: the EIDs of the new and the previous card."""

    euicc: str
    eid: str
    previous: str


class NotificationData(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """A notification that lpad no longer tries to deliver: its number on the card and its event."""

    eid: str
    seq: int
    event: str
    iccid: str | None = None
    cause: str


class JournalData(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """The number of rows that a repair of the journal has saved and lost, by table, and the lost changes."""

    saved: dict[str, int] = {}
    lost: dict[str, int] = {}
    lost_changes: tuple[int, ...] = ()


class ProvisioningData(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """The stage of a profile from a platform; `profile` and `line` are the states that the platform reports.

    `stage` is opened, ordered, reserved, changed, spent or closed.
    """

    eid: str
    platform: str
    stage: str
    change: int | None = None
    iccid: str | None = None
    profile: str | None = None
    line: str | None = None


class DiscoveryData(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """An event that the SM-DS `listed_by` lists for a card, and that leads to the SM-DP+ `server`.

    `stage` is listed, wanted, downloading, installed, failed or forbidden. `change` is the last download, and
    `iccid` the profile that was installed.
    """

    eid: str
    server: str
    listed_by: str
    stage: str
    change: int | None = None
    iccid: str | None = None


class LineData(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """The state of a line at its platform: idle, changing, live, ended or unknown."""

    platform: str
    line: str
    iccid: str | None = None
    euicc: str | None = None


class ImeiData(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """An IMEI other than the known one, `previous`: that of the card's new modem, or one that a platform saw.

    `cause` is `seen-by-platform` if a platform reported `imei` for the line of the profile `iccid`.
    """

    euicc: str
    imei: str
    previous: str | None = None
    iccid: str | None = None
    cause: str | None = None


class LayerData(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """A layer of the data connection: card, modem, registered, bearer, address or path.

    `cause` is the network's reason if it gave one.
    """

    euicc: str
    layer: str
    iccid: str | None = None
    cause: str | None = None


class DroppedData(Payload, frozen=True, kw_only=True, omit_defaults=True):
    """Dropped events: how many of each type, and the numbers of the first and the last one.

    If the numbers are missing, lpad dropped the events from memory while the journal could not be written.
    """

    count: int
    types: dict[str, int]
    first: int | None = None
    last: int | None = None
