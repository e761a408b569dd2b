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
    """Any other state, such as a card that is still starting, or an indication that lpad cannot read."""


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
        """The indications that were read and neither taken nor forgotten since."""
        ...

    def take_card_report(self) -> CardReport:
        """Return the indications and forget them, because lpad now follows them up."""
        ...

    def forget_card_report(self) -> None:
        """Forget the indications that came before the modem's last answer, because the answer is newer."""
        ...


class CardReportLog:
    """The indications about one card, and which of them are newer than the modem's last answer.

    A stream, such as a proxy's socket, may deliver an answer together with the indication after it.
    """

    def __init__(self) -> None:
        """Create a log without indications."""
        self.report = NO_CARD_REPORT
        """The indications that were neither taken nor forgotten."""
        self._since_answer = NO_CARD_REPORT

    def add(self, report: CardReport) -> None:
        """Add an indication."""
        self.report |= report
        self._since_answer |= report

    def answered(self) -> None:
        """Record that the modem has answered the present request."""
        self._since_answer = NO_CARD_REPORT

    def forget_before_answer(self) -> None:
        """Forget the indications that came before the last answer."""
        self.report = self._since_answer

    def take(self) -> CardReport:
        """Return the indications and forget them."""
        taken = self.report
        self.report = self._since_answer = NO_CARD_REPORT
        return taken


def was_answered(error: LpadError) -> bool:
    """Return whether the modem answered although the card is unusable; such a modem can report a new card."""
    return isinstance(error, CardBusy | CardStatus) or "modem_error" in error.details
