"""The owner's install policy: when each rule is checked, and what the rules allow."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from lpa.bench import ICCID, OTHER_ICCID, Bench, Caller
from lpad.base.errors import PolicyRefused, ServerMalformed
from lpad.base.identifiers import Iccid
from lpad.base.server_address import ServerAddress
from lpad.codec.messages.metadata import OperatorId, ProfileClass
from lpad.codec.messages.metadata import ProfileMetadata as Read
from lpad.lpa.owner_install_policy import CONFIRM, RULES, Asking, InstallPolicy, Moment, _shown
from lpad.lpa.server_answer_checks import same_profile
from lpad.protocol.download_state_table import Step
from lpad.simulator.smdp.functions.faults import Fault, FaultKind
from lpad.simulator.smdp.store.profile_metadata import Owner, ProfileMetadata, ProfilePolicyRule
from lpad.simulator.smdp.store.profile_metadata import ProfileClass as OfferedClass

if TYPE_CHECKING:
    from lpad.simulator.smdp.store.order import Order

SECURITY = Path(__file__).parents[2] / "docs" / "security.md"

METADATA = ProfileMetadata(
    iccid=ICCID,
    service_provider="Example Mobile",
    owner=Owner("00101"),
    rules=(ProfilePolicyRule.PPR2,),
)
REFUSALS = {
    "servers": InstallPolicy(servers=("smdp.other.example", "*.example.org")),
    "server_oids": InstallPolicy(server_oids=("2.999.11", "2.999.1")),
    "classes": InstallPolicy(classes=("test",)),
    "operators": InstallPolicy(operators=("001-02", "262-*")),
    "providers": InstallPolicy(providers=("Other *", "Example")),
    "forbidden_rules": InstallPolicy(forbidden_rules=("ppr1", "ppr2")),
}
LAST_STEPS = {
    Moment.CONTACT: [],
    Moment.AUTHENTICATION: [Step.GET_EUICC_INFO1, Step.GET_EUICC_CHALLENGE, Step.INITIATE_AUTHENTICATION],
    Moment.OFFER: [
        Step.GET_EUICC_INFO1,
        Step.GET_EUICC_CHALLENGE,
        Step.INITIATE_AUTHENTICATION,
        Step.AUTHENTICATE_SERVER,
        Step.AUTHENTICATE_CLIENT,
        Step.CONFIRM,
        Step.CANCEL_SESSION,
    ],
}
SERVERS_WORDS = {"endUserRejection": "end user rejection", "pprNotAllowed": "policy rules not allowed"}


def order_of(bench: Bench) -> Order:
    return bench.order(metadata=METADATA)


@pytest.mark.parametrize("rule", REFUSALS)
def test_each_rule_at_its_moment(bench: Bench, rule: str) -> None:
    """A policy rule ends the download at its moment, without a question, and with its reason."""
    order, caller = order_of(bench), Caller()
    with pytest.raises(PolicyRefused) as caught:
        bench.download(order, caller, policy=REFUSALS[rule])
    assert caught.value.details == {"rule": rule}
    assert f"'policy.{rule}'" in caught.value.sentence
    assert caller.steps == LAST_STEPS[RULES[rule].moment]
    assert caller.offers == []
    reason = RULES[rule].reason
    assert bench.state(order)[1] == (None if reason is None else SERVERS_WORDS[reason.reason])
    assert bench.card.profiles == ()
    bench.download(bench.order(OTHER_ICCID))


def test_a_server_that_is_not_allowed_is_not_contacted(bench: Bench) -> None:
    """If a server is not allowed, lpad does not connect to it, and asks for no confirmation code."""
    order, caller = bench.order(confirmation_code="code-1234"), Caller(codes=["code-1234"])
    before = bench.smdp.counters.tcp_connects
    with pytest.raises(PolicyRefused):
        bench.download(order, caller, policy=REFUSALS["servers"])
    assert bench.smdp.counters.tcp_connects == before
    assert caller.asked == []


def test_a_profile_that_fits_every_list_is_installed(bench: Bench) -> None:
    """A profile that fits all lists of the policy is installed."""
    policy = InstallPolicy(
        servers=("smdp.other.example", bench.smdp.address),
        server_oids=(bench.smdp.oid,),
        operators=("001-*",),
        providers=("Example*",),
        classes=("operational",),
        forbidden_rules=("ppr1",),
    )
    bench.download(order_of(bench), policy=policy)
    assert [str(profile.iccid) for profile in bench.card.profiles] == [ICCID]


def test_test_profiles_are_for_those_who_ask_for_them(bench: Bench) -> None:
    """By default, a test profile is refused."""
    order = bench.order(metadata=ProfileMetadata(iccid=ICCID, profile_class=OfferedClass.TEST))
    with pytest.raises(PolicyRefused, match="class 'test'"):
        bench.download(order)


def test_the_package_states_what_was_judged(bench: Bench) -> None:
    """A package whose metadata differ from the checked metadata does not reach the card."""
    bench.smdp.faults.add(Fault(kind=FaultKind.METADATA_MISMATCH, function="authenticateClient"))
    order = order_of(bench)
    with pytest.raises(ServerMalformed):
        bench.download(order, policy=InstallPolicy(operators=("001-01",)))
    assert bench.state(order)[1] == "metadata mismatch"
    assert bench.card.profiles == ()


def read(**other: object) -> Read:
    metadata = Read(
        raw=b"",
        iccid=Iccid.parse(ICCID),
        service_provider_name="Example Mobile",
        name="Profile",
        icon_type=None,
        icon=None,
        profile_class=ProfileClass.OPERATIONAL,
        notification_targets=(),
        owner=OperatorId(bytes.fromhex("62F210")),
        pprs=(),
    )
    return replace(metadata, **other)


@pytest.mark.parametrize(
    "other",
    [
        {"service_provider_name": "Example"},
        {"profile_class": ProfileClass.TEST},
        {"owner": None},
        {"owner": OperatorId(bytes.fromhex("62F210"), gid1=b"\1")},
        {"pprs": ("ppr1",)},
        {"iccid": Iccid.parse(OTHER_ICCID)},
        {"name": "profile"},
        {"notification_targets": (None,)},
    ],
    ids=lambda other: next(iter(other)),
)
def test_nothing_that_was_judged_may_differ_in_the_package(other: dict[str, object]) -> None:
    """A package's metadata must match the checked ones in each field by which lpad or a user decides."""
    assert same_profile(read(raw=b"1"), read(raw=b"2"))
    assert not same_profile(read(), read(**other))


