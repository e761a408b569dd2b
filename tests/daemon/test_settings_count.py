"""Each setting has an effect: a change in the file changes the daemon that is built, and the running one."""

from __future__ import annotations

import ast
import base64
import copy
import json
import logging
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import msgspec
import pytest

from daemon.object_values import picture
from lpad.base.deadline import Deadline
from lpad.base.log import unmasked_apdu_record
from lpad.base.log.trace_level import payloads_shown
from lpad.daemon.daemon import Built
from lpad.daemon.engine_timeouts import TIMEOUTS
from lpad.engine.journal import Retention
from lpad.engine.policy.health_rules import FailoverPolicy, HealthRule
from lpad.engine.policy.switching import SwitchPolicy
from lpad.engine.running.card.card_with_open_link import CardPort
from lpad.engine.running.operation_context import Timeouts
from lpad.lpa.owner_install_policy import InstallPolicy
from lpad.remote.https.proxy_and_interface import Route
from lpad.settings import Settings, SettingsFile
from lpad.settings.parsing.conversion import fields_below
from lpad.settings.parsing.section_base import Section
from lpad.settings.takes_effect import WHEN, When

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.simulator.pki.pki import Pki

SOURCES = Path(__file__).parents[2] / "src" / "lpad"
FIRST, SECOND, THIRD = "8900101000000000017", "8900101000000000025", "8900101000000000033"

BASE: dict[str, Any] = {
    "socket": "lpad.sock",
    "state_folder": "state",
    "trust": {"folder": "none"},
    "remote": {"proxy": "http://proxy.example.com:3128", "proxy_credentials": "credentials"},
    "discovery": {"when": "interval"},
    "platforms": {
        "modem": {"like": "desk", "base": "https://desk.example.com", "credentials": {"key": "credentials"}},
        "own": {
            "file": "platform.yaml",
            "base": "https://desk.example.com",
            "credentials": {"key": "credentials"},
            "client_certificate": "client.pem",
        },
    },
    "euiccs": {
        "modem": {
            "port": "/dev/ttyUSB2",
            "failover": {
                "profiles": [
                    {"iccid": FIRST, "healthy": ["registered"]},
                    {"iccid": SECOND, "healthy": ["registered"]},
                ]
            },
        },
        "reading": {"reader": "Reader"},
    },
    "network": {
        "applier": "modemmanager",
        "hooks": True,
        "patterns": [{"iccid": "8900", "authentication": "pap", "initial_bearer": "apn"}],
    },
    "webhooks": {"modem": {"url": "https://hooks.example.com/", "keys": ["webhook-key"]}},
}
"""A file that contains every setting, so that each can be changed."""

PLACES = {
    "euiccs.NAME.reader": "euiccs.reading.reader",
    "platforms.NAME.file": "platforms.own.file",
    "platforms.NAME.client_key": "platforms.own.client_key",
    "euiccs.NAME.shared": "euiccs.reading.shared",  # a reader; lpad never shares a modem's port
}
"""The place where a setting is changed, if it differs from its path; a list means its first item."""

