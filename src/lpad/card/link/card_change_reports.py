"""Links whose modem reports, without a request, that its card may have changed."""

from __future__ import annotations

from enum import Flag, auto
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from lpad.base.errors import CardBusy, CardStatus

if TYPE_CHECKING:
    from lpad.base.errors import LpadError


class CardReport(Flag):
    """The indications about the card since a given moment; 0: there were none."""

    GONE = auto()
    """The slot is empty."""
    STARTED = auto()
    """A card has started, even if it is locked or has no profile."""
    OTHER = auto()
    """Any other state, such as a card that starts, or an indication that lpad cannot read."""


NO_CARD_REPORT = CardReport(0)


@runtime_checkable
class CardReporting(Protocol):
    """A link that may receive indications about its card, even while the slot is empty (see `Listening`)."""

    @property
    def reports_card(self) -> bool:
        """Whether the modem sends indications about its card over the present port."""
        ...

    @property
    def card_report(self) -> CardReport:
        """The indications read since the port was opened or `forget_card_report` was called."""
        ...

    def forget_card_report(self) -> None:
        """Forget the indications, because lpad has read the card since then, or is about to."""
        ...


def was_answered(error: LpadError) -> bool:
    """Return whether the modem answered although the card is unusable; such a modem can report a new card."""
    return isinstance(error, CardBusy | CardStatus) or "modem_error" in error.details