@pytest.mark.parametrize(
    ("pattern", "owner", "fits"),
    [
        ("*", None, True),
        ("262-01", "62F210", True),
        ("262-*", "62F210", True),
        ("*-01", "62F210", True),
        ("2*-01", "62F210", True),
        ("262-1", "62F210", False),
        ("262-011", "62F210", False),
        ("262-02", "62F210", False),
        ("310-410", "130014", True),
        ("310-41*", "130014", True),
        ("310-41", "130014", False),
        ("*-*", None, False),
        ("262-01", "62F2", False),
    ],
)
def test_a_profile_without_owner_needs_all_operators_allowed(
    pattern: str,
    owner: str | None,
    fits: bool,  # noqa: FBT001  a table's column
) -> None:
    """Patterns such as 262-* are compared with MCC and MNC; without an owner, only * fits."""
    metadata = read(owner=OperatorId(bytes.fromhex(owner)) if owner else None)
    policy = InstallPolicy(operators=(pattern,))
    if fits:
        policy.check_metadata(metadata)
    else:
        with pytest.raises(PolicyRefused):
            policy.check_metadata(metadata)


@pytest.mark.parametrize(
    ("pattern", "address", "fits"),
    [
        ("smdp.example.com", "SMDP.Example.COM", True),
        ("smdp.example.com", "smdp.example.com:443", True),
        ("smdp.example.com", "smdp.example.com:8443", False),
        ("smdp.example.com:8443", "smdp.example.com:8443", True),
        ("smdp.example.com:*", "smdp.example.com:8443", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "smdp.example.com.evil.org", False),
        ("*.example.com", "evilexample.com", False),
        ("s*p.*.com", "smdp.example.com", True),
        ("smdp*dp.example.com", "smdp.example.com", False),  # The pattern's ends would overlap in the name.
        ("s*m*m", "sm", False),
        ("s*m*m", "smm", True),
        ("s*s", "s", False),
        ("s*s", "ss", True),
        ("s*s.com", "s.com", False),
    ],
)
def test_server_names_are_compared_in_lower_case(pattern: str, address: str, fits: bool) -> None:  # noqa: FBT001  a table's column
    """Server names are compared with patterns in lower case, including the port unless it is 443."""
    policy = InstallPolicy(servers=(pattern,))
    if fits:
        policy.check_server(ServerAddress.parse(address))
    else:
        with pytest.raises(PolicyRefused):
            policy.check_server(ServerAddress.parse(address))


def test_a_servers_long_name_is_refused_and_shortened() -> None:
    """In the error, a refused provider name of a million characters is shortened and printable."""
    policy = InstallPolicy(providers=("a*a*a*a*a*a*a*b",))
    with pytest.raises(PolicyRefused) as caught:
        policy.check_metadata(read(service_provider_name="a\n" * 500_000))
    assert len(caught.value.sentence) < 300
    assert caught.value.sentence.isprintable()


@pytest.mark.parametrize(
    ("confirm", "rules", "demanded_by_card", "asks"),
    [
        (Asking.CARD, (), (), False),
        (Asking.CARD, ("ppr1",), (), False),
        (Asking.CARD, ("ppr1",), ("ppr1",), True),
        (Asking.RULES, (), (), False),
        (Asking.RULES, ("ppr1",), (), True),
        (Asking.ALWAYS, (), (), True),
    ],
)
def test_whom_to_ask(
    bench: Bench,
    confirm: Asking,
    rules: tuple[str, ...],
    demanded_by_card: tuple[str, ...],
    asks: bool,  # noqa: FBT001  a table's column
) -> None:
    """Lpad asks for consent if the card or the setting `confirm` requires this for the profile."""
    caller = Caller()
    bench.download(bench.order(), caller)
    offer = replace(caller.offers[0], policy_rules=rules, rules_needing_consent=demanded_by_card)
    assert InstallPolicy(confirm=confirm).demands_consent(offer) is asks


def test_the_documentation_has_the_table() -> None:
    """docs/security.md lists each rule with its moment and the reason that card and server get."""
    text = SECURITY.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .+ \| (.+) \| (.+) \|$", text, re.MULTILINE)
    told = {rule: (moment, reason) for rule, moment, reason in rows if rule in RULES}
    assert told == {
        rule: (
            each.moment.value,
            f"{each.reason.reason} ({each.reason:d})" if each.reason is not None else "nothing yet",
        )
        for rule, each in RULES.items()
    }
    assert f"| `{CONFIRM}` |" in text


@pytest.mark.parametrize(
    ("said", "shown"),
    [("x" * 80, "x" * 80), ("x" * 81, "x" * 80 + "…"), ("a\nb\x1b[0m", "a?b?[0m"), ("", "")],
)
def test_a_servers_text_is_shortened_and_printable(said: str, shown: str) -> None:
    """A server's text is shortened to 80 characters, with ? in place of control characters."""
    assert _shown(said) == shown
