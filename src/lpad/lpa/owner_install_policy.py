"""The owner's policy for installing profiles on an unattended device.

Each rule is judged as soon as its subject is known, and always before the card gets any part of a profile.
The card's own rules (`policy_rules.py`) also apply: a profile must satisfy the policy and these rules.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from lpad.base.errors import PolicyRefused
from lpad.base.frozen import Frozen
from lpad.codec.messages.cancel_session import CancelSessionReason
from lpad.lpa.policy_rules import rules_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lpad.base.server_address import ServerAddress
    from lpad.codec.messages.metadata import ProfileMetadata
    from lpad.codec.x509.certificate_holder_and_role import Certificate
    from lpad.lpa.download_interface import Offer

ANY = ("*",)
_LONGEST_SEEN = 80
"""The maximum number of characters of a server's text that an error shows."""


class Asking(StrEnum):
    """The profiles that a local program must confirm before they are installed."""

    CARD = "card"  # if the card's table demands consent to the profile's rules
    RULES = "rules"  # if the profile carries any policy rule
    ALWAYS = "always"


class Moment(StrEnum):
    """The step before which a rule is judged."""

    CONTACT = "before the server is contacted"
    AUTHENTICATION = "before the card is shown the server's certificate"
    OFFER = "before the profile is bound to the card and downloaded"


class Rule(Struct, frozen=True):
    """When a rule is judged, and the reason for cancelling the session; None: it cannot be cancelled yet."""

    moment: Moment
    reason: CancelSessionReason | None


CARD_RULES = "card_rules"
CONFIRM = "confirm"
RULES: dict[str, Rule] = {
    "servers": Rule(Moment.CONTACT, None),
    "server_oids": Rule(Moment.AUTHENTICATION, None),
    "classes": Rule(Moment.OFFER, CancelSessionReason.END_USER_REJECTION),
    "operators": Rule(Moment.OFFER, CancelSessionReason.END_USER_REJECTION),
    "providers": Rule(Moment.OFFER, CancelSessionReason.END_USER_REJECTION),
    "forbidden_rules": Rule(Moment.OFFER, CancelSessionReason.PPR_NOT_ALLOWED),
    CARD_RULES: Rule(Moment.OFFER, CancelSessionReason.PPR_NOT_ALLOWED),
}
"""Every rule by the name of its setting; `card_rules` is the card's own table."""


class InstallPolicy(Frozen, kw_only=True):
    """One card's policy; in the lists of patterns `*` stands for any characters."""

    servers: Sequence[str] = ANY
    """Names of SM-DP+ servers, with their port unless it is 443."""
    server_oids: Sequence[str] = ANY
    """Dotted OIDs, as in the SM-DP+'s certificate."""
    operators: Sequence[str] = ANY
    """MCC and MNC of profile owners, such as 262-01."""
    providers: Sequence[str] = ANY
    """Names of service providers."""
    classes: Sequence[str] = ("operational", "provisioning")
    forbidden_rules: Sequence[str] = ()
    """Policy rules that no profile may have, even if the card allows them."""
    confirm: Asking = Asking.RULES

    def check_server(self, address: ServerAddress) -> None:
        """Check that lpad may ask a server for a profile.

        Raises:
            PolicyRefused: the settings allow only other servers.
        """
        if not _fits(self.servers, str(address)):
            raise _refused("servers", f"the settings do not allow downloads from the server {address}")

    def check_certificate(self, certificate: Certificate) -> None:
        """Check that the server is allowed, by the OID in the server's signing certificate.

        Raises:
            PolicyRefused: the settings allow only other servers.
        """
        oids = certificate.registered_ids
        if self.server_oids != ANY and not any(_fits(self.server_oids, oid) for oid in oids):
            named = " ".join(oids) or "none"
            raise _refused("server_oids", f"the settings do not allow the server's OID ({_shown(named)})")

    def check_metadata(self, metadata: ProfileMetadata) -> None:
        """Check that a profile may be installed.

        Raises:
            PolicyRefused: the profile's class, operator, provider or policy rules are not allowed.
        """
        kind = metadata.profile_class.value
        if kind not in self.classes:
            raise _refused("classes", f"the settings do not allow profiles of the class '{kind}'")
        owner = metadata.owner
        operator = f"{owner.mcc}-{owner.mnc}" if owner is not None else ""
        if self.operators != ANY and not _fits(self.operators, operator):
            whose = f"the operator {_shown(operator)}" if operator else "unknown operators"
            raise _refused("operators", f"the settings do not allow profiles of {whose}")
        provider = metadata.service_provider_name
        if not _fits(self.providers, provider):
            raise _refused(
                "providers", f"the settings do not allow profiles of the provider '{_shown(provider)}'"
            )
        carried = [rule for rule in rules_of(metadata) if rule in self.forbidden_rules]
        if carried:
            names = " ".join(carried)
            raise _refused(
                "forbidden_rules", f"the profile carries policy rules that the settings forbid: {names}"
            )

    def demands_consent(self, offer: Offer) -> bool:
        """Return whether a local program must confirm an offer that is otherwise allowed."""
        return (
            self.confirm is Asking.ALWAYS
            or bool(offer.rules_needing_consent)
            or (self.confirm is Asking.RULES and bool(offer.policy_rules))
        )


def reason_of(refused: PolicyRefused) -> CancelSessionReason:
    """Return the reason for cancelling the session after a policy's refusal."""
    reason = RULES[str(refused.details["rule"])].reason
    return CancelSessionReason.UNDEFINED_REASON if reason is None else reason


def _fits(patterns: Iterable[str], text: str) -> bool:
    return any(_matches(pattern, text) for pattern in patterns)


def _matches(pattern: str, text: str) -> bool:
    """Return whether a text matches a pattern; without backtracking, so no server's text makes this slow."""
    first, *others = pattern.split("*")
    if not others:
        return text == pattern
    last = others.pop()
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for part in others:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _shown(text: str) -> str:
    """Return a server's text, shortened and cleaned for a sentence."""
    clean = "".join(each if each.isprintable() else "?" for each in text[: _LONGEST_SEEN + 1])
    return clean if len(clean) <= _LONGEST_SEEN else f"{clean[:_LONGEST_SEEN]}…"


def _refused(rule: str, why: str) -> PolicyRefused:
    return PolicyRefused(
        f"nothing was installed: {why} ('policy.{rule}'); ask for another profile, or change the settings",
        rule=rule,
    )
