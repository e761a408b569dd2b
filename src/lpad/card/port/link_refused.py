"""A link's refusal to carry a command, for all kinds of links."""

from __future__ import annotations

from lpad.base.errors import CardUnreachable


class LinkRefused(CardUnreachable):
    """The link itself refused to carry an APDU or another command, often without giving a reason.

    A modem's plain ERROR is such a refusal. The card most likely never received the APDU; a usual cause is a
    line too long for the modem's buffer. `kind` stays card-unreachable.
    """
