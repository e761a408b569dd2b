"""Settings that do not fit the machine at present; these are notes, because they may fit later."""

from __future__ import annotations

import grp
import pwd
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lpad.settings.parsing.mistakes import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lpad.settings.file import SettingsFile
    from lpad.settings.parsing.mistakes import Mistake
    from lpad.settings.settings import Settings


def notes(file: SettingsFile) -> list[Mistake]:
    """Return the notes in the order of the file, such as on missing ports, folders, users and groups."""
    report = Report(file.places)
    settings = file.settings
    if not settings.euiccs:
        report.wrong("no card is configured; run 'lpad setup'", "euiccs")
    _outdated(settings, report)
    for name, euicc in settings.euiccs.items():
        if euicc.ports and not any(Path(port).exists() for port in euicc.ports):
            report.wrong(f"{euicc.port} does not exist now; lpad waits for it", "euiccs", name, "port")
    state = file.resolve(settings.state_folder)
    if state.exists() and not state.is_dir():
        report.wrong(f"{state} is not a folder; lpad cannot start", "state_folder")
    if settings.log.apdus is not None:
        folder = file.resolve(settings.log.apdus).parent
        if not folder.is_dir():
            report.wrong(
                f"the folder {folder} does not exist; lpad refuses the settings until it does", "log", "apdus"
            )
    interface = settings.remote.interface
    if interface is not None and interface not in (name for _, name in socket.if_nameindex()):
        report.wrong(
            f"the network interface '{interface}' does not exist now; lpad cannot reach servers until it"
            " does",
            "remote",
            "interface",
        )
    for role in msgspec.structs.fields(type(settings.access)):
        # The defaults contain groups that need not exist.
        if ("access", role.name) in file.places:
            below = report.below("access", role.name)
            who = getattr(settings.access, role.name)
            _missing(who.users, pwd.getpwnam, "user", below.below("users"))
            _missing(who.groups, grp.getgrnam, "group", below.below("groups"))
    return sorted(report.mistakes, key=lambda each: (str(each.file), each.line))


def _outdated(settings: Settings, report: Report) -> None:
    if settings.provision == "on_empty" and settings.provisioning.on_empty is None:
        report.wrong("read as 'provisioning.on_empty: [default-smdp]'; write that instead", "provision")


def _missing(named: Iterable[str | int], find: Callable[[str], object], what: str, report: Report) -> None:
    for index, name in enumerate(named):
        if isinstance(name, str):
            try:
                find(name)
            except KeyError:
                report.wrong(f"this system has no {what} '{name}'; the entry grants no access", index)
