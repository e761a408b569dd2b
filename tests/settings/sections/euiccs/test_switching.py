"""The settings `switching` and `failover` of a card."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import InvalidSettings
from lpad.daemon.card_ports import CardPorts
from lpad.settings import SettingsFile

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.engine.running.card.card_with_open_link import CardPort

FIRST = "8900101000000000017"
SECOND = "8900101000000000025"
ORDER = (
    f"profiles: [{{iccid: '{FIRST}', healthy: [registered]}}, {{iccid: '{SECOND}', healthy: [registered]}}]"
)


def read(folder: Path, section: str) -> CardPort:
    """Return the card port of a settings file with this text in the card's section."""
    path = folder / "lpad.yaml"
    path.write_text(f"state_folder: .\neuiccs: {{modem: {{port: /dev/x, {section}}}}}\n", encoding="utf-8")
    (port,) = CardPorts(folder / "state").of(SettingsFile.read(path).settings)
    return port


def test_iccids_are_accepted_in_any_form(tmp_path: Path) -> None:
    """ICCIDs in `switching` may contain blanks and padding."""
    lists = f"protected: ['8900 1010 0000 0000 017'], fallback: ['{SECOND}F']"
    policy = read(tmp_path, f"switching: {{{lists}, keep_enabled: true, per_day: 5}}").policy
    assert (policy.protected, policy.fallback) == ((FIRST,), (SECOND,))
    assert (policy.keep_enabled, policy.per_day) == (True, 5)


def test_by_default_everything_may_be_switched_and_nothing_fails_over(tmp_path: Path) -> None:
    """By default, no profile is protected, switches are not limited, and there is no failover."""
    port = read(tmp_path, "baud: 9600")
    assert (port.policy.protected, port.policy.keep_enabled, port.policy.per_day) == ((), False, None)
    assert port.failover is None


def test_the_failover_order_is_read(tmp_path: Path) -> None:
    """`failover` is read: its order, health rules with their defaults, time limit and cool-down."""
    failover = read(tmp_path, f"failover: {{{ORDER}, within: 60, cooldown: 120}}").failover
    assert failover is not None
    assert [rule.iccid for rule in failover.rules] == [FIRST, SECOND]
    assert [str(condition) for condition in failover.rules[0].conditions] == ["registered"]
    assert (failover.rules[0].interval, failover.rules[0].lasting) == (60, 600)
    assert (failover.within, failover.cooldown) == (60, 120)


@pytest.mark.parametrize(
    ("section", "key", "says"),
    [
        ("switching: {protected: ['89F2']}", "switching.protected[0]", "ICCID"),
        ("switching: {fallback: ['89F2']}", "switching.fallback[0]", "ICCID"),
        ("switching: {fallback: [8900101000000000017]}", "switching.fallback[0]", "put it in quotes"),
        ("switching: {per_day: 0}", "switching.per_day", ">= 1"),
        (
            f"failover: {{profiles: [{{iccid: '{FIRST}', healthy: [registered]}}]}}",
            "failover.profiles",
            "at least two profiles",
        ),
        (f"failover: {{{ORDER.replace(SECOND, FIRST)}}}", "failover.profiles[1].iccid", "already"),
        (
            f"failover: {{{ORDER.replace('registered', 'confirm')}}}",
            "failover.profiles[0].healthy[0]",
            "a reachability check",
        ),
        (
            f"failover: {{{ORDER.replace('registered', 'tcp:x')}}}",
            "failover.profiles[0].healthy[0]",
            "not a known condition",
        ),
        (
            f"failover: {{{ORDER.replace('[registered]', '[]', 1)}}}",
            "failover.profiles[0].healthy",
            "expected a condition",
        ),
        ("failover: {profiles: [{iccid: '12'}, {}]}", "failover.profiles[0].healthy", "missing"),
        (f"failover: {{{ORDER}, cooldown: 5}}", "failover.cooldown", ">= 60"),
    ],
)
def test_mistakes_are_reported_with_their_key(tmp_path: Path, section: str, key: str, says: str) -> None:
    """A mistake in `switching` or `failover` is reported with its key."""
    with pytest.raises(InvalidSettings) as caught:
        read(tmp_path, section)
    told = [line for line in caught.value.sentence.splitlines() if f"'euiccs.modem.{key}'" in line]
    assert told, caught.value.sentence
    assert says in told[0]
