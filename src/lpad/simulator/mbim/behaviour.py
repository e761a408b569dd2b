"""The behaviour of a simulated MBIM function, as data: each field is a difference between real modems."""

from __future__ import annotations

from dataclasses import dataclass

from lpad.codec.mbim.framing import DEFAULT_TRANSFER


@dataclass(frozen=True, slots=True, kw_only=True)
class MbimBehaviour:
    """An MBIM function's behaviour in addition to its modem's; the defaults follow the specifications."""

    max_transfer: int = DEFAULT_TRANSFER
    """Bytes of the largest message or fragment, at least 64; the host may have a lower limit."""
    select_p2: tuple[int, ...] | None = None
    """The only values of SelectP2Arg that do not fail with SelectFailed; None: any."""
    class_byte_types: tuple[int, ...] = (0, 1)
    """The values of ClassByteType that reach the card."""
    class_refusal: int = 0x6E00
    """The status word that answers an APDU whose ClassByteType `class_byte_types` lacks."""
    builds_class: bool = True
    """Whether the modem builds the class byte from type and channel; otherwise it uses the host's byte."""
    refuses_channel_in_class: bool = False
    """Whether an APDU whose class byte names a channel fails as if there were no channel (lpac#114)."""
    fetches_response: bool = True
    """Whether the modem handles 61xx with GET RESPONSE and 6Cxx with the right Le, not the host."""
    forgets_capabilities: bool = False
    """Whether the modem answers a query for TERMINAL CAPABILITY with an empty list."""
    hides_isdr: bool = False
    """Whether every SELECT fails until the card has started with the capability of a device with an LPA."""
    channels: int = 19
    """The maximum number of channels that the modem opens; one more fails with NoLogicalChannels."""
    leaked_channels: int = 0
    """The number of channels of `leaked_group` that an earlier host has left open."""
    leaked_group: int = 0
    indication_delay: float | None = 0.0
    """Seconds from an event to its indication; None: the modem sends no indications."""
    lte_attach: bool = False
    """Whether the modem stores settings for its initial bearer, and opens sessions in addition to it."""
    lte_attach_fixed: bool = False
    """Whether the modem refuses to store other settings for its initial bearer."""
    extensions: bool = True
    """Whether the modem has Microsoft's basic connect extensions, for slots and the modem's reset."""
    slots: int = 1
    card_slot: int = 0
    """The physical slot with the card, from 0; the other slots are empty."""
    mapped_slot: int = 0
    """The slot that the modem uses at the start."""
    slot_start: float = 0.0
    """Seconds from a change of the slot until its card has started; until then NotInitialized."""
    registration: bool = True
    """Whether the modem answers REGISTER_STATE; otherwise the answer is NoDeviceSupport."""
    forgets_open: int | None = None
    """The number of commands after which the modem restarts unannounced and answers NotOpened; None:
    never."""
    lost_transaction: int | None = None
    """The number of commands before the one whose answer is never sent; None: no answer is lost."""
