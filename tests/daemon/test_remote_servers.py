"""The settings about servers determine which certificates lpad trusts, and the route to servers."""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from lpad.base.errors import InvalidSettings
from lpad.daemon.remote_servers import load_route, load_trust
from lpad.remote.trust.trust_anchors import Offer
from lpad.settings import SettingsFile
from lpad.simulator.pki import certificate_making as making
from lpad.simulator.pki.credential import Curve

if TYPE_CHECKING:
    from pathlib import Path

CI = making.make_ci(Curve.NIST)


def read(folder: Path, text: str) -> SettingsFile:
    path = folder / "lpad.yaml"
    path.write_text(text, encoding="utf-8")
    return SettingsFile.read(path)


def anchors(file: SettingsFile) -> int:
    return load_trust(file).context(Offer()).cert_store_stats()["x509"]


def test_certificates_in_trust_d_are_trusted(tmp_path: Path) -> None:
    """Certificates in trust.d next to the settings are trusted, if the folder exists."""
    file = read(tmp_path, "trust: {system: false}")
    assert anchors(file) == 0
    (tmp_path / "trust.d").mkdir()
    assert anchors(file) == 0
    (tmp_path / "trust.d" / "ci.pem").write_bytes(CI.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "trust.d" / "README").write_text("not read")
    assert anchors(file) == 1


def test_the_log_states_the_number_of_trusted_certificates(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log states the number of the operator's certificates, and nothing if there are no files."""
    with caplog.at_level(logging.INFO, logger="lpad.daemon.remote_servers"):
        load_trust(read(tmp_path, ""))
        assert caplog.messages == []
        (tmp_path / "trust.d").mkdir()
        (tmp_path / "trust.d" / "ci.pem").write_bytes(CI.certificate.public_bytes(Encoding.PEM))
        load_trust(read(tmp_path, ""))
    assert caplog.messages == ["the operator's own certificates: 1 CA certificate"]


def test_a_bad_file_in_trust_d(tmp_path: Path) -> None:
    """A file in trust.d without a certificate or revocation list is refused by name."""
    (tmp_path / "trust.d").mkdir()
    (tmp_path / "trust.d" / "bad.pem").write_text("nothing")
    with pytest.raises(InvalidSettings, match=r"bad\.pem"):
        load_trust(read(tmp_path, ""))


def test_the_systems_store_is_trusted_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's certificates are trusted unless the settings say otherwise."""
    store = tmp_path / "store.pem"
    store.write_bytes(CI.certificate.public_bytes(Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(store))
    assert anchors(read(tmp_path, "")) == 1
    assert anchors(read(tmp_path, "trust: {system: false}")) == 0


def test_the_settings_determine_the_oldest_tls(tmp_path: Path) -> None:
    """The oldest accepted version of TLS is 1.2, or 1.3 if the settings require it."""
    for text, version in (
        ("", ssl.TLSVersion.TLSv1_2),
        ('remote: {minimum_tls: "1.3"}', ssl.TLSVersion.TLSv1_3),
    ):
        assert load_trust(read(tmp_path, text)).context(Offer()).minimum_version == version


def test_cis_are_forbidden_by_their_identifier(tmp_path: Path) -> None:
    """CIs are forbidden by their identifier, with or without colons, or its first bytes; [] forbids none."""
    test, other = bytes.fromhex("f54172bdf98a95d65cbeb88a38a1c11d800a85c3"), CI.key_id
    for text, left in (
        ("", (other,)),
        ("trust: {forbidden_issuers: []}", (test, other)),
        (f"trust: {{forbidden_issuers: ['{other.hex()}']}}", (test,)),
        ("trust: {forbidden_issuers: ['F5:41:72:BD']}", (other,)),
    ):
        assert load_trust(read(tmp_path, text)).permitted((test, other)) == left


def test_proxy_and_interface_are_read(tmp_path: Path) -> None:
    """The proxy, its credentials in a file, and the interface are read."""
    (tmp_path / "secret").write_text("user:pass")
    (tmp_path / "secret").chmod(0o600)
    text = "remote: {proxy: 'http://proxy.example:3128', proxy_credentials: secret, interface: wwan0}"
    route = load_route(read(tmp_path, text))
    assert route.proxy is not None
    assert (str(route.proxy.address), route.proxy.credentials) == ("proxy.example:3128", ("user", "pass"))
    assert route.interface == "wwan0"


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("trust: {forbidden_issuers: [f54172]}", "trust.forbidden_issuers[0]"),
        ("trust: {forbidden_issuers: [garbage]}", "trust.forbidden_issuers[0]"),
        ("remote: {proxy: 'https://proxy:1'}", "remote.proxy"),
        ("remote: {proxy_credentials: secret}", "remote.proxy_credentials"),
        ("remote: {interface: 'a b'}", "remote.interface"),
        ("remote: {minimum_tls: '1.1'}", "remote.minimum_tls"),
    ],
)
def test_impossible_settings_are_reported_with_their_key(tmp_path: Path, text: str, key: str) -> None:
    """An impossible setting is reported with its key when the settings are read."""
    with pytest.raises(InvalidSettings) as caught:
        read(tmp_path, text)
    assert caught.value.details["key"] == key
