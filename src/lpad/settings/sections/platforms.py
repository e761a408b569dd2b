"""`platforms.NAME`: an operator's platform, or the owner's desk, that reserves profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lpad.base.lazy_pattern import LazyPattern
from lpad.settings.parsing.bounded_types import Text
from lpad.settings.parsing.section_base import Section

if TYPE_CHECKING:
    from lpad.settings.parsing.mistakes import Report

RESERVED = ("default-smdp", "discovery")
"""Names of sources that are not platforms."""
_NAME = LazyPattern(r"[a-z0-9][a-z0-9_-]{0,31}")


class PlatformSection(Section, frozen=True):
    """One platform: one of lpad's descriptions (`like`) or a file, and the owner's additions."""

    like: Text | None = None
    file: Text | None = None
    base: Text | None = None
    credentials: dict[str, Text] = {}
    options: dict[str, str] = {}
    product: Text | None = None
    ca_files: list[Text] = []
    client_certificate: Text | None = None
    client_key: Text | None = None

    def check(self, report: Report) -> None:
        """Report an impossible name, a missing or second description, and an address that is not https."""
        name = str(report.at[-1])
        if not _NAME.fullmatch(name) or name in RESERVED:
            report.wrong(
                "a platform's name must have at most 32 lower-case letters, digits, - and _, and not be"
                f" {' or '.join(RESERVED)}"
            )
        if (self.like is None) is (self.file is None):
            report.wrong(
                "give either 'like', with the name of one of lpad's descriptions, or 'file', with your own"
            )
        if self.base is not None and not _is_https(self.base):
            report.wrong("a platform's address must begin with https://", "base")
        if self.client_key is not None and self.client_certificate is None:
            report.wrong("'client_certificate' is missing; this key belongs to it", "client_key")


def _is_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:  # such as an IPv6 address without its closing bracket
        return False
    return parts.scheme == "https" and bool(parts.netloc)
