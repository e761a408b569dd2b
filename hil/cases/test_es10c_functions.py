"""Each ES10c function, with the card's errors (SGP.22 v2.5, 5.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from hil.place.place import PATIENCE
from lpad.client import ApiError
from lpad.simulator.smdp.store.profile_metadata import ProfilePolicyRule

if TYPE_CHECKING:
    from hil.orders.own_smdp import OwnServer
    from hil.place.place import Place
    from lpad.client import Change

NOBODYS = "8900000000000000009"
"""An ICCID that no card has."""
ADDRESS = "bench.example.com"


def refused(change: Change) -> str:
    """Return the kind of the error that a change ended with."""
    assert change.error is not None, "the change was done"
    assert len(change.error.sentence) > 20, "the sentence must state what to do"
    return change.error.kind


def reason(change: Change) -> object:
    """Return the card's reason for a refusal, by its SGP.22 name."""
    assert change.error is not None
    return change.error.details["reason"]


def whole_card_is_expendable(place: Place) -> None:
    """Skip a case that may delete every profile, unless all are expendable and none was enabled before."""
    held = place.client.profiles(place.name)
    if not all(place.ledger.is_expendable(profile.iccid) for profile in held):
        # A reset would delete profiles that cannot be replaced; --complete fails on skips.
        pytest.skip("the card holds profiles that are not expendable")
    if place.ledger.before is not None and place.ledger.before.enabled is not None:
        # A reset would delete this profile as well; --complete fails on skips.
        pytest.skip("a profile was enabled before the run, and must be enabled afterwards")


def test_get_profiles_info(place: Place) -> None:
    """ES10c.GetProfilesInfo: each profile has an ICCID and a state, and at most one is enabled."""
    place.until_ready()
    profiles = place.client.profiles(place.name)
    assert all(profile.iccid and profile.state in ("enabled", "disabled") for profile in profiles)
    assert sum(profile.state == "enabled" for profile in profiles) <= 1


def test_get_eid_and_addresses(place: Place) -> None:
    """ES10c.GetEID and ES10a.GetEuiccConfiguredAddresses: lpad knows the EID and the addresses.

    SGP.22 defines no errors for these functions.
    """
    euicc = place.until_ready()
    assert euicc.eid == place.eid
    assert euicc.addresses is not None
    assert euicc.addresses.root_smds is not None


def test_enable_disable(place: Place, pair: tuple[str, str]) -> None:
    """ES10c.EnableProfile and DisableProfile: a second request succeeds without a command to the card."""
    first, second = pair
    assert (place.enable(second).check().result or {})["already"] is False
    assert (place.enable(second).check().result or {})["already"] is True
    assert place.enabled() == second
    place.client.disable(place.name, second, accept_offline=True, wait=PATIENCE).check()
    assert place.enabled() is None
    again = place.client.disable(place.name, second, accept_offline=True, wait=PATIENCE).check()
    assert (again.result or {})["already"] is True
    place.enable(first).check()


@pytest.mark.parametrize("verb", ["enable", "disable", "delete", "rename"])
def test_unknown_profile(place: Place, verb: str) -> None:
    """Every change that names an unknown profile fails with `not-found`."""
    arguments = (NOBODYS, "name") if verb == "rename" else (NOBODYS,)
    change = getattr(place.client, verb)(place.name, *arguments, wait=PATIENCE)
    assert refused(change) == "not-found"


@pytest.mark.needs("codes")
def test_delete_enabled(place: Place, installed: str) -> None:
    """ES10c.DeleteProfile: an enabled profile is kept, and a disabled one is deleted."""
    before = place.enabled()
    place.enable(installed).check()
    assert refused(place.client.delete(place.name, installed, wait=PATIENCE)) in ("conflict", "card-refused")
    assert place.enabled() == installed
    if before is None:
        place.client.disable(place.name, installed, accept_offline=True, wait=PATIENCE).check()
    else:
        place.enable(before).check()
    place.client.delete(place.name, installed, wait=PATIENCE).check()
    assert installed not in {profile.iccid for profile in place.client.profiles(place.name)}
    assert refused(place.client.delete(place.name, installed, wait=PATIENCE)) == "not-found"
    place.client.delete(place.name, installed, missing_ok=True, wait=PATIENCE).check()


