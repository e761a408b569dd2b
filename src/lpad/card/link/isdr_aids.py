"""The names of the ISD-R on cards.

SGP.22 defines one name; vendors of removable eUICCs use their own names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.identifiers import ISD_R, Aid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ESTK_SE0 = Aid(bytes.fromhex("A06573746B6D65FFFF4953442D522030"))
ESTK_SE1 = Aid(bytes.fromhex("A06573746B6D65FFFF4953442D522031"))
"""ESTK.me cards contain two eUICCs, each with its own EID."""

NAMES: dict[Aid, str] = {
    ISD_R: "SGP.22",
    ESTK_SE0: "ESTK.me SE0",
    ESTK_SE1: "ESTK.me SE1",
    Aid(bytes.fromhex("A06573746B6D65FFFFFFFF4953442D52")): "ESTK.me, old",
    Aid(bytes.fromhex("A0000005591010FFFFFFFF8900050500")): "5ber",
    # Sources disagree on the position of the zeros in eSIM.me's AID, so both AIDs are tried (OpenEUICC,
    # EasyLPAC; sigmo).
    Aid(bytes.fromhex("A0000005591010000000008900000300")): "eSIM.me",
    Aid(bytes.fromhex("A0000005591010000000890000000300")): "eSIM.me V2",
    Aid(bytes.fromhex("A0000005591010FFFFFFFF8900000177")): "Xesim",
    Aid(bytes.fromhex("A000000559104C696E6B736669656C64")): "Linksfield",
    Aid(bytes.fromhex("A0000006281010FFFFFFFF8900000100")): "GlocalMe",
}


def isdr_aids(extra: Iterable[Aid] = ()) -> tuple[Aid, ...]:
    """Return all AIDs to try, each once: SGP.22's, those in the settings, the vendors'."""
    return tuple(dict.fromkeys((ISD_R, *extra, *NAMES)))


def remembered_first(aids: Sequence[Aid], remembered: str | None) -> tuple[Aid, ...]:
    """Return `aids`, beginning with the AID that answered last time if it is among them."""
    first = [aid for aid in aids if str(aid) == remembered]
    return (*first, *(aid for aid in aids if str(aid) != remembered))
