"""The settings of lpad-mqtt: the broker, the topics, and the commands that the broker's clients may send."""

from __future__ import annotations

import ipaddress
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from lpad.base.errors import InvalidSettings
from lpad.base.regular_file import read_regular
from lpad.settings.parsing.bounded_types import Text
from lpad.settings.parsing.conversion import to_section
from lpad.settings.parsing.section_base import Section
from lpad.settings.parsing.yaml_document import LARGEST, Document

if TYPE_CHECKING:
    from lpad.settings.parsing.mistakes import Report

DEFAULT_FILE = Path("/etc/lpad/mqtt.yaml")
LONGEST_PASSWORD = 65_535
"""The maximum number of bytes of a password in MQTT (MQTT 5, 3.1.3.6)."""

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_TOPIC = re.compile(r"[^\x00-\x1f\x7f+#$/][^\x00-\x1f\x7f+#]{0,199}")
"""Matches a text of 1 to 200 characters, without wildcards and control characters, that does not begin
with / or $."""
_LISTENER = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_CLIENT_ID = re.compile(r"[A-Za-z0-9._:@-]{1,128}")


class TlsSection(Section, frozen=True):
    """Files in PEM form: the broker's CA, and the certificate and key of this client."""

    ca: Text | None = None
    certificate: Text | None = None
    key: Text | None = None

    def check(self, report: Report) -> None:
        """Report a certificate without a key, or a key without a certificate."""
        if (self.certificate is None) != (self.key is None):
            report.wrong("a client certificate needs both 'certificate' and 'key'")


class TopicsSection(Section, frozen=True):
    """The layout of the topics, and the prefix of all topics."""

    preset: Literal["plain", "thin-edge"] = "plain"
    prefix: Text | None = None

    def check(self, report: Report) -> None:
        """Report a prefix that cannot begin a topic."""
        if self.prefix is not None and not _TOPIC.fullmatch(self.prefix):
            report.wrong(
                "a topic must have at most 200 characters without + and #, and not begin with / or $",
                "prefix",
            )


class MqttSettings(Section, frozen=True):
    """The content of lpad-mqtt's settings file."""

    broker: Text
    client_id: Text | None = None
    version: Literal["5", "3.1.1"] = "5"
    username: Text | None = None
    password_file: Text | None = None
    tls: TlsSection = TlsSection()
    keepalive: Annotated[int, msgspec.Meta(ge=10, le=3600)] = 60
    topics: TopicsSection = TopicsSection()
    identifiers: Literal["full", "redacted"] = "full"
    commands: list[Literal["discover", "download", "enable", "provision", "refresh"]] = msgspec.field(
        default_factory=list
    )
    home_assistant: bool = False
    socket: Text = "/run/lpad/lpad.sock"
    listener: Text = "lpad-mqtt"
    state_folder: Text = "/var/lib/lpad-mqtt"

    def check(self, report: Report) -> None:
        """Report invalid names and addresses, and secrets that would travel in clear text."""
        if report.sound("broker"):
            self._check_broker(report)
        if self.client_id is not None and not _CLIENT_ID.fullmatch(self.client_id):
            report.wrong("a client ID must have at most 128 letters, digits and . _ : @ -", "client_id")
        if not _LISTENER.fullmatch(self.listener):
            report.wrong(
                "a listener's name must have at most 32 lower-case letters, digits and . _ -", "listener"
            )
        if self.password_file is not None and self.username is None:
            report.wrong("a password needs a 'username'", "password_file")

    def _check_broker(self, report: Report) -> None:
        try:
            found = urlsplit(self.broker)
            scheme, host, _ = found.scheme, found.hostname, found.port
        except ValueError:
            scheme, host = "", None
        if scheme not in _PORTS or not host or found.path not in ("", "/") or found.query or found.username:
            report.wrong("expected mqtts://HOST[:PORT], or mqtt://HOST[:PORT] for this device", "broker")
        elif scheme == "mqtt" and not _is_loopback(host):
            report.wrong("a broker that is not on this device needs mqtts://", "broker")
        elif scheme == "mqtt" and self.tls != TlsSection():
            report.wrong("certificates need mqtts:// as the broker's scheme", "tls")

    @property
    def host(self) -> str:
        """The broker's host."""
        return urlsplit(self.broker).hostname or ""

    @property
    def port(self) -> int:
        """The broker's TCP port."""
        found = urlsplit(self.broker)
        return found.port or _PORTS[found.scheme]

    @property
    def encrypted(self) -> bool:
        """Whether the connection uses TLS."""
        return urlsplit(self.broker).scheme == "mqtts"

    @property
    def client(self) -> str:
        """The client ID in the settings, otherwise one made from the device's host name."""
        return self.client_id or f"lpad-{device_name()}"

    def password(self, folder: Path) -> str | None:
        """Read the password from its file, without the newline at its end; None without a file.

        Raises:
            InvalidSettings: the file cannot be read, is not text, or is too long.
        """
        if self.password_file is None:
            return None
        path = folder / self.password_file
        try:
            content = read_regular(path, most=LONGEST_PASSWORD + 2)
            text = content.decode().removesuffix("\n").removesuffix("\r")
        except (OSError, ValueError) as error:
            told = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise InvalidSettings(f"cannot read the password file {path}: {told}") from error
        if len(text.encode()) > LONGEST_PASSWORD:
            raise InvalidSettings(f"the password in {path} is longer than {LONGEST_PASSWORD} bytes")
        return text


def read_settings(path: Path) -> MqttSettings:
    """Read and check a settings file.

    Raises:
        InvalidSettings: the file is unreadable or not YAML, or has unknown keys or values out of range; the
            sentence has a line for each mistake.
    """
    try:
        document = Document.parse(read_regular(path, most=LARGEST + 1))
    except (OSError, ValueError) as error:
        told = error.strerror if isinstance(error, OSError) else str(error)
        raise InvalidSettings(f"cannot read the settings file {path}: {told}") from error
    report = document.report
    settings = to_section(MqttSettings, document.value, report)
    if report.mistakes:
        found = sorted(report.mistakes, key=lambda each: each.line)
        raise InvalidSettings("\n".join(f"{path}:{each.line}: {each}" for each in found))
    return settings


def device_name() -> str:
    """Return the host name, reduced to characters that a topic and a client ID may have."""
    return re.sub(r"[^A-Za-z0-9_-]", "-", socket.gethostname().partition(".")[0]) or "gateway"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
