"""A link's refusal to carry a command, for all kinds of links."""

from __future__ import annotations

from lpad.base.errors import CardUnreachable


class LinkRefused(CardUnreachable):
    """The link itself refused to carry an APDU or another command, often without giving a reason.

    A modem's plain ERROR is such a refusal. The card most likely never saw the APDU; a line too long for the
    modem's buffer is a usual cause. `kind` stays card-unreachable.
    """
