"""The settings file: defaults, valid values and mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lpad.base.errors import InvalidSettings, InvalidValue
from lpad.settings import SettingsFile, device_capabilities, version_bytes

CAPS = "device_capabilities"


def read(folder: Path, text: str) -> SettingsFile:
    path = folder / "lpad.yaml"
    path.write_text(text, encoding="utf-8")
    return SettingsFile.read(path)


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    """An empty settings file means the documented socket, folder and roles, and no card."""
    settings = read(tmp_path, "").settings
    assert (settings.socket, settings.state_folder) == ("/run/lpad/lpad.sock", "/var/lib/lpad")
    assert settings.access.admin.groups == settings.access.install.groups == ["lpad"]
    assert settings.access.switch.groups == ["lpad"]
    assert settings.access.read.groups == ["lpad", "lpad-read"]
    assert settings.euiccs == {}


def test_sections_may_be_empty(tmp_path: Path) -> None:
    """A key without a value counts as missing."""
    assert read(tmp_path, "trust:\nremote:\neuiccs:\n").settings == read(tmp_path, "").settings


def test_relative_paths_start_at_the_file(tmp_path: Path) -> None:
    """A relative path in the settings starts from the folder of the settings file."""
    file = read(tmp_path, "socket: run/lpad.sock")
    assert file.resolve(file.settings.socket) == tmp_path / "run" / "lpad.sock"
    assert file.resolve("/run/x") == Path("/run/x")


SE0, SE1 = "A06573746B6D65FFFF4953442D522030", "A06573746B6D65FFFF4953442D522031"


def test_two_euiccs_on_one_card_share_a_port(tmp_path: Path) -> None:
    """Two names may have the same port if each has a different ISD-R AID."""
    settings = read(tmp_path, f"euiccs: {{a: {{port: x, aid: {SE0}}}, b: {{port: x, aid: {SE1}}}}}")
    assert [section.aid for section in settings.settings.euiccs.values()] == [SE0, SE1]


def test_quirks_may_be_overridden(tmp_path: Path) -> None:
    """The setting `quirks` of a card is read."""
    settings = read(tmp_path, "euiccs: {a: {port: x, quirks: {links: [csim], patience: {apdu: 90}}}}")
    assert settings.settings.euiccs["a"].quirks == {"links": ["csim"], "patience": {"apdu": 90}}


@pytest.mark.parametrize(
    ("text", "key", "told"),
    [
        ("soket: /x", "soket", "did you mean 'socket'?"),
        ("nothing_alike: 1", "nothing_alike", "the known ones are euiccs"),
        ("port: /dev/ttyUSB2", "port", "did you mean 'euiccs.NAME.port'"),
        ("extra_ca_files: []", "extra_ca_files", "did you mean 'trust.extra_ca_files'"),
        ("euiccs: {a: {prt: /x}}", "euiccs.a.prt", "did you mean 'port'?"),
        ("euiccs: {a: }", "euiccs.a.port", "missing"),
        ("euiccs: {A B: {port: x}}", "euiccs.A B", "lower-case"),
        ("euiccs: {a: {port: x, imei: 352906110123454}}", "euiccs.a.imei", "quotes"),
        ("euiccs: {a: {port: x, imei: '352906110123455'}}", "euiccs.a.imei", "check digit"),
        ("euiccs: {a: {port: x, tac: '3529061'}}", "euiccs.a.tac", "8 decimal digits"),
        ("euiccs: {a: {port: x, tac: 35290611}}", "euiccs.a.tac", "quotes"),
        ("euiccs: {a: {port: x, block_size: 300}}", "euiccs.a.block_size", "255"),
        ("euiccs: {a: {port: x, default_smdp: 'https://x'}}", "euiccs.a.default_smdp", "scheme"),
        ("euiccs: {a: {port: x, aids: [00]}}", "euiccs.a.aids[0]", "quotes"),
        ("euiccs: {a: {port: x, aids: ['00']}}", "euiccs.a.aids[0]", "10 to 32"),
        (f"euiccs: {{a: {{port: x, {CAPS}: {{lte: 15}}}}}}", f"euiccs.a.{CAPS}.lte", "eutran"),
        (f"euiccs: {{a: {{port: x, {CAPS}: {{gsm: 999}}}}}}", f"euiccs.a.{CAPS}.gsm", "release"),
        ("euiccs: {a: {port: x}, b: {port: x}}", "euiccs.b.port", "already belongs to 'a'"),
        (f"euiccs: {{a: {{port: x, aid: {SE0}}}, b: {{port: x}}}}", "euiccs.b.port", "its own 'aid'"),
        (f"euiccs: {{a: {{port: x, aid: {SE0}}}, b: {{port: x, aid: {SE0}}}}}", "euiccs.b.port", "'a'"),
        (
            f"euiccs: {{a: {{port: x, aid: {SE0}}}, b: {{port: x, aid: {SE1}, baud: 9600}}}}",
            "euiccs.b",
            "same 'baud'",
        ),
        (
            f"euiccs: {{a: {{port: x, aid: {SE0}}}, b: {{port: x, aid: {SE1}, fast_baud: 921600}}}}",
            "euiccs.b",
            "'fast_baud'",
        ),
        ("euiccs: {a: {port: x, fast_baud: 921601}}", "euiccs.a.fast_baud", "it must be one of 19200,"),
        ("euiccs: {a: {port: x, fast_baud: 57600}}", "euiccs.a.fast_baud", "faster than 'baud'"),
        ("euiccs: {a: {reader: x, fast_baud: 921600}}", "euiccs.a.fast_baud", "only a modem's AT port"),
        ("euiccs: {a: {port: x, aid: '00'}}", "euiccs.a.aid", "10 to 32"),
        ("euiccs: {a: {port: x, quirks: {linx: []}}}", "euiccs.a.quirks.linx", "the known ones are links"),
        ("euiccs: {a: {port: x, quirks: {links: [qmi]}}}", "euiccs.a.quirks.links", "qmi"),
        ("euiccs: {a: {reader: x, fallback_ports: [y]}}", "euiccs.a.fallback_ports", "give 'port', too"),
        ("euiccs: {a: {port: x, fallback_ports: [x]}}", "euiccs.a.fallback_ports", "named once"),
        ("euiccs: {a: {port: x, fallback_ports: [y, y]}}", "euiccs.a.fallback_ports", "named once"),
        (
            "euiccs: {a: {port: x, fallback_ports: [y]}, b: {port: y}}",
            "euiccs.b.port",
            "y already belongs to 'a'",
        ),
        (
            "euiccs: {a: {port: x}, b: {port: y, fallback_ports: [x]}}",
            "euiccs.b.fallback_ports",
            "x already belongs to 'a'",
        ),
        ("log: loud", "log", "debug"),
        ("trust: {ca: x}", "trust.ca", "extra_ca_files"),
        ("access: {install: {group: [x]}}", "access.install.group", "did you mean 'groups'?"),
        ("deadlines: {read: -1}", "deadlines.read", "> 0"),
        ("remote: {protocol_version: gsma}", "remote.protocol_version", "matching regex"),
        ("remote: {hosts: {'a b/': x}}", "remote.hosts.a b/", "server address"),
    ],
)  # fmt: skip
def test_mistakes_are_named(tmp_path: Path, text: str, key: str, told: str) -> None:
    """A mistake is reported with the file, the key and the right form."""
    with pytest.raises(InvalidSettings) as caught:
        read(tmp_path, text)
    assert caught.value.details["key"] == key
    assert str(tmp_path / "lpad.yaml") in caught.value.sentence
    assert told in caught.value.sentence


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[1", "not YAML"),
        ("- a list", "keys and values"),
        ("euiccs: [a]", "a name for each"),
        ("socket: a\nsocket: b", "'socket': given twice, first on line 1"),
        ("a: !!python/object:os.system {}", "YAML tag"),
    ],
)
def test_files_that_are_not_settings(tmp_path: Path, text: str, told: str) -> None:
    """A file that is not YAML, not a mapping, or has duplicate keys or odd tags is refused."""
    with pytest.raises(InvalidSettings, match=told):
        read(tmp_path, text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """The error distinguishes a missing file from one in another encoding."""
    with pytest.raises(InvalidSettings, match="No such file"):
        SettingsFile.read(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"socket: \xe4")
    with pytest.raises(InvalidSettings, match="UTF-8"):
        SettingsFile.read(tmp_path / "latin.yaml")


@pytest.mark.parametrize(
    ("release", "expected"), [(15, "0f0000"), ("15", "0f0000"), (15.2, "0f0200"), ("8.1.3", "080103")]
)
def test_releases_are_numbers_with_or_without_parts(release: str | float, expected: str) -> None:
    """A release may be a number or a text, with one, two or three parts."""
    assert version_bytes(release).hex() == expected


def test_capabilities_that_are_not_named_are_left_out() -> None:
    """The device has exactly the capabilities that the settings name."""
    capabilities = device_capabilities({"gsm": 5, "eutran_epc": 15})
    assert capabilities.gsm == bytes([5, 0, 0])
    assert capabilities.eutran_epc == bytes([15, 0, 0])
    assert capabilities.utran is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("euiccs: {a: {port: x, reader: r}}", "euiccs.a"),
        (
            "euiccs: {a: {port: x, failover: {profiles: [{iccid: '8900101000000000017', healthy: [x]}]}}}",
            "failover",
        ),
        ("policy: {servers: [UPPER]}", "policy.servers[0]"),
        ("policy: {operators: [26201]}", "policy.operators[0]"),
        ("euiccs: {a: {port: x, policy: {server_oids: [oid]}}}", "euiccs.a.policy.server_oids[0]"),
        ("euiccs: {a: {port: x, aids: x}}", "euiccs.a.aids"),
        ("remote: {hosts: {smdp.example.com: 'x:65536'}}", "remote.hosts"),
        ("remote: {proxy_credentials: file}", "remote.proxy_credentials"),
    ],
)
def test_contradicting_settings_are_refused(tmp_path: Path, text: str, key: str) -> None:
    """Settings that contradict each other or have invalid values are refused with their key."""
    with pytest.raises(InvalidSettings, match=key.replace("[", r"\[").replace("]", r"\]")):
        read(tmp_path, text)


def test_the_highest_port_is_accepted(tmp_path: Path) -> None:
    """The highest port, 65535, is accepted in `remote.hosts`."""
    hosts = read(tmp_path, "remote: {hosts: {smdp.example.com: 'x:65535'}}").settings.remote.hosts
    assert hosts == {"smdp.example.com": "x:65535"}


def test_a_missing_key_has_the_line_of_its_parent(tmp_path: Path) -> None:
    """A missing key is reported with the line of its parent."""
    with pytest.raises(InvalidSettings) as caught:
        read(tmp_path, "log: info\neuiccs:\n  a:\n    baud: 9600\n")
    assert caught.value.details["line"] == 3


def test_a_socket_has_107_bytes_at_most(tmp_path: Path) -> None:
    """A socket's path may have at most 107 bytes, the size of sun_path without its NUL."""
    longest = "/" + "x" * 106
    assert read(tmp_path, f"socket: {longest}").settings.socket == longest
    with pytest.raises(InvalidSettings, match="at most 107 bytes"):
        read(tmp_path, f"socket: {longest}x")


def test_a_release_is_made_of_bytes() -> None:
    """The highest number in a part of a release is 255."""
    assert version_bytes("255.255.255") == b"\xff\xff\xff"
    with pytest.raises(InvalidValue):
        version_bytes("256")
