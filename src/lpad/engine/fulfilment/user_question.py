"""A question to a user about a wish: whether to pay again, or which reservation to take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import Declined
from lpad.engine.change.change import QuestionKind
from lpad.engine.change.notes import ProvisionNotes, noting

if TYPE_CHECKING:
    from lpad.engine.fulfilment.wish_progress import OpenWish

_ENDLESS = 10 * 365 * 86_400.0
"""Seconds to wait for a user's answer: in effect, no limit."""


def ask_second_order(wish: OpenWish, why: str) -> None:
    """Ask a user whether to order again, without a time limit; after a yes, prepare the wish for the order.

    Raises:
        Declined: the answer is no, and the wish is closed.
        Cancelled: there is no answer yet; the change frees the card and continues after the answer.
    """
    if wish.notes.second_order:
        wish.run.note(noting(ProvisionNotes, second_order=None, adopt=None))
        wish.keep(
            allowed=wish.record.allowed + 1,
            reservation=None,
            spent="",
            unfinished_step="",
            looks=0,
            told=(),
            event=None,
        )
        return
    _ask(
        wish,
        QuestionKind.SECOND_ORDER,
        f"{why}; if the answer is yes, lpad orders another profile at '{wish.record.platform}', which may"
        " cost money",
    )


def ask_to_adopt(wish: OpenWish, available: int) -> None:
    """Ask a user whether to take the oldest of several available reservations.

    Raises:
        Declined, Cancelled: as `ask_second_order`.
    """
    _ask(
        wish,
        QuestionKind.ADOPT,
        f"the platform '{wish.record.platform}' keeps {available} profiles for this card; lpad takes the"
        " oldest one if the answer is yes",
    )


def follow_answer(wish: OpenWish) -> None:
    """Continue according to a user's answer, if there is one.

    Raises:
        Declined: the answer was no, and the wish is closed.
    """
    if wish.notes.second_order is False or wish.notes.adopt is False:
        wish.close("closed")
        raise Declined(
            f"no other profile is ordered at the platform '{wish.record.platform}': the answer to the"
            " question was no, and the wish is closed"
        )
    if wish.notes.second_order:
        ask_second_order(wish, "")


def _ask(wish: OpenWish, kind: QuestionKind, reason: str) -> None:
    wish.run.ask(kind, profile=None, reason=reason, within=_ENDLESS, held=0.0)
    follow_answer(wish)  # the answer has come in the meantime
