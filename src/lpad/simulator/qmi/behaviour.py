"""The behaviour of a simulated QMI modem, as data: each field is a difference between real modems."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class QmiHabits:
    """A control port's behaviour in addition to that of its modem; the defaults are a common modem."""

    clients: int = 16
    """The number of clients of each service; one more fails with ClientIdsExhausted."""
    leaked_clients: int = 0
    """Clients of each service that an earlier host has left at the start."""
    channels: int = 19
    """The number of channels that the modem opens at most; one more fails with InsufficientResources."""
    leaked_channels: int = 0
    """Channels that an earlier host has left open at the start."""
    builds_class: bool = True
    """Whether the modem inserts the channel into class bytes, or passes the host's on."""
    fetches_response: bool = False
    """Whether the modem turns 61xx into GET RESPONSE and 6Cxx into the right Le, or passes them on."""
    bars_isdr: bool = False
    """Whether the firmware refuses to select the ISD-R (SIM7600G-H, LE910C4: AccessDenied)."""
    tells_status_word: bool = True
    """Whether a failed selection has the card's status word next to the error."""
    long_response: int | None = None
    """Bytes of an answer above which it follows in indications with pieces of this size; None: never."""
    long_response_fails: bool = False
    """Whether such an answer is announced in a failed response (InsufficientResources)."""
    loses_piece: bool = False
    """Whether the last piece never comes."""
    indication_delay: float | None = 0.0
    """Seconds from an event to its indication; None: the modem sends no indications of events."""
    announces_reset: bool = True
    """Whether the modem sends Sync after a reset."""
    refresh_patience: float = 3.0
    """Seconds for which a refresh waits for the clients that have registered for it."""
    slot_status: bool = True
    """Whether the modem reports its slots (NotSupported otherwise, as on modems with one slot)."""
    data_sessions: bool = True
    """Whether the modem reports its data sessions (InvalidQmiCommand otherwise)."""
    ip_families: bool = True
    """Whether a client chooses the version of IP that it asks about (InvalidQmiCommand otherwise)."""
    starts_session: bool = False
    """Whether the modem starts a data session by itself at each attach, until a host forbids that."""
    tells_end: bool = True
    """Whether a refused session has the network's cause, or only the older reason."""
    slots: int = 1
    card_slot: int = 1
    """The physical slot with the card, from 1; the others are empty."""
    mapped_slot: int = 1
    """The physical slot that the modem uses at the start."""
    slot_start: float = 0.0
    """Seconds from a change of the slot until its card has started; until then UimUninitialized."""
    reset_needs_offline: bool = False
    """Whether a reset fails with IncompatibleState unless the modem is offline."""
    resets_after: int | None = None
    """The number of messages after which the modem restarts unannounced, once; None: never."""
    lost_transaction: int | None = None
    """The number of messages after which the answer to one is never sent, once; None: none is lost."""
