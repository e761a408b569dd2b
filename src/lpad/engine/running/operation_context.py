"""The context of operations: the card, the servers, the outbox and the time limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.engine.change.change import Change
    from lpad.engine.discovery.smds_event_store import EventStore
    from lpad.engine.environment.clock_and_network import Environment
    from lpad.engine.lines.known_lines import KnownLines
    from lpad.engine.network_settings.deleted_profile_leftovers import UnforgottenProfiles
    from lpad.engine.network_settings.pending_switch import PendingSwitches
    from lpad.engine.network_settings.settings_store import NetworkStore
    from lpad.engine.outbox import Outbox
    from lpad.engine.outbox.delivery import Connect
    from lpad.engine.outbox.owed_cancellations import OwedCancellations
    from lpad.engine.provisioning.platforms import Platforms
    from lpad.engine.provisioning.wish_store import WishStore
    from lpad.engine.running.card.card_with_open_link import Card
    from lpad.engine.running.card.last_seen_layers import LayerStates
    from lpad.engine.running.card.modem_restart_limit import ModemRestartLimit
    from lpad.engine.snapshot.profile_list import ProfileList
    from lpad.engine.snapshot.snapshot import Icon, Snapshot
    from lpad.lpa.euicc import Euicc
    from lpad.lpa.owner_install_policy import InstallPolicy


class Timeouts(Struct, kw_only=True):
    """The time limits of each kind of work, in seconds; `answer` is the caller's time to answer.

    One object serves the whole engine, so that reloaded settings apply to all later work.
    """

    open: float = 30
    read: float = 60
    switch: float = 120
    download: float = 900
    delivery: float = 60
    answer: float = 300
    retry: float = 0
    """The seconds for which a download is retried after temporary failures; 0: it fails immediately."""
    absence: float = 24 * 3600
    """The seconds for which lpad waits for a card that was lost before it answered a command that alters
    the card."""

    def become(self, other: Timeouts) -> None:
        """Replace the limits by another object's."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(other, name))


class Stuck(Protocol):
    """The rescue, which takes over from a guarded switch that is about to fail with `switch-stuck`."""

    def __call__(self, change: Change, eid: str, *, wanted: tuple[str | None, ...], unwanted: str) -> None:
        """See `Rescue.stuck`."""


class Observe(Protocol):
    """Reads a card: the parts that changes may alter, or all of it."""

    def __call__(
        self,
        euicc: Euicc,
        deadline: Deadline,
        *,
        whole: bool = False,
        switched: ProfileList | None = None,
        eid: str | None = None,
        copies_later: bool = False,
    ) -> Snapshot:
        """Publish and return the reading; the arguments as in `Observer.observe`."""


class Context(Frozen, kw_only=True):
    """The context that each operation gets.

    `snapshot` returns the card as it was last read; `observe` reads the card through an open ISD-R, publishes
    the result and copies new notifications; `collect_owed` copies the notifications that a change has left
    for later; `keep_icon` stores a received icon, by ICCID; `changes` returns this card's changes in the
    journal; `install_policy` returns the card's install policy; `owed` stores the cancellations that
    servers have not received yet; `stuck` takes over guarded switches that could not be rolled back;
    `modem_resets` limits the restarts of the modem; `networks` stores the network settings of profiles,
    `pending` the unfinished switches with such settings, and `unforgotten` the deleted profiles that an
    applier still knows; `lines` has the platforms' reports on the lines of profiles; `layers` has the states
    of the data connection's layers; `events` has the events that SM-DSs list for the cards.
    """

    card: Card
    outbox: Outbox
    owed: OwedCancellations
    connect: Connect
    timeouts: Timeouts
    snapshot: Callable[[], Snapshot]
    observe: Observe
    collect_owed: Callable[[Euicc, Deadline], None]
    keep_icon: Callable[[str, Icon], None]
    changes: Callable[[], list[Change]]
    install_policy: Callable[[], InstallPolicy]
    stuck: Stuck
    environment: Environment
    modem_resets: ModemRestartLimit
    networks: NetworkStore
    pending: PendingSwitches
    wishes: WishStore
    platforms: Platforms
    unforgotten: UnforgottenProfiles
    lines: KnownLines
    layers: LayerStates
    events: EventStore
