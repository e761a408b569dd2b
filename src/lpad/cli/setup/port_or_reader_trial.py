"""The trial of one port or reader: its link is opened, its card is probed, and everything is closed again."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline
from lpad.base.errors import CardError
from lpad.base.frozen import Frozen
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.isdr_aids import isdr_aids
from lpad.card.port.device_of_port import device_of
from lpad.card.port.hotplug import PortWatch
from lpad.card.port_kinds import ModemPort, ReaderPort
from lpad.card.probe import probe
from lpad.lpa.euicc import Euicc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lpad.base.identifiers import Aid
    from lpad.card.link.link import Link
    from lpad.card.port_kinds import Port
    from lpad.card.probe import ProbeReport
    from lpad.codec.messages.profile_info import ProfileInfo

PATIENCE = 60.0
"""The maximum number of seconds for one port; it takes some seconds to find that a port is not an AT
port."""


class Place(Frozen, kw_only=True):
    """A modem's port or a PC/SC reader, by the key and the value that the settings have for it."""

    key: str
    """The key in the settings: `port` or `reader`."""
    name: str

    @property
    def port(self) -> Port:
        """The port through which lpad reaches the card."""
        return ModemPort(path=self.name) if self.key == "port" else ReaderPort(reader=self.name)


class Trial(Frozen, kw_only=True):
    """The result of a trial."""

    place: Place
    report: ProbeReport
    profiles: tuple[ProfileInfo, ...] | None = None
    """The card's profiles; None if they are unknown."""

    @property
    def works(self) -> bool:
        """Whether lpad can use the card."""
        return self.report.error is None and self.report.eid is not None


def by_modem(trials: Sequence[Trial]) -> list[tuple[Trial, ...]]:
    """Return the successful trials, grouped by modem.

    Ports that lead to one eUICC belong to one modem, unless sysfs shows two devices.
    """
    found: list[list[Trial]] = []
    for trial in trials:
        for others in found:
            if _on_one_modem(trial, others[0]):
                others.append(trial)
                break
        else:
            found.append([trial])
    return [tuple(each) for each in found]


def _on_one_modem(one: Trial, other: Trial) -> bool:
    ports = one.place.key == other.place.key == "port"
    return (
        ports
        and one.report.eid == other.report.eid
        and same_device(one.place.name, other.place.name) is not False
    )


def same_device(one: str, other: str) -> bool | None:
    """Return whether two ports belong to one USB or PCI device; None: sysfs does not show their devices."""
    devices = (device_of(one), device_of(other))
    return None if None in devices else devices[0] == devices[1]


def try_place(place: Place) -> Trial:
    """Try a place as `lpad probe` does, and read its card's profiles; never raises a CardError."""
    deadline = Deadline.after(PATIENCE)
    profiles: list[tuple[ProfileInfo, ...]] = []

    def read(link: Link, report: ProbeReport) -> None:
        assert report.isdr_aid is not None
        with isdr_session(link, aids=(report.isdr_aid,), deadline=deadline) as isdr:
            profiles.append(Euicc(isdr).get_profiles_info(deadline=deadline))

    report = try_port(place.port, name=place.name, aids=(), deadline=deadline, read=read)
    return Trial(place=place, report=report, profiles=profiles[0] if profiles else None)


def try_port(
    port: Port,
    *,
    name: str,
    aids: Sequence[Aid],
    deadline: Deadline,
    read: Callable[[Link, ProbeReport], None] | None = None,
) -> ProbeReport:
    """Probe the card behind a port, and close everything again.

    Args:
        port: the port, which must be free.
        name: the name of the port or reader in the report.
        aids: AIDs of the ISD-R to try first.
        deadline: the limit for the whole trial.
        read: called with the open link and the report if lpad can use the card; its CardError is ignored.
    """
    links: list[Link] = []
    way = port.way(memory=None, folder=None, watch=PortWatch())

    def open_link() -> Link:
        links.append(way.open_link(deadline))
        return links[0]

    try:
        report = probe(open_link, port=name, aids=[*aids, *isdr_aids()], deadline=deadline)
        if read is not None and report.error is None and report.isdr_aid is not None:
            with suppress(CardError):  # the probe has succeeded, and unreadable data counts as unknown
                read(links[0], report)
        return report
    finally:
        for link in links:
            link.close()
        way.give_back()
