"""Findings about the installation: versions, the settings file, ports and their holders."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

import lpad
from lpad.base.errors import InvalidSettings
from lpad.card.port.holders import holders, modem_manager_runs
from lpad.cli.doctor.finding import Finding, Verdict
from lpad.settings import SettingsFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.client import Ports, System
    from lpad.settings import Settings

_SHOWN = frozenset({"port", "reader", "level", "applier", "provision", "on_empty", "socket", "state_folder"})
"""Keys whose text values are not secret; for any other text value, only the key is shown."""


def versions(daemon: System | None) -> Iterator[Finding]:
    """Yield the versions, and whether lpactl and the daemon have the same version."""
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", "unknown")
    except OSError:
        system = "unknown"
    told = f"lpactl {lpad.__version__}, Python {platform.python_version()}, kernel {platform.release()}"
    if daemon is not None and daemon.version != lpad.__version__:
        yield Finding(
            about="versions",
            verdict=Verdict.NOTE,
            text=f"{told}, {system}; the daemon is {daemon.version}: restart it after an upgrade",
        )
    else:
        yield Finding(about="versions", verdict=Verdict.OK, text=f"{told}, {system}")


def settings_file(path: Path, daemon: System | None) -> tuple[list[Finding], Settings | None]:
    """Return findings about the settings file, without secrets, and the settings if they can be read."""
    found = []
    settings = None
    if not os.access(path, os.R_OK):
        there = "cannot be read by this user" if path.exists() else "does not exist; run 'lpad setup'"
        verdict = Verdict.UNKNOWN if path.exists() else Verdict.WRONG
        found.append(Finding(about="settings", verdict=verdict, text=f"{path} {there}"))
    else:
        try:
            file = SettingsFile.read(path)
        except InvalidSettings as error:
            found.append(
                Finding(
                    about="settings",
                    verdict=Verdict.WRONG,
                    text=f"{path} has mistakes: run 'lpad check-config {path}'",
                    kind=error.kind,
                )
            )
        else:
            settings = file.settings
            found.append(Finding(about="settings", verdict=Verdict.OK, text=f"{path}: {_set_keys(file)}"))
    if daemon is not None and daemon.settings is not None:
        if daemon.settings.error is not None:
            text = "the daemon refused the file and works with its previous settings"
            found.append(Finding(about="settings", verdict=Verdict.WRONG, text=text))
        if daemon.settings.restart_needed:
            keys = ", ".join(daemon.settings.restart_needed)
            found.append(
                Finding(about="settings", verdict=Verdict.NOTE, text=f"restart the daemon to apply: {keys}")
            )
    return found, settings


def ports(listed: Ports, settings: Settings | None) -> Iterator[Finding]:
    """Yield a line for each port and reader: whether it exists, and which program has it open."""
    for path in sorted({*listed.serial, *_configured(settings)}):
        if not Path(path).exists():
            yield _absent(path, settings)
            continue
        held = holders(path)
        told = f"held by {', '.join(held)}" if held else "no holder is visible"
        if not held and os.geteuid() != 0:
            told += " (only root sees other users' programs)"
        yield Finding(about="port", verdict=Verdict.OK, text=f"{path}: {told}")
    for name in listed.readers:
        yield Finding(about="reader", verdict=Verdict.OK, text=name)
    if not listed.serial and not listed.readers and not _configured(settings):
        yield Finding(about="port", verdict=Verdict.WRONG, text="there is no modem port and no reader")
    if listed.no_readers is not None:
        wanted = any(each.reader is not None for each in settings.euiccs.values()) if settings else False
        verdict = Verdict.WRONG if wanted else Verdict.NOTE
        yield Finding(about="reader", verdict=verdict, text=listed.no_readers)
    if modem_manager_runs():
        yield Finding(
            about="ModemManager", verdict=Verdict.OK, text="it runs; lpad borrows the modem from it"
        )


def _configured(settings: Settings | None) -> list[str]:
    euiccs = settings.euiccs.values() if settings is not None else ()
    return [port for each in euiccs for port in each.ports]


def _absent(path: str, settings: Settings | None) -> Finding:
    euiccs = settings.euiccs.values() if settings is not None else ()
    others = (port for each in euiccs if path in each.ports for port in each.ports)
    if any(Path(port).exists() for port in others):
        text = f"{path} does not exist; lpad uses another port of the modem"
        return Finding(about="port", verdict=Verdict.NOTE, text=text)
    return Finding(about="port", verdict=Verdict.WRONG, text=f"{path} does not exist")


def _set_keys(file: SettingsFile) -> str:
    """Return the keys that the file and its drop-ins set, with the values that cannot be secret."""
    inner = {key[:end] for key in file.places for end in range(len(key))}
    told = []
    for key in file.places:
        if key in inner or not key:
            continue
        value = _value(file.settings, key)
        name = ".".join(map(str, key))
        plain = isinstance(value, bool | int | float) or (isinstance(value, str) and key[-1] in _SHOWN)
        told.append(f"{name}={value}" if plain else name)
    return ", ".join(told) or "nothing is set"


def _value(settings: object, key: tuple[object, ...]) -> object:
    value: object = settings
    for part in key:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int):
            value = value[part] if part < len(value) else None
        else:
            value = getattr(value, str(part), None)
    return value