OTHERS: dict[str, Any] = {
    "euiccs.NAME.port": "/dev/ttyUSB3",
    "euiccs.NAME.fallback_ports": ["/dev/cdc-wdm0"],
    "euiccs.NAME.fast_baud": 921_600,
    "euiccs.NAME.reader": "Other",
    "euiccs.NAME.refresh": True,
    "euiccs.NAME.imei": "490154203237518",
    "euiccs.NAME.tac": "49015420",
    "euiccs.NAME.default_smdp": "smdp.example.com",
    "euiccs.NAME.provision": "on_empty",
    "euiccs.NAME.aid": "A0000005591010FFFFFFFF8900000200",
    "euiccs.NAME.aids": ["A0000005591010FFFFFFFF8900000200"],
    "euiccs.NAME.quirks": {"links": ["csim"]},
    "euiccs.NAME.device_capabilities": {"eutran_epc": 15},
    "euiccs.NAME.switching.protected": [THIRD],
    "euiccs.NAME.switching.fallback": [THIRD],
    "euiccs.NAME.switching.per_day": 3,
    "euiccs.NAME.switching.default_guard.until": ["tcp:192.0.2.1:443"],
    "euiccs.NAME.policy.servers": ["smdp.example.com"],
    "euiccs.NAME.policy.server_oids": ["2.999.10"],
    "euiccs.NAME.policy.operators": ["262-01"],
    "euiccs.NAME.policy.providers": ["Example"],
    "euiccs.NAME.policy.classes": ["test"],
    "euiccs.NAME.policy.forbidden_rules": ["ppr2"],
    "euiccs.NAME.policy.confirm": "always",
    "euiccs.NAME.failover.profiles.iccid": THIRD,
    "euiccs.NAME.failover.profiles.healthy": ["tcp:192.0.2.1:443"],
    "network.runner": "other-runner.sock",
    "network.patterns.iccid": "8901",
    "network.patterns.provider": "Example",
    "network.patterns.apn": "iot.example",
    "network.patterns.username": "user",
    "network.patterns.password": "secret",
    "network.patterns.authentication": "chap",
    "network.patterns.initial_bearer_apn": "first.example",
    "network.patterns.initial_bearer": "leave",
    "network.patterns.mtu": 1400,
    "provisioning.on_empty": ["default-smdp"],
    "provisioning.on_failover": "own",
    "provisioning.most_orders": 3,
    "provisioning.until": ["registered"],
    "discovery.when": "never",
    "discovery.interval": 43_200,
    "discovery.jitter": 60,
    "discovery.servers": ["smds.example.com"],
    "discovery.install": "ask",
    "platforms.NAME.like": "things",
    "platforms.NAME.file": "other-platform.yaml",
    "platforms.NAME.base": "https://other.example.com",
    "platforms.NAME.credentials": {"key": "other-credentials"},
    "platforms.NAME.options": {"fleet": "other"},
    "platforms.NAME.product": "other",
    "platforms.NAME.ca_files": ["authorities/ca.der"],
    "platforms.NAME.client_certificate": "client.pem",
    "platforms.NAME.client_key": "client.key",
    "events.device": "gateway-17",
    "webhooks.NAME.url": "https://hooks.example.com/other",
    "webhooks.NAME.keys": ["other-webhook-key"],
    "webhooks.NAME.types": ["org.lpad.profile.*"],
    "webhooks.NAME.ca_files": ["authorities/ca.der"],
    "socket": "other.sock",
    "state_folder": "other",
    "log.apdus": "apdus.jsonl",
    "policy.servers": ["smdp.example.com"],
    "policy.server_oids": ["2.999.10"],
    "policy.operators": ["262-01"],
    "policy.providers": ["Example"],
    "policy.classes": ["test"],
    "policy.forbidden_rules": ["ppr2"],
    "trust.folder": "authorities",
    "trust.extra_ca_files": ["authorities/ca.der"],
    "trust.forbidden_issuers": ["0102030405060708"],
    "remote.hosts": {"smdp.example.com": "192.0.2.1"},
    "remote.protocol_version": "2.3.1",
    "remote.proxy": "http://other.example.com:3128",
    "remote.proxy_credentials": "other-credentials",
    "remote.interface": "wwan0",
    "access.read.users": [4711],
    "access.read.groups": [4711],
    "access.switch.users": [4711],
    "access.switch.groups": [4711],
    "access.install.users": [4711],
    "access.install.groups": [4711],
    "access.admin.users": [4711],
    "access.admin.groups": [4711],
}
"""Another value for each setting whose type alone does not suggest one."""

LEAVES = {
    path: each.type
    for path, each in fields_below(Settings)
    if not any(
        isinstance(part, type) and issubclass(part, Section) for part in (each.type, *get_args(each.type))
    )
}


def keys(path: str) -> list[str]:
    """Return the keys that lead to a setting in BASE."""
    return PLACES.get(path, path).replace("NAME", "modem").split(".")


def other(path: str, type_: Any) -> object:
    """Return a valid value that the setting does not have in BASE."""
    if path in OTHERS:
        return OTHERS[path]
    value: Any = msgspec.convert(BASE, Settings)
    for key in keys(path):
        value = value[key] if isinstance(value, dict) else getattr(value, key)
        value = value[0] if isinstance(value, list) else value
    if isinstance(value, bool):
        return not value
    if get_origin(type_) is Literal:
        return next(each for each in get_args(type_) if each != value)
    if isinstance(value, int | float):
        return value - 1
    pytest.fail(f"'{path}' is new, or of another type than before: name another value for it in OTHERS")


def changed(path: str) -> dict[str, Any]:
    """Return BASE with one setting changed."""
    content: dict[str, Any] = copy.deepcopy(BASE)
    *above, last = keys(path)
    place: Any = content
    for key in above:
        place = place.setdefault(key, {})
        place = place[0] if isinstance(place, list) else place
    place[last] = other(path, LEAVES[path])
    return content


