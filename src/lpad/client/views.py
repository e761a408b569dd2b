"""The Python client's view of the API's answers; unknown fields are ignored.

Annotations are evaluated when the module is imported: msgspec would have to compile postponed annotations.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Generic, Self, TypeVar

import msgspec

_T = TypeVar("_T")
_ENDED = ("done", "failed", "cancelled")


class ApiError(Exception):
    """A refusal of the daemon, or the failure of a change: `kind` is stable, `sentence` states what to do."""

    def __init__(
        self,
        sentence: str,
        *,
        kind: str,
        retryable: bool = False,
        status: int | None = None,
        details: dict[str, Any] | None = None,
        answer: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.kind = kind
        self.retryable = retryable
        self.status = status
        self.details = details or {}
        self.problem: dict[str, Any] = answer or {
            "type": f"urn:lpad:error:{kind}",
            "title": kind.replace("-", " "),
            "detail": sentence,
            "kind": kind,
            "retryable": retryable,
            "details": self.details,
        }
        """The problem document of the API, or one of the same form if the error occurred in the client."""


class DaemonUnreachable(ApiError):
    """No daemon answers at the socket, or this user may not connect."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, kind="daemon-unreachable", retryable=True)


class Page(list[_T], Generic[_T]):
    """A page of a list; `next` is the next page's `after` (for changes, `before`); None: no further page."""

    def __init__(self, items: Iterable[_T] = (), *, following: int | str | None = None) -> None:
        super().__init__(items)
        self.next = following


