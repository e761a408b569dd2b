"""The settings file: YAML in, typed and checked out. The one home of PyYAML.

Every mistake names the file, the key and, for a key that doesn't exist, the one that was probably meant.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import msgspec
import yaml

from lpad.card.quirks.quirks import Quirks
from lpad.codec.messages.authentication import DeviceCapabilities
from lpad.errors import InvalidSettings, InvalidValue
from lpad.identifiers import Aid, Imei
from lpad.remote.hosts import Hosts
from lpad.server_address import ServerAddress

if TYPE_CHECKING:
    from collections.abc import Mapping

Seconds = Annotated[float, msgspec.Meta(gt=0, le=7 * 24 * 3600)]
BlockSize = Annotated[int, msgspec.Meta(ge=1, le=255)]
Baud = Annotated[int, msgspec.Meta(ge=300, le=4_000_000)]
Name = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
CAPABILITIES = tuple(each.name for each in fields(DeviceCapabilities))
LOG_LEVELS = ("error", "warning", "info", "debug")


class EuiccSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One card: where it is, at a modem's port or in a reader, and what the device around it is."""

    port: str | None = None
    reader: str | int | None = None
    shared: bool = False
    baud: Baud = 115200
    block_size: BlockSize = 255
    refresh: bool | None = None
    imei: str | None = None
    default_smdp: str | None = None
    aid: str | None = None
    aids: list[str] = []
    quirks: dict[str, Any] = {}
    device_capabilities: dict[str, str | int | float] = {}

    @property
    def place(self) -> str:
        """Where the card is; cards in one place share what leads there."""
        return self.port if self.port is not None else f"reader {self.reader}"


class TrustSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Whom to trust beside the system's certificate authorities."""

    extra_ca_files: list[str] = []


class RemoteSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How to speak to SM-DP+ servers."""

    hosts: dict[str, str] = {}
    protocol_version: Annotated[str, msgspec.Meta(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")] = "2.2.2"


class WhoSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Users and groups, by name or number."""

    users: list[str | int] = []
    groups: list[str | int] = []


class AccessSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Who may do what; root and the daemon's own user may do all in any case."""

    full: WhoSection = WhoSection(groups=["lpad"])
    read: WhoSection = WhoSection(groups=["lpad-read"])


class DeadlinesSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How long the parts of the work may take, in seconds."""

    open: Seconds = 30
    read: Seconds = 60
    switch: Seconds = 120
    download: Seconds = 900
    delivery: Seconds = 60


class ModemManagerSection(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How to get along with ModemManager; `hold` is in seconds."""

    inhibit: Literal["auto", "never"] = "auto"
    hold: Seconds = 5


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The whole file."""

    euiccs: dict[str, EuiccSection] = {}
    socket: str = "/run/lpad/lpad.sock"
    state_folder: str = "/var/lib/lpad"
    log: str = "info"
    answer_within: Seconds = 300
    trust: TrustSection = TrustSection()
    remote: RemoteSection = RemoteSection()
    access: AccessSection = AccessSection()
    deadlines: DeadlinesSection = DeadlinesSection()
    modem_manager: ModemManagerSection = ModemManagerSection()


SECTIONS: dict[str, type[msgspec.Struct]] = {
    "trust": TrustSection,
    "remote": RemoteSection,
    "access": AccessSection,
    "deadlines": DeadlinesSection,
    "modem_manager": ModemManagerSection,
}


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """Settings with the file that they came from, against whose folder relative paths are read."""

    path: Path
    settings: Settings

    @classmethod
    def read(cls, path: Path) -> SettingsFile:
        """Read and check a settings file.

        Raises:
            InvalidSettings: unreadable, no YAML, an unknown key, or a value out of its range.
        """
        try:
            text = path.read_text(encoding="utf-8")
            content = yaml.load(text, Loader=_Loader)  # noqa: S506 - _Loader is a SafeLoader
        except OSError as error:
            raise InvalidSettings(f"can't read the settings file {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise InvalidSettings(f"{path}: not UTF-8 text") from error
        except yaml.YAMLError as error:
            told = " ".join(str(error).replace(' in "<unicode string>"', "").split())
            raise InvalidSettings(f"{path}: not YAML: {told}") from error
        if content is None:
            content = {}
        if not isinstance(content, dict):
            raise InvalidSettings(f"{path}: the file holds keys and values, such as 'socket: PATH'")
        settings = _convert(content, path)
        _check(settings, path)
        return cls(path, settings)

    def resolve(self, text: str) -> Path:
        """Return a path from the file, relative ones from the file's own folder."""
        return self.path.parent / Path(text).expanduser()


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice: PyYAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        mapping = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            keys = [key.value for key, _ in node.value]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise yaml.constructor.ConstructorError(None, None, f"key '{twice}' given twice", node.start_mark)
        return mapping