@pytest.fixture
def folder(tmp_path: Path, pki: Pki) -> Path:
    (tmp_path / "authorities").mkdir()
    (tmp_path / "authorities" / "ca.der").write_bytes(next(iter(pki.ci.values())).der)
    for name in ("credentials", "other-credentials"):
        (tmp_path / name).write_text(f"user:{name}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o600)
    for name in ("webhook-key", "other-webhook-key"):
        (tmp_path / name).write_text(
            f"whsec_{base64.b64encode(name.encode() * 3).decode()}\n", encoding="utf-8"
        )
        (tmp_path / name).chmod(0o600)
    for name in ("platform.yaml", "other-platform.yaml"):
        (tmp_path / name).write_text(f"like: desk\ntitle: {name}\n", encoding="utf-8")
    return tmp_path


@pytest.fixture(autouse=True)
def _process_as_before() -> Iterator[None]:
    """Restore the settings that apply to the whole process."""
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    shown = logging.getLogger("lpad.payloads").level
    yield
    unmasked_apdu_record.record_apdus(None)
    root.handlers[:] = before[1]
    root.setLevel(before[0])
    logging.getLogger("lpad.payloads").setLevel(shown)


def settings_file(folder: Path, content: dict[str, Any]) -> SettingsFile:
    path = folder / "lpad.yaml"
    path.write_text(json.dumps(content), encoding="utf-8")
    return SettingsFile.read(path)


@contextmanager
def built(file: SettingsFile) -> Iterator[Built]:
    made = Built(file)
    try:
        yield made
    finally:
        made.engine.stop(deadline=Deadline.after(10))
        for each in made.sockets:
            with closing(each):
                Path(each.getsockname()).unlink()


def reload(made: Built, file: SettingsFile) -> None:
    """Apply a settings file to a daemon, as SIGHUP does."""
    prepared = made.prepare(file)
    prepared.apply()
    prepared.serve()


def seen(made: Built) -> dict[str, str]:
    """Return all values in a daemon that may come from the settings, by their paths."""
    root = logging.getLogger()
    (handler,) = root.handlers
    return picture(
        engine=made.engine,
        servers=made._servers,
        access=made.app.state,
        policies=made._policies,
        sockets=made.sockets,
        log=(root.level, type(handler.formatter), payloads_shown()),
        record=unmasked_apdu_record._record._path,
    )


def differences(one: dict[str, str], another: dict[str, str], steady: set[str]) -> set[str]:
    """Return the paths at which the values of two daemons differ, without those that always differ."""
    appeared = one.keys() ^ another.keys()
    return appeared | {path for path in steady & one.keys() & another.keys() if one[path] != another[path]}


def taken(folder: Path, *, reloaded: bool) -> dict[str, str]:
    """Return the values in a daemon with the settings BASE, as built or after a reload of the same file."""
    with built(settings_file(folder, BASE)) as made:
        if reloaded:
            reload(made, settings_file(folder, BASE))
        return seen(made)


def taken_twice(folder: Path, *, reloaded: bool = False) -> tuple[dict[str, str], set[str]]:
    """Return the values in a daemon with the settings BASE, and the paths whose values are always the same.

    After a reload, a worker has a new port in addition to the one that its card still has, so values have
    other paths than before it.
    """
    first, second = taken(folder, reloaded=reloaded), taken(folder, reloaded=reloaded)
    assert first.keys() == second.keys()
    return first, {path for path in first if first[path] == second[path]}


def test_each_setting_counts(folder: Path) -> None:
    """Another value of any setting changes a value in the daemon that is built from the settings."""
    base, steady = taken_twice(folder)
    without_effect = []
    for path in LEAVES:
        with built(settings_file(folder, changed(path))) as made:
            if not differences(base, seen(made), steady):
                without_effect.append(path)
    assert without_effect == []


def test_each_setting_takes_effect_when_promised(folder: Path) -> None:
    """A reload changes values in a running daemon, except for settings that wait for the next start."""
    _, steady = taken_twice(folder, reloaded=True)
    wrong = []
    for path in LEAVES:
        with built(settings_file(folder, BASE)) as made:
            reload(made, settings_file(folder, BASE))
            before = seen(made)
            reload(made, settings_file(folder, changed(path)))
            at_once = bool(differences(before, seen(made), steady))
        if at_once is not (WHEN[path.split(".")[0]] is When.RELOAD):
            wrong.append(path)
    assert wrong == []


def test_the_picture_of_one_setting_is_steady(folder: Path) -> None:
    """Equal settings lead to equal values, and over 90% of the values can be compared."""
    base, steady = taken_twice(folder)
    with built(settings_file(folder, BASE)) as made:
        assert differences(base, seen(made), steady) == set()
    assert len(steady) > 0.9 * len(base) > 100


def test_each_timeout_has_its_setting() -> None:
    """The table names every timeout of the engine, and every key of `deadlines` that is the engine's."""
    assert set(TIMEOUTS) == set(Timeouts.__struct_fields__)
    assert len(set(TIMEOUTS.values())) == len(TIMEOUTS)


@pytest.mark.parametrize("name", Timeouts.__struct_fields__)
def test_each_timeout_is_kept(name: str) -> None:
    """Something in the engine reads each timeout; one that is only passed on has no effect."""
    assert {(name, "timeouts"), (name, "_timeouts")} & _reads()


@pytest.mark.parametrize(
    ("class_", "name"),
    [
        (class_, name)
        for class_ in (CardPort, SwitchPolicy, FailoverPolicy, HealthRule, InstallPolicy, Retention, Route)
        for name in class_.__struct_fields__
    ],
)
def test_each_passed_on_setting_is_read(class_: type, name: str) -> None:
    """Each field that the daemon passes to the engine and to servers is read by something below it."""
    assert name in {read for read, _ in _reads()}, class_


@cache
def _reads() -> set[tuple[str, str]]:
    """Return the names of all attributes that are read below the settings, each with its owner's name."""
    trees = [
        ast.parse(path.read_text(encoding="utf-8"))
        for path in SOURCES.glob("**/*.py")
        if path.relative_to(SOURCES).parts[0] in ("engine", "lpa", "card", "remote")
    ]
    return {
        (node.attr, _named(node.value))
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }


def _named(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
