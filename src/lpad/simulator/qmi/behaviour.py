"""The behaviour of a simulated QMI modem, as data: each field is a difference between real modems."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class QmiBehaviour:
    """A QMI control port's behaviour in addition to its modem's; the defaults are those of a common modem."""

    clients: int = 16
    """The maximum number of clients of each service; one more fails with ClientIdsExhausted."""
    leaked_clients: int = 0
    """The number of clients of each service that an earlier host has not released."""
    channels: int = 19
    """The maximum number of channels that the modem opens; one more fails with InsufficientResources."""
    leaked_channels: int = 0
    """The number of channels that an earlier host has left open."""
    builds_class: bool = True
    """Whether the modem inserts the channel into class bytes; otherwise it uses the host's class bytes."""
    fetches_response: bool = False
    """Whether the modem handles 61xx with GET RESPONSE and 6Cxx with the right Le, not the host."""
    bars_isdr: bool = False
    """Whether the firmware refuses to select the ISD-R (SIM7600G-H, LE910C4: AccessDenied)."""
    tells_status_word: bool = True
    """Whether the answer to a failed selection contains the card's status word as well as the error."""
    long_response: int | None = None
    """The maximum number of bytes in one answer; indications bring longer answers. None: no limit."""
    long_response_fails: bool = False
    """Whether a failed response (InsufficientResources) announces an answer in pieces."""
    loses_piece: bool = False
    """Whether the last piece of an answer in pieces is never sent."""
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
    """Whether a client can choose the IP version of its queries (InvalidQmiCommand otherwise)."""
    starts_session: bool = False
    """Whether the modem starts a data session at each attach without a request, until a host forbids it."""
    tells_end: bool = True
    """Whether the refusal of a session contains the network's cause; otherwise only a general reason."""
    slots: int = 1
    card_slot: int = 1
    """The physical slot with the card, from 1; the other slots are empty."""
    mapped_slot: int = 1
    """The physical slot that the modem uses at the start."""
    slot_start: float = 0.0
    """Seconds from a change of the slot until its card has started; until then UimUninitialized."""
    reset_needs_offline: bool = False
    """Whether a reset fails with IncompatibleState unless the modem is offline."""
    resets_after: int | None = None
    """The number of messages after which the modem restarts unannounced, once; None: never."""
    lost_transaction: int | None = None
    """The number of messages before the one whose answer is never sent; None: no answer is lost."""
