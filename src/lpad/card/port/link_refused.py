"""The refusal of a link to carry a command, whatever kind of link it is."""

from __future__ import annotations

from lpad.base.errors import CardUnreachable


class LinkRefused(CardUnreachable):
    """The link itself refused to carry an APDU, for a reason that it does not tell.

    A modem's plain ERROR is one. The card most likely never saw the APDU; a line too long for the
    modem's buffer is a usual cause. `kind` stays card-unreachable.
    """
