"""An offered profile: the check against the card's policy, and the offer in the form for the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.errors import PolicyRefused
from lpad.lpa import policy_rules
from lpad.lpa.download_interface import Offer
from lpad.lpa.owner_install_policy import CARD_RULES
from lpad.lpa.policy_rules import PolicyVerdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.deadline import Deadline
    from lpad.codec.messages.euicc_info import EuiccInfo2
    from lpad.codec.messages.metadata import ProfileMetadata
    from lpad.lpa.euicc import Euicc
    from lpad.lpa.server_answer_checks import Offered


def judge(
    metadata: ProfileMetadata, euicc: Euicc, *, info2: Callable[[], EuiccInfo2], deadline: Deadline
) -> PolicyVerdict:
    """Check the profile's policy rules, if it has any, against the card's RAT.

    Raises:
        PolicyRefused: the card does not allow profiles of this operator to have all of these rules.
        CardError: the card cannot be asked.
    """
    rules = policy_rules.rules_of(metadata)
    if not rules:
        return PolicyVerdict()
    verdict = policy_rules.judge(
        rules, metadata.owner, table=euicc.get_rat(deadline=deadline), forbidden=info2().forbidden_pprs
    )
    if verdict.forbidden:
        names = " ".join(verdict.forbidden)
        raise PolicyRefused(
            f"the card does not allow this operator's profiles to have these policy rules: {names};"
            " ask the operator for a profile without these rules",
            rule=CARD_RULES,
            rules=names,
        )
    return verdict


def offer(offered: Offered, verdict: PolicyVerdict) -> Offer:
    """Return the offer that the caller must decide on."""
    metadata = offered.metadata
    return Offer(
        iccid=metadata.iccid,
        service_provider_name=metadata.service_provider_name,
        profile_name=metadata.name,
        profile_class=metadata.profile_class.value,
        owner=metadata.owner,
        icon=metadata.icon,
        policy_rules=policy_rules.rules_of(metadata),
        rules_needing_consent=verdict.needing_consent,
        confirmation_code_required=offered.smdp_signed2.confirmation_code_required,
        raw=metadata.raw,
    )
