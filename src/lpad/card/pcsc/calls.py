"""The low-level calls of PC/SC, with lpad's errors in place of their error codes.

pyscard's own higher classes start a thread that polls the readers; these calls do not. Every call here may
block: see `call_thread`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lpad.base.errors import CardUnreachable
from lpad.card.pcsc.error_codes import (
    CANCELLED,
    CONNECTION_BROKEN,
    NO_READERS,
    NO_SMARTCARD,
    NOT_TRANSACTED,
    PROTO_MISMATCH,
    REFUSED,
    SUCCESS,
    TIMEOUT,
    UNKNOWN_READER,
    failure,
    protocol_lost,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lpad.base.deadline import Deadline

_UNSIGNED = 0xFFFFFFFF
_LONGEST_WAIT = 0xFFFFFFFE
"""The longest wait in milliseconds; the next larger number means a wait without limit."""
CARD_PRESENT = 0x0020
"""The bit of a reader's state that is set while a card is present."""
_ARRIVALS = r"\\?PnP?\Notification"
"""The name under which pcscd reports readers that are plugged in or removed."""


def _scard() -> Any:  # pyscard has no type annotations
    try:
        from smartcard import scard  # noqa: PLC0415 - an optional dependency, which takes time to import
    except ImportError as error:
        raise CardUnreachable(
            "cannot use PC/SC without pyscard: install it with \"pip install 'lpad[pcsc]'\", or as the Debian"
            " package python3-pyscard",
            retryable=False,
        ) from error
    return scard


class Context:
    """A connection to pcscd."""

    def __init__(self) -> None:
        """Connect to pcscd.

        Raises:
            CardUnreachable: no pyscard, no pcscd, or no permission.
        """
        self._scard = _scard()
        code, self._context = self._scard.SCardEstablishContext(self._scard.SCARD_SCOPE_SYSTEM)
        if (
            code & _UNSIGNED == REFUSED
        ):  # pcscd may also have just ended; in that case a second call does not report a refusal
            code, self._context = self._scard.SCardEstablishContext(self._scard.SCARD_SCOPE_SYSTEM)
        _check(code, "cannot connect to pcscd")

    def check(self, code: int, attempted: str) -> None:
        """Raise the error for a PC/SC code, unless the code means success.

        libpcsclite treats each failure to read from its socket as a refusal, even if pcscd was killed with a
        request unread (ECONNRESET; 1.9.9, MessageReceive). A pcscd that really refuses one request answers
        other requests.
        """
        if code & _UNSIGNED == REFUSED and not self._is_answered():
            code = CONNECTION_BROKEN
        _check(code, attempted)

    def _is_answered(self) -> bool:
        code, _ = self._scard.SCardListReaders(self._context, [])
        return code & _UNSIGNED in (SUCCESS, NO_READERS)

    def readers(self) -> tuple[str, ...]:
        """Return the readers' names, in pcscd's order.

        Raises:
            CardUnreachable: pcscd is gone.
        """
        code, names = self._scard.SCardListReaders(self._context, [])
        if code & _UNSIGNED == NO_READERS:
            return ()
        self.check(code, "cannot list the readers")
        return tuple(names)

    def connect(self, reader: str, *, shared: bool) -> Connection:
        """Power the card in a reader and connect to it, exclusively unless `shared`.

        Raises:
            CardUnreachable: no such reader, no card, or the card does not answer.
            CardBusy: another program is connected, and it or lpad requires exclusive use.
        """
        scard = self._scard
        mode = scard.SCARD_SHARE_SHARED if shared else scard.SCARD_SHARE_EXCLUSIVE
        either = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        code, handle, protocol = scard.SCardConnect(self._context, reader, mode, either)
        if code & _UNSIGNED == NO_SMARTCARD and self._has_card_after_all(reader):
            code, handle, protocol = scard.SCardConnect(self._context, reader, mode, either)
        self.check(code, f"cannot connect to the card in '{reader}'")
        return Connection(self, scard, handle, protocol, reader=reader, mode=mode)

    def _has_card_after_all(self, reader: str) -> bool:
        """Make pcscd query a reader that it considers empty; return whether the calls succeeded.

        If a card's contacts break during a reset, pcscd considers the card absent from then on. pcscd's
        thread that checks each reader every 0.4 s is not informed of this, and detects no change if the card
        is back at its next check (pcscd 1.9.9, EHStatusHandlerThread). A connection to the reader instead of
        the card, and a reset through it, make pcscd query the reader itself.
        """
        scard = self._scard
        code, handle, _ = scard.SCardConnect(self._context, reader, scard.SCARD_SHARE_DIRECT, 0)
        if code & _UNSIGNED != SUCCESS:
            return False
        either = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        code, _ = scard.SCardReconnect(handle, scard.SCARD_SHARE_DIRECT, either, scard.SCARD_RESET_CARD)
        scard.SCardDisconnect(handle, scard.SCARD_LEAVE_CARD)
        return bool(code & _UNSIGNED == SUCCESS)

    def look(self, readers: Sequence[str]) -> dict[str, int]:
        """Return the present state of each of `readers`, as bits such as `CARD_PRESENT`.

        Raises:
            CardUnreachable: pcscd, or one of the readers, is gone.
        """
        if not readers:
            return {}
        code, found = self._scard.SCardGetStatusChange(self._context, 0, [(name, 0) for name in readers])
        if code & _UNSIGNED == TIMEOUT:
            return dict.fromkeys(readers, 0)
        self.check(code, "cannot query the readers")
        return {name: state & ~self._scard.SCARD_STATE_CHANGED for name, state, _ in found}

    def wait(self, states: Mapping[str, int], *, deadline: Deadline) -> None:
        """Wait until `cancel` is called, a state differs from `states`, the readers change, or time is up.

        Raises:
            CardUnreachable: pcscd is gone.
        """
        milliseconds = int(min(deadline.remaining() * 1000, _LONGEST_WAIT))
        asked = [(_ARRIVALS, 0), *states.items()]
        code, _ = self._scard.SCardGetStatusChange(self._context, milliseconds, asked)
        if code & _UNSIGNED not in (TIMEOUT, CANCELLED, UNKNOWN_READER):
            self.check(code, "cannot wait for a reader or card")

    def cancel(self) -> None:
        """Make `wait` return; call this from another thread."""
        self._scard.SCardCancel(self._context)

    def close(self) -> None:
        """Disconnect from pcscd, which also ends all connections to cards."""
        self._scard.SCardReleaseContext(self._context)


