"""One line in the output of `lpactl doctor`."""

from __future__ import annotations

from enum import StrEnum

from lpad.base.frozen import Frozen


class Verdict(StrEnum):
    """The meaning of a line for the device."""

    OK = "ok"
    NOTE = "note"
    """The user should read this line; nothing is broken."""
    WRONG = "wrong"
    UNKNOWN = "unknown"
    """The doctor could not determine the subject's state."""


class Finding(Frozen, kw_only=True):
    """A line: its subject, the verdict, and the finding in words."""

    about: str
    verdict: Verdict
    text: str
    kind: str | None = None
    """The error's kind, if an error of lpad is the reason."""
