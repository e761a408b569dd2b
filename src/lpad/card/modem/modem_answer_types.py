"""A modem's answers, in the same form from AT ports and control ports."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, NamedTuple

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from lpad.protocol.iccid_answer import IccidReport


class ModemIccid(Frozen, kw_only=True):
    """A modem's report on the ICCID that it reads."""

    tells: bool
    """Whether the modem has a command that reports the ICCID."""
    report: IccidReport | None = None
    """The ICCID; None: the modem reads none at present."""
    lock: str | None = None
    """The lock that must be opened first, such as SIM PIN; None: the modem reports no lock."""
    garbled: bool = False
    """Whether the modem answered, but not intelligibly."""


class RejectCause(NamedTuple):
    """The network's causes for rejecting the modem, from 1 to 255; None: not reported.

    `emm` is the cause for the attach, `esm` the cause for its bearer or for a data session.
    """

    emm: int | None = None
    esm: int | None = None


class Power(Enum):
    """Whether a modem is powered up, by its own report or because it accepted the power-up commands."""

    UP = auto()
    DOWN = auto()
    """The modem reports that its radio is off."""
    UNKNOWN = auto()
    """The modem does not report whether everything is on."""
