"""`trust`: the trusted certificate authorities, and the distrusted CIs of a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import InvalidValue
from lpad.base.lazy_pattern import LazyPattern
from lpad.settings.parsing.bounded_types import Text
from lpad.settings.parsing.section_base import Section

if TYPE_CHECKING:
    from lpad.settings.parsing.mistakes import Report

_KEY_ID = LazyPattern(r"(?:[0-9A-Fa-f]{2}:?){4,20}")


class TrustSection(Section, frozen=True):
    """The use of the system's certificate authorities, further ones, and the distrusted CIs of a card."""

    system: bool = True
    folder: Text = "trust.d"
    extra_ca_files: list[Text] = []
    forbidden_issuers: list[Text] | None = None

    def check(self, report: Report) -> None:
        """Report invalid key identifiers."""
        for position, text in enumerate(self.forbidden_issuers or ()):
            report.parsed(key_id, text, "forbidden_issuers", position)


def key_id(text: str) -> bytes:
    """Return a key identifier, or its first bytes, from hex digits with or without colons.

    Raises:
        InvalidValue: the text is not 8 to 40 hex digits in pairs.
    """
    if not _KEY_ID.fullmatch(text):
        raise InvalidValue("a CI's key identifier must have 40 hex digits, or at least the first 8 of them")
    return bytes.fromhex(text.replace(":", ""))
