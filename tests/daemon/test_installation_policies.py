"""The install policies in the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import InvalidSettings
from lpad.daemon.installation_policies import install_policies
from lpad.lpa.owner_install_policy import Asking, InstallPolicy
from lpad.settings import Settings, SettingsFile
from lpad.settings.takes_effect import changed, restart_needed

if TYPE_CHECKING:
    from pathlib import Path


def read(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "lpad.yaml").write_text(text, encoding="utf-8")
    return SettingsFile.read(tmp_path / "lpad.yaml").settings


def test_without_a_word_it_is_lpads_own() -> None:
    """Without settings, a card has lpad's default install policy."""
    assert install_policies(Settings()).of("modem") == InstallPolicy()


def test_a_card_has_its_own_in_the_place_of_what_all_have(tmp_path: Path) -> None:
    """If a card's part of the settings lacks a key, the value for all cards applies."""
    settings = read(
        tmp_path,
        """
policy: {servers: ["*.example.com"], operators: ["262-01"], confirm: always}
euiccs:
  modem: {port: /dev/ttyUSB0}
  spare: {reader: 0, policy: {operators: ["*"], classes: [test], confirm: card}}
""",
    )
    policies = install_policies(settings)
    general = InstallPolicy(servers=("*.example.com",), operators=("262-01",), confirm=Asking.ALWAYS)
    assert policies.of("modem") == policies.of("another") == general
    assert policies.of("spare") == InstallPolicy(
        servers=("*.example.com",), classes=("test",), confirm=Asking.CARD
    )


def test_a_card_s_own_counts_from_a_reload(tmp_path: Path) -> None:
    """A change of a card's own settings takes effect at a reload, without a restart."""
    before = read(tmp_path, "euiccs: {modem: {port: a}}")
    after = read(tmp_path, "{socket: s, euiccs: {modem: {port: a, policy: {classes: [test]}}}}")
    assert changed(before, after) == ("euiccs.modem.policy.classes", "socket")
    assert restart_needed(before, after) == ("socket",)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("servers: [https://smdp.example.com]", "'policy.servers[0]': a server must be a name"),
        ("servers: [SMDP.example.com]", "'policy.servers[0]': a server must be a name in lower case"),
        ("server_oids: [one.two]", "'policy.server_oids[0]': an OID must consist"),
        ("operators: ['26201']", "'policy.operators[0]': an operator must be MCC-MNC"),
        ("operators: [262-01x]", "'policy.operators[0]': an operator must be MCC-MNC"),
        ("operators: ['2*-01', 26-01]", "'policy.operators[1]': an operator must be MCC-MNC"),
        ("operators: ['262-*', 262-1]", "'policy.operators[1]': an operator must be MCC-MNC"),
        ("servers: ['smdp.example.com:443']", "'policy.servers[0]': a server must be a name"),
        ("classes: [live]", "'policy.classes[0]': expected one of operational, provisioning, test, unknown"),
        ("forbidden_rules: [ppr3]", "'policy.forbidden_rules[0]': expected one of ppr1, ppr2"),
        ("confirm: never", "'policy.confirm': expected one of card, rules, always"),
    ],
)
def test_a_pattern_that_fits_nothing_is_refused(tmp_path: Path, line: str, told: str) -> None:
    """A value that matches no server, OID, operator, class or rule is refused: it would forbid all."""
    with pytest.raises(InvalidSettings) as caught:
        read(tmp_path, f"policy:\n  {line}\n")
    assert told in caught.value.sentence