_T = TypeVar("_T", bound=msgspec.Struct)


def _convert(content: dict[Any, Any], path: Path) -> Settings:
    """Convert part by part, so that a mistake can be said to be in a named part."""
    content = dict(content)
    euiccs = content.pop("euiccs", None) or {}
    if not isinstance(euiccs, dict):
        raise InvalidSettings(f"{path}: 'euiccs' holds a name for each card, and its settings below")
    parts: dict[str, Any] = {
        name: _part(content.pop(name) or {}, type_, f"{name}.", path)
        for name, type_ in SECTIONS.items()
        if name in content
    }
    plain = _part(content, Settings, "", path)
    cards = {
        str(name): _part(section or {}, EuiccSection, f"euiccs.{name}.", path)
        for name, section in euiccs.items()
    }
    return msgspec.structs.replace(plain, euiccs=cards, **parts)


def _part(content: object, type_: type[_T], prefix: str, path: Path) -> _T:
    try:
        return msgspec.convert(content, type_)
    except msgspec.ValidationError as error:
        text = str(error)
    where, _, inner = text.partition(" - at `$")
    inner = re.sub(r"^\.", "", inner.rstrip("`"))
    unknown = re.search(r"unknown field `(.*?)`", where)
    missing = re.search(r"missing required field `(.*?)`", where)
    key = prefix + inner
    if unknown:
        key = f"{key}.{unknown[1]}" if inner else prefix + unknown[1]
        raise InvalidSettings(f"{path}: there is no setting '{key}'{_nearest(unknown[1], type_)}", key=key)
    if missing:
        key = f"{key}.{missing[1]}" if inner else prefix + missing[1]
        raise InvalidSettings(f"{path}: '{key}' is missing", key=key)
    key = key.rstrip(".") or "the file"
    hint = "; put it in quotes" if where.startswith("Expected `str") and "got `str" not in where else ""
    raise InvalidSettings(f"{path}: '{key}': {where[0].lower()}{where[1:]}{hint}", key=key)


def _nearest(unknown: str, type_: type[msgspec.Struct]) -> str:
    known = [*type_.__struct_fields__, *WhoSection.__struct_fields__]
    if type_ is Settings:
        everywhere = {field: f"{name}.{field}" for name, part in SECTIONS.items() for field in _fields(part)}
        everywhere |= {field: f"euiccs.NAME.{field}" for field in EuiccSection.__struct_fields__}
        if unknown in everywhere:
            return f"; it stands below, as '{everywhere[unknown]}'"
    match = difflib.get_close_matches(unknown, known, n=1)
    return f"; '{match[0]}' was perhaps meant" if match else f"; there are {', '.join(_fields(type_))}"


def _fields(type_: type[msgspec.Struct]) -> tuple[str, ...]:
    return type_.__struct_fields__


def _check(settings: Settings, path: Path) -> None:
    """Check what types alone don't: names, identifiers, addresses."""
    if settings.log not in LOG_LEVELS:
        raise InvalidSettings(f"{path}: 'log' is one of {', '.join(LOG_LEVELS)}", key="log")
    ports: dict[str, dict[str, EuiccSection]] = {}
    for name, euicc in settings.euiccs.items():
        _check_euicc(f"euiccs.{name}", name, euicc, path)
        _check_port(name, euicc, ports, path)
    _checked(Hosts.parse, settings.remote.hosts, "remote.hosts", path)