@pytest.mark.needs("codes")
@pytest.mark.parametrize(
    "nickname", ["n", "ü" * 32, "x" * 64], ids=["short", "64 bytes of UTF-8", "64 bytes"]
)
def test_set_nickname(place: Place, installed: str, nickname: str) -> None:
    """ES10c.SetNickname: a nickname is read back as it was written, and an empty one removes it."""
    place.client.rename(place.name, installed, nickname, wait=PATIENCE).check()
    place.until_ready()
    found = {profile.iccid: profile.nickname for profile in place.client.profiles(place.name)}
    assert found[installed] == nickname
    place.client.rename(place.name, installed, "", wait=PATIENCE).check()


def test_default_smdp(place: Place) -> None:
    """ES10a.SetDefaultDpAddress: an address is written, read back, and restored."""
    before = place.until_ready().addresses
    assert before is not None
    try:
        place.client.set_default_smdp(place.name, ADDRESS, wait=PATIENCE).check()
        after = place.until_ready().addresses
        assert after is not None
        assert after.default_smdp == ADDRESS
    finally:
        place.client.set_default_smdp(place.name, before.default_smdp or "", wait=PATIENCE).check()
    again = place.until_ready().addresses
    assert (again and again.default_smdp) == before.default_smdp


def test_default_smdp_again(place: Place) -> None:
    """ES10a.SetDefaultDpAddress: the same address can be set twice, and an empty one removes it."""
    before = place.until_ready().addresses
    assert before is not None
    try:
        for address in (ADDRESS, ADDRESS, ""):
            place.client.set_default_smdp(place.name, address, wait=PATIENCE).check()
            after = place.until_ready().addresses
            assert after is not None
            assert (after.default_smdp or "") == address
    finally:
        place.client.set_default_smdp(place.name, before.default_smdp or "", wait=PATIENCE).check()


@pytest.mark.needs("codes")
def test_nickname_too_long(place: Place, installed: str) -> None:
    """ES10c.SetNickname: 65 bytes of UTF-8 never reach the card."""
    with pytest.raises(ApiError) as caught:
        place.client.rename(place.name, installed, "ü" * 32 + "x", wait=PATIENCE)
    assert caught.value.kind == "invalid-value"
    found = {profile.iccid: profile.nickname for profile in place.client.profiles(place.name)}
    assert not found[installed]


@pytest.mark.needs("server")
def test_policy_rules(place: Place, server: OwnServer, pair: tuple[str, str]) -> None:
    """The card refuses to disable, replace or delete a profile if its rules forbid this: disallowedByPolicy.

    Only a memory reset removes the profile, so the case runs only if the whole card is expendable.
    """
    whole_card_is_expendable(place)
    order = server.order(place.eid, policy_rules=(ProfilePolicyRule.PPR1, ProfilePolicyRule.PPR2))
    change = place.client.download_leased(place.name, order, wait=PATIENCE)
    if change.question is not None:
        place.client.answer(change.id, decision="accept")
        change = place.client.settle_leased(change.id, order, seconds=PATIENCE)
    if change.error is not None:
        # The card's Rules Authorisation Table forbids such profiles; --complete fails on skips.
        pytest.skip(f"the card accepts no profile with policy rules: {change.error.sentence}")
    bound = str((change.result or {})["iccid"])
    try:
        deleted = place.client.delete(place.name, bound, wait=PATIENCE)
        assert refused(deleted) == "card-refused"
        assert reason(deleted) == "disallowedByPolicy"
        place.enable(bound).check()
        for forbidden in (
            place.client.disable(place.name, bound, accept_offline=True, wait=PATIENCE),
            place.enable(pair[0]),
        ):
            assert refused(forbidden) == "card-refused"
            assert reason(forbidden) == "disallowedByPolicy"
        assert place.enabled() == bound
    finally:
        place.client.reset(place.name, operational_profiles=True, accept_offline=True, wait=PATIENCE).check()
    assert bound not in {profile.iccid for profile in place.client.profiles(place.name)}


@pytest.mark.needs("codes")
def test_memory_reset(place: Place, installed: str) -> None:
    """ES10c.eUICCMemoryReset deletes the profiles of the requested kinds.

    The case runs only if the whole card is expendable.
    """
    whole_card_is_expendable(place)
    place.client.reset(
        place.name, operational_profiles=True, test_profiles=True, accept_offline=True, wait=PATIENCE
    ).check()
    left = {profile.iccid for profile in place.client.profiles(place.name)}
    assert installed not in left
    again = place.client.reset(
        place.name, operational_profiles=True, test_profiles=True, accept_offline=True, wait=PATIENCE
    )
    assert again.check().state == "done", "nothingToDelete (1) counts as done"
