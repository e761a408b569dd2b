"""`webhooks.NAME`: an endpoint to which events are sent."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Literal

from lpad.base.lazy_pattern import LazyPattern
from lpad.engine.events.event_types import BY_NAME
from lpad.engine.webhooks.endpoint import EndpointUrl
from lpad.settings.parsing.bounded_types import Text
from lpad.settings.parsing.section_base import Section

if TYPE_CHECKING:
    from lpad.settings.parsing.mistakes import Report

_NAME = LazyPattern(r"[a-z0-9][a-z0-9_-]{0,31}")
_MOST_KEYS = 8


class WebhookSection(Section, frozen=True):
    """The endpoint's address, its events (none: all), their form, and the files with the keys."""

    url: Text = ""
    keys: list[Text] = []
    types: list[Text] = []
    identifiers: Literal["full", "redacted"] = "full"
    mode: Literal["structured", "binary"] = "structured"
    ca_files: list[Text] = []

    def check(self, report: Report) -> None:
        """Report an impossible name or address, missing keys, and patterns that match no event type."""
        if not _NAME.fullmatch(str(report.at[-1])):
            report.wrong("a webhook's name must have at most 32 lower-case letters, digits, - and _")
        report.parsed(EndpointUrl.parse, self.url, "url")
        if not 0 < len(self.keys) <= _MOST_KEYS:
            report.wrong(f"'keys' must name 1 to {_MOST_KEYS} files, each with one signing key", "keys")
        for index, pattern in enumerate(self.types):
            if not any(fnmatchcase(name, pattern) for name in BY_NAME):
                report.wrong(
                    f"no event type fits '{pattern}'; docs/events.md and /v1/event-types list them",
                    "types",
                    index,
                )
