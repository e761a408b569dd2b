"""The cards in the settings, as the engine wants them: each with what opens the link to it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from lpad.card.at_link import open_at_link
from lpad.card.hotplug import PortWatch
from lpad.card.isdr_aids import isdr_aids
from lpad.card.link_memory import LinkMemory
from lpad.card.pcsc_link import open_pcsc_link
from lpad.card.pcsc_watch import watch_reader
from lpad.card.port_loan import PortLoan
from lpad.card.shared_port import SharedPort
from lpad.engine.card import CardPort
from lpad.identifiers import Aid, Imei
from lpad.server_address import ServerAddress
from lpad.settings import device_capabilities

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.card.link import Link
    from lpad.deadline import Deadline
    from lpad.settings import EuiccSection, SettingsFile

LINKS = "links"
"""The folder in the state folder where it is kept what worked with which modem."""


def card_ports(file: SettingsFile) -> list[CardPort]:
    """Return the cards in the settings; those in one place share what leads there."""
    settings = file.settings
    memory = LinkMemory(file.resolve(settings.state_folder) / LINKS)
    sections = settings.euiccs
    places = [section.place for section in sections.values()]
    shared: dict[str, SharedPort] = {}
    loans: dict[str, PortLoan] = {}
    watch = PortWatch()
    ports = []
    for name, section in sections.items():
        loan = None
        if section.port is not None and settings.modem_manager.inhibit == "auto":
            loan = loans.setdefault(section.port, PortLoan(section.port, hold=settings.modem_manager.hold))
        opens = _opener(section, memory, loan)
        if places.count(section.place) > 1:
            opens = shared.setdefault(section.place, SharedPort(opens, name=section.place)).open_link
        ports.append(_card_port(name, section, opens, loan, watch))
    return ports


def _opener(section: EuiccSection, memory: LinkMemory, loan: PortLoan | None) -> Callable[[Deadline], Link]:
    if section.reader is not None:
        open_reader = partial(open_pcsc_link, section.reader, shared=section.shared)
        return lambda deadline: open_reader(deadline=deadline)
    assert section.port is not None
    open_link = partial(
        open_at_link, section.port, baud=section.baud, memory=memory, overrides=section.quirks
    )
    if loan is None:
        return lambda _deadline: open_link()
    return lambda deadline: open_link(open_line=partial(loan.open_line, deadline=deadline))


def _card_port(
    name: str,
    section: EuiccSection,
    opens: Callable[[Deadline], Link],
    loan: PortLoan | None,
    watch: PortWatch,
) -> CardPort:
    only = (Aid.parse(section.aid),) if section.aid else None
    if section.port is not None:
        transport, watches = f"AT modem on {section.port}", partial(watch.watch, section.port)
    else:
        assert section.reader is not None
        transport, watches = f"card in the reader {section.reader}", partial(watch_reader, section.reader)
    return CardPort(
        name=name,
        transport=transport,
        open_link=opens,
        loan=loan,
        watch=watches,
        aids=only or isdr_aids(map(Aid.parse, section.aids)),
        block_size=section.block_size,
        refresh=section.refresh,
        imei=Imei.parse(section.imei) if section.imei else None,
        capabilities=device_capabilities(section.device_capabilities),
        default_smdp=ServerAddress.parse(section.default_smdp) if section.default_smdp else None,
    )