class Connection:
    """A connection to a powered card."""

    def __init__(
        self, context: Context, scard: Any, handle: int, protocol: int, *, reader: str, mode: int
    ) -> None:
        """Wrap the handle of a connected card."""
        self._context = context
        self._scard = scard
        self._handle = handle
        self._protocol = protocol
        self._mode = mode
        self.reader = reader

    @property
    def block_oriented(self) -> bool:
        """Whether reader and card use T=1; otherwise they use T=0."""
        return bool(self._protocol == self._scard.SCARD_PROTOCOL_T1)

    def check(self) -> None:
        """Raise the error that the next call would raise, such as for a card that was removed or reset."""
        code, *_ = self._scard.SCardStatus(self._handle)
        self._context.check(code, f"cannot check the card in '{self.reader}'")

    def atr(self) -> bytes:
        """Return the card's answer to reset."""
        code, _, _, _, answer = self._scard.SCardStatus(self._handle)
        self._context.check(code, f"cannot read the answer to reset of the card in '{self.reader}'")
        return bytes(answer)

    def transmit(self, apdu: bytes) -> bytes:
        """Send an APDU and return the answer."""
        pci = self._scard.SCARD_PCI_T1 if self.block_oriented else self._scard.SCARD_PCI_T0
        code, answer = self._scard.SCardTransmit(self._handle, pci, list(apdu))
        attempted = f"cannot send an APDU to the card in '{self.reader}'"
        if code & _UNSIGNED == PROTO_MISMATCH:
            raise protocol_lost(attempted)
        self._context.check(code, attempted)
        if not answer:  # a driver's possible answer when the card is removed (vsmartcard-vpcd 3.3)
            raise failure(NOT_TRANSACTED, attempted)
        return bytes(answer)

    def begin(self) -> None:
        """Wait for this program's turn."""
        self._context.check(
            self._scard.SCardBeginTransaction(self._handle), f"cannot get a turn with '{self.reader}'"
        )

    def end(self) -> None:
        """End this program's turn."""
        code = self._scard.SCardEndTransaction(self._handle, self._scard.SCARD_LEAVE_CARD)
        self._context.check(code, f"cannot release '{self.reader}' to other programs")

    def reset(self) -> None:
        """Switch the card's power off and on."""
        self._reconnect(self._scard.SCARD_UNPOWER_CARD, f"cannot reset the card in '{self.reader}'")

    def resume(self) -> None:
        """Continue with a card that another program has reset."""
        self._reconnect(self._scard.SCARD_LEAVE_CARD, f"cannot reconnect to the card in '{self.reader}'")

    def close(self, *, unpower: bool) -> None:
        """Disconnect; with `unpower`, also switch the card's power off."""
        how = self._scard.SCARD_UNPOWER_CARD if unpower else self._scard.SCARD_LEAVE_CARD
        self._scard.SCardDisconnect(self._handle, how)

    def _reconnect(self, how: int, attempted: str) -> None:
        scard = self._scard
        either = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        code, protocol = scard.SCardReconnect(self._handle, self._mode, either, how)
        self._context.check(code, attempted)
        self._protocol = protocol


def _check(code: int, attempted: str) -> None:
    # pyscard returns the codes as signed numbers, like a C long of 32 bits.
    if code & _UNSIGNED != SUCCESS:
        raise failure(code & _UNSIGNED, attempted)
