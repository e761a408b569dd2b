"""Factory test profiles that are known to be a risk are pointed out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.cli.known_risks import risk_of
from lpad.client import Profile

if TYPE_CHECKING:
    from cli.conftest import Terminal


def profile(iccid: str = "8900101000000000017", *, state: str = "disabled", **other: str) -> Profile:
    return Profile(iccid=iccid, state=state, **other)  # type: ignore[arg-type]  # a test's own fields


@pytest.mark.parametrize(
    ("suspect", "told"),
    [
        (profile("89010000001234567882"), "factory test profile"),
        (profile("89000000000000000012"), "factory test profile"),
        (profile("8949449999999990023"), "generic test profile"),
        (profile("8949449999999990163", name="other"), "generic test profile"),
        (profile(name="GSMA Generic eUICC Test Profile"), "generic test profile"),
        (profile(profile_class="test"), "a test profile"),
    ],
)
def test_what_is_known_against_a_profile(suspect: Profile, told: str) -> None:
    """The sentence says what it is, and how to get rid of it."""
    risk = risk_of(suspect)
    assert risk is not None
    assert told in risk
    assert f"lpactl delete {suspect.iccid}" in risk


def test_an_enabled_one_is_worse() -> None:
    """That it is in use is said."""
    assert "it is enabled" in str(risk_of(profile("8949449999999990023", state="enabled")))


def test_other_profiles_are_not_suspected() -> None:
    """Nothing is said of what nothing is known of."""
    assert risk_of(profile(profile_class="operational")) is None
    assert risk_of(profile("8949449000000000015", profile_class="provisioning")) is None


def test_info_points_them_out(terminal: Terminal) -> None:
    """`lpactl info` has a note for such a profile, and none for others."""
    terminal.lab.install()
    assert terminal.lpactl("info").ok().err == ""
    terminal.lab.install(iccid="8949449999999990023", name="GSMA Generic eUICC Test Profile")
    err = terminal.lpactl("info").ok().err
    assert "8949449999999990023 is GSMA's generic test profile" in err
    assert "lpactl delete 8949449999999990023" in err
