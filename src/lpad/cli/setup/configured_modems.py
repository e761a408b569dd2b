"""The modems that the settings already list, and whether a new port belongs to one of them."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import InvalidValue
from lpad.base.frozen import Frozen
from lpad.base.identifiers import Aid, Eid
from lpad.card.port.port_protocol import PortProtocol, protocol_of
from lpad.card.port_kinds import LINKS, ModemPort
from lpad.cli.setup.port_or_reader_trial import PATIENCE, same_device, try_port
from lpad.client import ApiError, Client

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lpad.cli.setup.port_or_reader_trial import Trial
    from lpad.settings import EuiccSection, SettingsFile


class Belongs(enum.Enum):
    """Whether a new port belongs to a modem of the settings."""

    YES = enum.auto()
    NO = enum.auto()
    UNKNOWN = enum.auto()


class ListedModem(Frozen, kw_only=True):
    """A modem in the settings, with its cards, ports and EIDs."""

    names: tuple[str, ...]
    """The names of the modem's card in the settings: a card with several eUICCs has several names."""
    ports: tuple[str, ...]
    eids: frozenset[Eid] = frozenset()
    """The EIDs of the modem's card; empty if they are unknown."""

    def has(self, trial: Trial) -> Belongs:
        """Return whether a successful trial's port belongs to this modem.

        Ports with the same EID are ports of one modem, unless sysfs shows two devices: in that case, the card
        has been moved. If ports of one device have different EIDs, the device is a serial adapter with
        several sockets. If this modem's EID is unknown, only a control port shows that the device is one
        modem.
        """
        if trial.place.key != "port":
            return Belongs.NO
        told = [same_device(trial.place.name, each) for each in self.ports]
        if self.eids:
            found = {each.eid for each in trial.report.euiccs} | {trial.report.eid}
            same = bool(found & self.eids) and (True in told or None in told)
            return Belongs.YES if same else Belongs.NO
        if True not in told:
            return Belongs.NO
        kinds = [protocol_of(each) for each in (trial.place.name, *self.ports)]
        return Belongs.UNKNOWN if all(each is PortProtocol.AT for each in kinds) else Belongs.YES


def listed_modems(file: SettingsFile) -> list[ListedModem]:
    """Return the modems of the settings with their EIDs, from the daemon or, if none runs, from the cards."""
    told = _told_by_daemon(file)
    found: dict[str, list[str]] = {}
    for name, section in file.settings.euiccs.items():
        if section.port is not None:
            found.setdefault(section.place, []).append(name)
    modems = []
    for names in found.values():
        section = file.settings.euiccs[names[0]]
        assert section.port is not None, "cards in readers are left out above"
        notes = file.resolve(file.settings.state_folder) / LINKS
        eids = _read(section, notes=notes) if told is None else {told[name] for name in names if name in told}
        ports = (section.port, *section.fallback_ports)
        modems.append(ListedModem(names=tuple(names), ports=ports, eids=frozenset(eids)))
    return modems


def modem_of(trials: Sequence[Trial], modems: Sequence[ListedModem]) -> tuple[ListedModem | None, Belongs]:
    """Return the listed modem, if any, to which a found modem's ports belong, and whether this is certain."""
    for wanted in (Belongs.YES, Belongs.UNKNOWN):
        for modem in modems:
            if any(modem.has(trial) is wanted for trial in trials):
                return modem, wanted
    return None, Belongs.NO


def _told_by_daemon(file: SettingsFile) -> Mapping[str, Eid] | None:
    """Return the EIDs that the daemon knows, by the card's name; None: no daemon answers."""
    socket = file.resolve(file.settings.socket)
    try:
        with Client(str(socket)) as client:
            return {each.name: Eid.parse(each.eid) for each in client.euiccs() if each.eid is not None}
    except (ApiError, InvalidValue):
        return None


def _read(section: EuiccSection, *, notes: Path) -> set[Eid]:
    """Return the EIDs of a card in the settings, read from the card; empty if it cannot be read.

    Args:
        section: the card.
        notes: the folder with the note about a speed that a killed daemon has not restored.
    """
    assert section.port is not None, "the card is in a modem"
    port = ModemPort(
        path=section.port,
        fallbacks=tuple(section.fallback_ports),
        baud=section.baud,
        speed_notes=notes,
        quirks=section.quirks,
    )
    aids = [Aid.parse(each) for each in (section.aid, *section.aids) if each is not None]
    report = try_port(port, name=section.port, aids=aids, deadline=Deadline.after(PATIENCE))
    found = {each.eid for each in report.euiccs} | {report.eid}
    return {each for each in found if each is not None}
