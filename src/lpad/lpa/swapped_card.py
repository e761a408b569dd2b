"""The error for a card that was swapped after a request for the previous card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import CardMalformed, Conflict, blamed_on

if TYPE_CHECKING:
    from lpad.codec.messages.authentication import AuthenticateServerResponse


def swapped(what: str) -> Conflict:
    """Return the error for a request that was meant for another card and was not carried out."""
    return Conflict(
        f"cannot {what}: the card was swapped after this was requested (it has another EID); nothing was"
        " done. Check the card with 'lpactl info', and repeat the request if you want it for this card"
    )


def check_proof(proof: AuthenticateServerResponse, eid: str | None) -> str | None:
    """Check that the card that authenticated to a server is the intended one; this needs no command.

    Returns:
        The intended EID if the certificate names it; None if it names none, or if no EID is expected.

    Raises:
        Conflict: another card has replaced the intended card.
        CardMalformed: the card's certificate is not valid DER.
    """
    if eid is None:
        return None
    with blamed_on(CardMalformed, "ES10b.AuthenticateServer"):
        seen = proof.eid
    if seen is not None and str(seen) != eid:
        raise swapped("download")
    return eid if seen is not None else None