class _View(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Error(_View, frozen=True, kw_only=True):
    """The error of a card or a change."""

    kind: str
    sentence: str
    retryable: bool = False
    details: dict[str, Any] = {}


class JournalRepair(_View, frozen=True, kw_only=True):
    """A repair of a damaged journal: when, why, and how many rows of each table were saved and lost.

    `lost_changes` has the IDs of the changes known to be lost.
    """

    at: datetime
    cause: str
    saved: dict[str, int] = {}
    lost: dict[str, int] = {}
    lost_changes: tuple[int, ...] = ()


class JournalHealth(_View, frozen=True, kw_only=True):
    """Whether the journal can be written; `state` is a word such as `ok`, `full` or `damaged`.

    `set_aside` lists the kept damaged files, and `repairs` the repairs with the saved rows, oldest first.
    """

    state: str
    error: Error | None = None
    set_aside: tuple[str, ...] = ()
    repairs: tuple[JournalRepair, ...] = ()


class Health(_View, frozen=True, kw_only=True):
    """The daemon's health: its cards, its journal and its clock."""

    ok: bool
    cards: int
    cards_ready: int
    journal: JournalHealth = JournalHealth(state="ok")
    clock_set: bool = True


class SettingsInForce(_View, frozen=True, kw_only=True):
    """When the daemon read its settings; changes of the keys in `restart_needed` need a restart."""

    read_at: datetime
    restart_needed: tuple[str, ...] = ()
    error: str | None = None


class System(_View, frozen=True, kw_only=True):
    """The daemon's version, process, uptime, health and settings."""

    version: str
    pid: int
    started_at: datetime
    uptime_seconds: float
    health: Health
    settings: SettingsInForce | None = None


class Ports(_View, frozen=True, kw_only=True):
    """The existing serial ports and PC/SC readers; `no_readers` explains why no readers are listed."""

    serial: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    no_readers: str | None = None


class Memory(_View, frozen=True, kw_only=True):
    """Free memory in bytes, and the number of applications; None: the card does not report the number."""

    free_non_volatile: int | None = None
    free_volatile: int | None = None
    installed_applications: int | None = None


class CertificateIssuer(_View, frozen=True, kw_only=True):
    """A CI that a card names, for verifying servers, for signing, or both."""

    key_id: str
    name: str | None = None
    test: bool = False
    verification: bool = False
    signing: bool = False


class Info(_View, frozen=True, kw_only=True):
    """A card's information about itself."""

    memory: Memory
    svn: str | None = None
    profile_version: str | None = None
    firmware: str | None = None
    ci_ids_for_verification: tuple[str, ...] = ()
    ci_ids_for_signing: tuple[str, ...] = ()
    certificate_issuers: tuple[CertificateIssuer, ...] = ()
    uicc_capability: tuple[str, ...] = ()
    rsp_capability: tuple[str, ...] = ()
    forbidden_policy_rules: tuple[str, ...] = ()
    globalplatform_version: str | None = None
    java_card_version: str | None = None
    category: str | None = None
    protection_profile_version: str | None = None
    sas_accreditation_number: str | None = None


class Addresses(_View, frozen=True, kw_only=True):
    """The server addresses that are stored in a card."""

    default_smdp: str | None = None
    root_smds: str | None = None


class Provisioning(_View, frozen=True, kw_only=True):
    """The number of lpad's own requests for a first profile, and the time of the next request, if any."""

    attempts: int
    next_at: datetime | None = None


class Wish(_View, frozen=True, kw_only=True):
    """An unfulfilled request to an operator's platform for a card.

    `profile` and `line` are the states of the reservation, None before there is one; `spent` explains
    why another order would be needed.
    """

    platform: str
    change: int
    product: str | None = None
    profile: str | None = None
    line: str | None = None
    iccid: str | None = None
    orders: int = 0
    stalled: bool = False
    spent: str | None = None
    why: str | None = None
    next_look_at: datetime | None = None


class Platform(_View, frozen=True, kw_only=True):
    """An operator's platform in the settings, and its abilities."""

    name: str
    orders: bool = True
    costs: bool = True
    releases: bool = False
    activates: str = "never"
    lines: tuple[str, ...] = ()


class Product(_View, frozen=True, kw_only=True):
    """A product that can be ordered from a platform."""

    id: str
    name: str | None = None
    price: str | None = None
    validity: str | None = None
    coverage: str | None = None


class ModemRestarts(_View, frozen=True, kw_only=True):
    """lpad's unsuccessful restarts of the modem; `next_at` None: lpad plans no further restart."""

    times: int
    steps: int
    last_step: str
    last_at: datetime
    next_at: datetime | None = None


class Rescue(_View, frozen=True, kw_only=True):
    """The rescue after `change`, which failed with `switch-stuck`; None in `wanted`: no enabled profile."""

    change: int
    wanted: tuple[str | None, ...]
    since: datetime
    attempts: int
    next_at: datetime


class SeenLayer(_View, frozen=True, kw_only=True):
    """The last known state of a layer of the data connection; docs/api.md describes the fields."""

    layer: str
    up: bool
    seen_at: datetime
    iccid: str | None = None
    told: str | None = None
    cause: str | None = None


class NetworkLeftover(_View, frozen=True, kw_only=True):
    """A deleted profile whose network settings the applier could not remove; `told` is the last failure."""

    iccid: str
    applier: str
    since: datetime
    told: str


class Switching(_View, frozen=True, kw_only=True):
    """A card's policy for switching profiles."""

    protected: tuple[str, ...] = ()
    keep_enabled: bool = False
    fallback: tuple[str, ...] = ()
    per_day: int | None = None


class Failover(_View, frozen=True, kw_only=True):
    """The state of failover: `unwatched`, `well`, `ailing`, `switching` or `resting`."""

    standing: str
    profile: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    seen: str | None = None


class KnownRisk(_View, frozen=True, kw_only=True):
    """A profile that is a known risk to the card; `risk` is a stable word for programs."""

    iccid: str
    risk: str
    enabled: bool
    sentence: str


class UnreadableProfile(_View, frozen=True, kw_only=True):
    """An entry of a card's list that is broken or has no ICCID, with its readable parts.

    The profile is addressed by `isdp_aid`. `raw_iccid` is the card's value of the ICCID, in hex.
    """

    iccid: str | None = None
    raw_iccid: str | None = None
    isdp_aid: str | None = None
    state: str = "unknown"
    profile_class: str | None = None
    name: str | None = None
    provider: str | None = None
    nickname: str | None = None
    policy_rules: tuple[str, ...] = ()
    whole: bool = False


class Euicc(_View, frozen=True, kw_only=True):
    """One card; the list of all cards lacks the fields from `imei` on.

    `port_in_use` is the path of the modem's port through which lpad reaches the card; None: the card is in a
    reader, or lpad does not reach it.
    """

    name: str
    transport: str
    state: str
    port_in_use: str | None = None
    eid: str | None = None
    error: Error | None = None
    imei: str | None = None
    info: Info | None = None
    addresses: Addresses | None = None
    provisioning: Provisioning | None = None
    wish: Wish | None = None
    read_at: datetime | None = None
    switching: Switching | None = None
    failover: Failover | None = None
    rescue: Rescue | None = None
    modem_restarts: ModemRestarts | None = None
    layers: tuple[SeenLayer, ...] = ()
    network_leftovers: tuple[NetworkLeftover, ...] = ()
    known_risks: tuple[KnownRisk, ...] = ()
    unreadable: tuple[UnreadableProfile, ...] = ()


class Line(_View, frozen=True, kw_only=True):
    """The line of a profile as its platform reported it at `seen_at`.

    `line` is idle, changing, live, ended or unknown, `word` the platform's own word for this state. `imei` is
    that of the device in which the platform saw the line. `cause` explains why the network may not serve the
    line.
    """

    platform: str
    line: str
    word: str | None = None
    imei: str | None = None
    seen_at: datetime | None = None
    cause: str | None = None


class Profile(_View, frozen=True, kw_only=True):
    """A profile on a card, or an offered one; `line` is None if no known platform has its line."""

    iccid: str
    state: str | None = None
    profile_class: str = "operational"
    name: str | None = None
    provider: str | None = None
    nickname: str | None = None
    isdp_aid: str | None = None
    icon_type: str | None = None
    policy_rules: tuple[str, ...] = ()
    line: Line | None = None


class ProfileList(_View, frozen=True, kw_only=True):
    """A card's profiles, and the unreadable entries of its list, each of which may be a missing profile."""

    profiles: tuple[Profile, ...]
    unreadable: tuple[UnreadableProfile, ...] = ()
    next: str | None = None


class Notification(_View, frozen=True, kw_only=True):
    """A notification: its `state` is pending, sending, refused, uncopied, delivered, dropped or removing."""

    seq: int
    event: str
    address: str
    state: str
    age_seconds: int
    attempts: int
    iccid: str | None = None
    last_error: str | None = None
    next_attempt_at: datetime | None = None


class Network(_View, frozen=True, kw_only=True):
    """The network settings that apply to a profile; `given_by` is owner, order, pattern or nothing.

    The password is never shown: `password_set` shows whether there is one.
    """

    iccid: str
    given_by: str
    why: str = ""
    apn: str = ""
    username: str = ""
    password_set: bool = False
    authentication: str = "none"
    ip: str = "ipv4v6"
    roaming: bool = True
    initial_bearer: str = "same"
    initial_bearer_apn: str = ""
    mtu: int | None = None


class Outbox(_View, frozen=True, kw_only=True):
    """A card's outbox; `unreadable` counts the entries of the card's own list that cannot be read.

    `list_error` explains why the whole list cannot be read. `copying`: a change has just ended, and
    lpad has not copied its notifications from the card yet.
    """

    notifications: tuple[Notification, ...]
    unreadable: int = 0
    list_error: str | None = None
    copying: bool = False
    next: str | None = None


class Question(_View, frozen=True, kw_only=True):
    """A waiting change's question: `confirmation-code`, `consent`, `confirmation`, `second-order` or `adopt`.

    `reason` explains why the change asks, if the kind does not.
    """

    kind: str
    until: datetime
    code_refused: bool = False
    profile: Profile | None = None
    reason: str | None = None


class Step(_View, frozen=True, kw_only=True):
    """A step of a change, and its duration in seconds; None while it lasts."""

    name: str
    at: datetime
    seconds: float | None = None


class Progress(_View, frozen=True, kw_only=True):
    """The number of bytes that the card has accepted, and the total."""

    sent: int
    total: int


class Requirement(_View, frozen=True, kw_only=True):
    """A condition of a guard, whether it was met, and the last observation."""

    condition: str
    met: bool = False
    seen: str | None = None


class Guard(_View, frozen=True, kw_only=True):
    """A guarded switch; `phase` is `switching`, `watching`, `kept`, `going-back`, `back` or `stuck`."""

    phase: str
    until: datetime
    requirements: tuple[Requirement, ...] = ()
    previous: str | None = None
    layer: str | None = None
    cause: str | None = None


class Pause(_View, frozen=True, kw_only=True):
    """Why a change waits for another attempt; `retry_at` None: until the reason no longer exists.

    `reason` is `network`, `server`, `platform`, `card`, `journal`, `time`, `restart` or `overtaken`.
    """

    reason: str
    since: datetime
    error: Error
    retry_at: datetime | None = None


class Change(_View, frozen=True, kw_only=True):
    """A change: a request for a card."""

    id: int
    euicc: str
    kind: str
    state: str
    created_at: datetime
    params: dict[str, Any] = {}
    progress: Progress | None = None
    question: Question | None = None
    error: Error | None = None
    result: dict[str, Any] | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    steps: tuple[Step, ...] = ()
    origin: str = "caller"
    guard: Guard | None = None
    pause: Pause | None = None
    attempts: int = 0
    overtaken: int = 0
    asked_by: int | None = None

    @property
    def ended(self) -> bool:
        """Whether the change has ended."""
        return self.state in _ENDED

    def check(self) -> Self:
        """Return the change if it has not failed.

        Raises:
            ApiError: the change failed, or was cancelled.
        """
        if self.error is not None:
            error = self.error
            raise ApiError(error.sentence, kind=error.kind, retryable=error.retryable, details=error.details)
        return self


class Event(_View, frozen=True, kw_only=True):
    """One event of the stream, of a type such as `change`, `progress`, `euicc`, `notification` or `lost`."""

    id: str
    type: str
    data: dict[str, Any]

    @property
    def change(self) -> Change:
        """The record in an event of the type `change`."""
        return msgspec.convert(self.data, Change)
