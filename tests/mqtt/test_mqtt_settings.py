"""The settings of lpad-mqtt: sentences for mistakes, the broker's address, the password, the example."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lpad.base.errors import InvalidSettings
from lpad.mqtt.mqtt_settings import device_name, read_settings

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = Path(__file__).parents[2] / "config" / "mqtt.yaml"


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "mqtt.yaml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1: 'broker': missing"),
        (
            "broker: mqtt://broker.example.com",
            "1: 'broker': a broker that is not on this device needs mqtts://",
        ),
        ("broker: http://localhost", "'broker': expected mqtts://HOST[:PORT]"),
        ("broker: mqtts://user@broker", "'broker': expected mqtts://HOST[:PORT]"),
        ("broker: mqtts://broker:99999", "'broker': expected mqtts://HOST[:PORT]"),
        ("broker: mqtts://[::1", "'broker': expected mqtts://HOST[:PORT]"),
        ("broker: mqtt://localhost\ntls: {ca: ca.pem}", "2: 'tls': certificates need mqtts://"),
        ("broker: mqtts://b\ntls: {key: key.pem}", "2: 'tls': a client certificate needs both"),
        ("broker: mqtts://b\npassword_file: f", "2: 'password_file': a password needs a 'username'"),
        ("broker: mqtts://b\nlistener: A b", "2: 'listener': a listener's name must have at most 32"),
        ("broker: mqtts://b\nclient_id: a b", "2: 'client_id': a client ID must have at most 128"),
        ("broker: mqtts://b\ntopics: {prefix: 'a/#'}", "2: 'topics.prefix': a topic must have at most 200"),
        ("broker: mqtts://b\ntopics: {prefix: /a}", "2: 'topics.prefix': a topic must have at most 200"),
        ("broker: mqtts://b\ncommands: [reset]", "'commands[0]': expected one of discover, download, enable"),
        ("broker: mqtts://b\nkeepalive: 1", "'keepalive': expected a whole number >= 10"),
        ("broker: mqtts://b\nversion: 5", "'version': "),
        ("broker: mqtts://b\nbroke: 1", "'broke': there is no such setting; did you mean 'broker'?"),
        ("- a", "expected keys and values"),
    ],
)
def test_each_mistake_is_reported_with_its_line(written: Callable[[str], Path], text: str, told: str) -> None:
    """A mistake in lpad-mqtt's settings is reported, mostly with its line and its key."""
    with pytest.raises(InvalidSettings) as caught:
        read_settings(written(text))
    assert told in caught.value.sentence


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="cannot read the settings file"):
        read_settings(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("text", "host", "port", "encrypted"),
    [
        ("mqtt://localhost", "localhost", 1883, False),
        ("mqtt://127.0.0.2:1884", "127.0.0.2", 1884, False),
        ("mqtts://Broker.example.com", "broker.example.com", 8883, True),
        ("mqtts://[2001:db8::1]:99", "2001:db8::1", 99, True),
    ],
)
def test_the_brokers_address(
    written: Callable[[str], Path], text: str, host: str, port: int, *, encrypted: bool
) -> None:
    settings = read_settings(written(f"broker: {text}"))
    assert (settings.host, settings.port, settings.encrypted) == (host, port, encrypted)
    assert settings.client == f"lpad-{device_name()}"


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"\xff", "not UTF-8 text"), (b"x" * 70_000, "longer than 65535 bytes"), (None, "No such file")],
)
def test_a_bad_password_file(
    written: Callable[[str], Path], tmp_path: Path, content: bytes | None, told: str
) -> None:
    settings = read_settings(written("broker: mqtts://b\nusername: u\npassword_file: secret"))
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    with pytest.raises(InvalidSettings, match=told):
        settings.password(tmp_path)


def test_a_newline_is_not_part_of_the_password(written: Callable[[str], Path], tmp_path: Path) -> None:
    """A trailing newline, which an editor adds, is not part of the password."""
    settings = read_settings(written("broker: mqtts://b\nusername: u\npassword_file: secret"))
    (tmp_path / "secret").write_text(" with blanks \n")
    assert settings.password(tmp_path) == " with blanks "


def test_the_packaged_example_is_valid() -> None:
    """The packaged settings file of lpad-mqtt is valid, and names every setting."""
    text = EXAMPLE.read_text()
    settings = read_settings(EXAMPLE)
    assert settings.commands == []
    for name in type(settings).__struct_fields__:
        assert f"{name}:" in text, name
