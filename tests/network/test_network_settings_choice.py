"""The choice of the network settings that apply to a profile."""

from __future__ import annotations

import pytest

from lpad.network.network_settings import EMPTY, GivenBy, NetworkSettings
from lpad.network.network_settings_choice import Chosen, Pattern, choose

ICCID = "8988228012345678901"
OWNER, ORDER, PREFIX, PROVIDER = (
    NetworkSettings(apn=each) for each in ("owner", "order", "prefix", "provider")
)
PATTERNS = (
    Pattern(iccid="8944", settings=NetworkSettings(apn="other")),
    Pattern(iccid="898822", settings=PREFIX),
    Pattern(provider="Soracom", settings=PROVIDER),
)


def chosen(*, owner: NetworkSettings | None = None, order: NetworkSettings | None = None) -> Chosen:
    return choose(ICCID, owner=owner, order=order, patterns=PATTERNS, provider="soracom")


def test_the_owner_beats_all() -> None:
    """The owner's network settings for a profile take precedence over all others."""
    assert chosen(owner=OWNER, order=ORDER).settings == OWNER


def test_the_order_beats_patterns() -> None:
    """Network settings that came with the profile's order take precedence over patterns."""
    assert (chosen(order=ORDER).settings, chosen(order=ORDER).given_by) == (ORDER, GivenBy.ORDER)


def test_the_first_pattern_that_fits_counts() -> None:
    """The first matching pattern of the settings counts, and the reason names this pattern."""
    found = chosen()
    assert (found.settings, found.given_by) == (PREFIX, GivenBy.PATTERN)
    assert "network.patterns[1]" in found.why
    assert "iccid 898822" in found.why


@pytest.mark.parametrize(("provider", "expected"), [("SORACOM", PROVIDER), ("other", EMPTY), (None, EMPTY)])
def test_a_provider_is_compared_without_case(provider: str | None, expected: NetworkSettings) -> None:
    """Provider names are compared without case; an unknown provider matches no pattern with one."""
    found = choose("8900", owner=None, order=None, patterns=PATTERNS, provider=provider)
    assert found.settings == expected


def test_a_line_with_both_wants_both() -> None:
    """A pattern with ICCID prefix and provider matches only profiles that match both."""
    pattern = Pattern(iccid="89", provider="A")
    assert pattern.fits("8901", "a")
    assert not pattern.fits("8901", "b")
    assert not pattern.fits("8801", "a")


def test_nothing_means_the_networks_default() -> None:
    """Without any source, the network settings are empty."""
    found = choose(ICCID, owner=None, order=None)
    assert (found.settings, found.given_by) == (EMPTY, GivenBy.NOTHING)