def _check_port(
    name: str, euicc: EuiccSection, ports: dict[str, dict[str, EuiccSection]], path: Path
) -> None:
    """Check that a port is shared only by the eUICCs of one card, each with a name for its ISD-R."""
    others = ports.setdefault(euicc.place, {})
    where = "port" if euicc.port is not None else "reader"
    for other, section in others.items():
        if euicc.aid is None or section.aid is None or Aid.parse(euicc.aid) == Aid.parse(section.aid):
            raise InvalidSettings(
                f"{path}: 'euiccs.{name}.{where}' is the {where} of '{other}' already; two eUICCs on one card"
                " are told apart by 'aid', which both must have",
                key=f"euiccs.{name}.{where}",
            )
        mine, theirs = ((each.baud, each.quirks, each.shared) for each in (euicc, section))
        if mine != theirs:
            raise InvalidSettings(
                f"{path}: 'euiccs.{name}' shares its {where} with '{other}', and needs the same baud, quirks"
                " and 'shared'",
                key=f"euiccs.{name}",
            )
    others[name] = euicc


def _check_euicc(key: str, name: str, euicc: EuiccSection, path: Path) -> None:
    if not Name.fullmatch(name):
        raise InvalidSettings(
            f"{path}: '{key}': a card's name has up to 32 lower-case letters, digits, - and _", key=key
        )
    if euicc.port is None and euicc.reader is None:
        raise InvalidSettings(
            f"{path}: '{key}.port' is missing; a card in a PC/SC reader has '{key}.reader' instead",
            key=f"{key}.port",
        )
    if euicc.port is not None and euicc.reader is not None:
        raise InvalidSettings(
            f"{path}: '{key}' has both 'port' and 'reader'; a card is in one place", key=key
        )
    if euicc.imei is not None:
        _checked(Imei.parse, euicc.imei, f"{key}.imei", path)
    if euicc.default_smdp is not None:
        _checked(ServerAddress.parse, euicc.default_smdp, f"{key}.default_smdp", path)
    if euicc.aid is not None:
        _checked(Aid.parse, euicc.aid, f"{key}.aid", path)
    _checked(Quirks().merged, euicc.quirks, f"{key}.quirks", path)
    for aid in euicc.aids:
        _checked(Aid.parse, aid, f"{key}.aids", path)
    for capability, release in euicc.device_capabilities.items():
        where = f"{key}.device_capabilities.{capability}"
        if capability not in CAPABILITIES:
            match = difflib.get_close_matches(capability, CAPABILITIES, n=1)
            meant = f"'{match[0]}' was perhaps meant" if match else f"there are {', '.join(CAPABILITIES)}"
            raise InvalidSettings(f"{path}: there is no capability '{where}'; {meant}", key=where)
        _checked(version_bytes, release, where, path)


def version_bytes(release: str | float) -> bytes:
    """Return the 3 bytes of a VersionType from `15`, `15.2` or `15.2.0`.

    Raises:
        InvalidValue: not one to three numbers of at most 255.
    """
    numbers = str(release).split(".")
    if len(numbers) > 3 or not all(
        part.isascii() and part.isdecimal() and int(part) < 256 for part in numbers
    ):
        raise InvalidValue("a release is a number such as 15, or 15.2.0")
    return bytes([*map(int, numbers), 0, 0])[:3]


def _checked(parse: Any, value: object, key: str, path: Path) -> None:
    try:
        parse(value)
    except InvalidValue as error:
        raise InvalidSettings(f"{path}: '{key}': {error.sentence}", key=key) from error


def device_capabilities(releases: Mapping[str, str | float]) -> DeviceCapabilities:
    """Return the device capabilities as SGP.22 has them: a VersionType of 3 bytes for each name."""
    return DeviceCapabilities(**{name: version_bytes(release) for name, release in releases.items()})
