"""Factory test profiles that are known to be a risk are distinguished from others."""

from __future__ import annotations

import pytest

from lpad.engine.snapshot.profile import Profile
from lpad.engine.snapshot.risky_test_profiles import known_risks


def profile(iccid: str = "8900101000000000017", *, state: str = "disabled", **other: str) -> Profile:
    return Profile(iccid=iccid, state=state, **other)  # type: ignore[arg-type]  # a test's own fields


@pytest.mark.parametrize(
    ("suspect", "risk", "told"),
    [
        (profile("89010000001234567882"), "factory-test-profile", "known to endanger the card"),
        (profile("89000000000000000012"), "factory-test-profile", "known to endanger the card"),
        (profile("8949449999999990023"), "generic-test-profile", "keys are published"),
        (profile("8949449999999990163", name="other"), "generic-test-profile", "keys are published"),
        (profile(name="GSMA Generic eUICC Test Profile"), "generic-test-profile", "keys are published"),
        (profile(profile_class="test"), "test-profile", "keys may be known"),
    ],
)
def test_a_risk_has_a_word_and_a_sentence(suspect: Profile, risk: str, told: str) -> None:
    """A word for programs and a sentence for people describe the risk."""
    (found,) = known_risks([profile(), suspect])
    assert (found.iccid, found.risk, found.enabled) == (suspect.iccid, risk, False)
    assert told in found.sentence


def test_an_enabled_one_is_worse() -> None:
    """A known risk states whether the risky profile is enabled."""
    (found,) = known_risks([profile("8949449999999990023", state="enabled")])
    assert found.enabled


def test_other_profiles_are_not_suspected() -> None:
    """A profile without a known risk is not reported."""
    other = profile("8949449000000000015", profile_class="provisioning")
    assert known_risks([profile(profile_class="operational"), other]) == ()
