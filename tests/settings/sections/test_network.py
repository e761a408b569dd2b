"""The setting `network`: the applier, the patterns, and mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import InvalidSettings
from lpad.daemon.card_ports import CardPorts
from lpad.network.network_settings import Authentication, IpType, NetworkSettings
from lpad.network.no_applier import NO_APPLIER
from lpad.settings import SettingsFile

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.engine.policy.network_policy import NetworkPolicy


def read(folder: Path, section: str) -> NetworkPolicy:
    """Return the network policy of a card with a settings file that has this `network` section."""
    path = folder / "lpad.yaml"
    path.write_text(f"state_folder: .\neuiccs: {{modem: {{port: /dev/x}}}}\nnetwork:\n{section}\n")
    (port,) = CardPorts(folder / "state").of(SettingsFile.read(path).settings)
    return port.network


def test_without_a_word_nothing_is_touched(tmp_path: Path) -> None:
    """By default the applier is `none`, and there is no pattern."""
    policy = read(tmp_path, "")
    assert policy.applier is NO_APPLIER
    assert policy.patterns == ()


@pytest.mark.parametrize("applier", ["none", "networkmanager", "modemmanager", "at", "command"])
def test_each_applier_has_its_name(tmp_path: Path, applier: str) -> None:
    """`network.applier` chooses each applier by its name."""
    assert read(tmp_path, f"  applier: {applier}\n  connect: true").applier.name == applier


def test_a_table_of_patterns(tmp_path: Path) -> None:
    """Each pattern has the network settings of the matching profiles, in the file's order."""
    policy = read(
        tmp_path,
        "  patterns:\n"
        "    - {iccid: '898822', apn: iot.example, ip: ipv4, roaming: false}\n"
        "    - {provider: Soracom, apn: soracom.io, username: sora, password: sora, authentication: pap}",
    )
    first, second = policy.patterns
    assert (first.iccid, first.settings.apn, first.settings.ip) == ("898822", "iot.example", IpType.IPV4)
    assert not first.settings.roaming
    assert second.provider == "Soracom"
    assert second.settings == NetworkSettings(
        apn="soracom.io",
        username="sora",
        password="sora",
        authentication=Authentication.PAP,
    )


def test_a_pattern_of_hexadecimal_digits(tmp_path: Path) -> None:
    """A pattern with letters in an ICCID matches in either case."""
    (pattern,) = read(tmp_path, "  patterns: [{iccid: '898600b5', apn: x}]").patterns
    assert pattern.fits("898600B5000000000015", None)
    assert not pattern.fits("898600A5000000000015", None)


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ("  patterns: [{apn: x}]", "give 'iccid', 'provider' or both"),
        ("  patterns: [{iccid: '89 01', apn: x}]", "first 1 to 20 digits"),
        ("  patterns: [{iccid: '89', apn: 'a b'}]", "is not an APN"),
        ("  patterns: [{iccid: '89', username: x}]", "'pap' or 'chap'"),
        ("  patterns: [{iccid: '89', ip: ipv9}]", "one of ipv4, ipv6, ipv4v6"),
        ("  patterns: [{iccid: '89', mtu: 5}]", "576 to 9000"),
        ("  applier: uci", "one of none, networkmanager, modemmanager, at, command"),
    ],
)
def test_a_mistake_is_reported_with_its_line(tmp_path: Path, section: str, told: str) -> None:
    """A mistake in `network` is reported with the reason."""
    with pytest.raises(InvalidSettings) as refused:
        read(tmp_path, section)
    assert told in refused.value.sentence
