"""`policy`, and `euiccs.NAME.policy`.

The profiles that may be installed, the servers that may deliver them, and the required consent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from lpad.base.lazy_pattern import LazyPattern
from lpad.settings.parsing.bounded_types import Text
from lpad.settings.parsing.section_base import Section

if TYPE_CHECKING:
    from lpad.settings.parsing.mistakes import Report

ProfileClass = Literal["operational", "provisioning", "test", "unknown"]
PolicyRule = Literal["ppr1", "ppr2"]
Confirm = Literal["card", "rules", "always"]

_STARRED = r"(?=[0-9]*\*)[0-9*]{1,3}"
_GRAMMARS = {
    "servers": LazyPattern(r"[a-z0-9*_.-]+(?::(?!443$)[0-9*]{1,5})?"),
    "server_oids": LazyPattern(r"[0-9.*]+"),
    "operators": LazyPattern(rf"\*|(?:[0-9]{{3}}|{_STARRED})-(?:[0-9]{{2,3}}|{_STARRED})"),
}
_WANTED = {
    "servers": "a server must be a name in lower case such as smdp.example.com, with its port unless that is"
    " 443; * matches any characters, as in '*.example.com'",
    "server_oids": "an OID must consist of numbers and dots, such as 2.999.10; * matches any characters",
    "operators": "an operator must be MCC-MNC (three digits, then two or three), such as 262-01; * matches"
    " any characters, as in '262-*'",
}


def _any() -> Any:
    return msgspec.field(default_factory=lambda: ["*"])


class CardPolicySection(Section, frozen=True):
    """One card's policy; for missing settings, those of `policy` apply."""

    servers: list[Text] | None = None
    server_oids: list[Text] | None = None
    operators: list[Text] | None = None
    providers: list[Text] | None = None
    classes: list[ProfileClass] | None = None
    forbidden_rules: list[PolicyRule] | None = None
    confirm: Confirm | None = None

    def check(self, report: Report) -> None:
        """Report patterns that can never match."""
        _check_patterns(self, report)


class PolicySection(Section, frozen=True):
    """The allowed servers and profiles; in lists of patterns, * matches any text."""

    servers: list[Text] = _any()
    server_oids: list[Text] = _any()
    operators: list[Text] = _any()
    providers: list[Text] = _any()
    classes: list[ProfileClass] = msgspec.field(default_factory=lambda: ["operational", "provisioning"])
    forbidden_rules: list[PolicyRule] = []
    confirm: Confirm = "rules"

    def check(self, report: Report) -> None:
        """Report patterns that can never match."""
        _check_patterns(self, report)


def _check_patterns(section: CardPolicySection | PolicySection, report: Report) -> None:
    for name, grammar in _GRAMMARS.items():
        for index, pattern in enumerate(getattr(section, name) or ()):
            if not grammar.fullmatch(pattern):
                report.wrong(_WANTED[name], name, index)
