"""The cards in the settings, as the engine wants them: each with what opens the link to it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from lpad.card.at_link import open_at_link
from lpad.card.hotplug import PortWatch
from lpad.card.isdr_aids import isdr_aids
from lpad.card.link_memory import LinkMemory
from lpad.card.pcsc_link import open_pcsc_link
from lpad.card.pcsc_watch import watch_reader
from lpad.card.port_loan import PortLoan
from lpad.card.port_names import PortNames
from lpad.card.shared_port import SharedPort
from lpad.condition import Condition
from lpad.engine.card import CardPort
from lpad.engine.health import FailoverPolicy, HealthRule
from lpad.engine.switch_policy import SwitchPolicy
from lpad.identifiers import Aid, Iccid, Imei
from lpad.server_address import ServerAddress
from lpad.settings import device_capabilities

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lpad.card.link import Link
    from lpad.deadline import Deadline
    from lpad.engine.card import Watch
    from lpad.settings import EuiccSection, SettingsFile
    from lpad.settings.failover import FailoverSection
    from lpad.settings.switching import SwitchingSection

LINKS = "links"
"""The folder in the state folder where it is kept what worked with which modem."""


def card_ports(file: SettingsFile, *, observe: Callable[[str, float], None] | None = None) -> list[CardPort]:
    """Return the cards in the settings; those in one place share what leads there.

    Args:
        file: the settings.
        observe: told a card's name and the seconds that a command to its ISD-R took.
    """
    settings = file.settings
    links = file.resolve(settings.state_folder) / LINKS
    memory = LinkMemory(links)
    sections = settings.euiccs
    places = [section.place for section in sections.values()]
    shared: dict[str, SharedPort] = {}
    loans: dict[str, PortLoan] = {}
    watch = PortWatch()
    names: dict[str, PortNames] = {}
    ports = []
    for name, section in sections.items():
        loan = None
        if section.port is not None:
            names.setdefault(section.port, PortNames(section.port, folder=links))
        if section.port is not None and settings.modem_manager.inhibit == "auto":
            loan = loans.setdefault(section.port, PortLoan(section.port, hold=settings.modem_manager.hold))
        opens = _opener(section, memory, names, loan)
        if places.count(section.place) > 1:
            opens = shared.setdefault(section.place, SharedPort(opens, name=section.place)).open_link
        port = _card_port(name, section, opens, loan, _watch(section, watch, names))
        port = replace(port, provision=(section.provision or settings.provision) == "on_empty")
        ports.append(replace(port, observe=partial(observe, name)) if observe is not None else port)
    return ports


def _opener(
    section: EuiccSection, memory: LinkMemory, names: Mapping[str, PortNames], loan: PortLoan | None
) -> Callable[[Deadline], Link]:
    if section.reader is not None:
        open_reader = partial(open_pcsc_link, section.reader, shared=section.shared, memory=memory)
        return lambda deadline: open_reader(deadline=deadline)
    assert section.port is not None
    port = names[section.port]
    open_link = partial(open_at_link, baud=section.baud, memory=memory, overrides=section.quirks)
    if loan is None:
        return lambda deadline: port.open(open_link, deadline=deadline)
    return lambda deadline: port.open(
        partial(open_link, open_line=partial(loan.open_line, deadline=deadline)), deadline=deadline
    )


def _watch(section: EuiccSection, watch: PortWatch, names: Mapping[str, PortNames]) -> Watch:
    if section.port is not None:
        return partial(watch.watch, names[section.port].there)
    assert section.reader is not None
    return partial(watch_reader, section.reader)


def _card_port(
    name: str, section: EuiccSection, opens: Callable[[Deadline], Link], loan: PortLoan | None, watch: Watch
) -> CardPort:
    only = (Aid.parse(section.aid),) if section.aid else None
    at_modem = section.port is not None
    return CardPort(
        name=name,
        transport=f"AT modem on {section.port}" if at_modem else f"card in the {section.place}",
        open_link=opens,
        loan=loan,
        watch=watch,
        aids=only or isdr_aids(map(Aid.parse, section.aids)),
        block_size=section.block_size,
        refresh=section.refresh,
        imei=Imei.parse(section.imei) if section.imei else None,
        capabilities=device_capabilities(section.device_capabilities),
        default_smdp=ServerAddress.parse(section.default_smdp) if section.default_smdp else None,
        policy=_policy(section.switching),
        failover=_failover(section.failover),
    )


def _policy(section: SwitchingSection) -> SwitchPolicy:
    return SwitchPolicy(
        protected=tuple(str(Iccid.parse(iccid)) for iccid in section.protected),
        keep_enabled=section.keep_enabled,
        fallback=tuple(str(Iccid.parse(iccid)) for iccid in section.fallback),
        per_day=section.per_day,
    )


def _failover(section: FailoverSection) -> FailoverPolicy | None:
    if not section.profiles:
        return None
    rules = tuple(
        HealthRule(
            iccid=str(Iccid.parse(each.iccid)),
            conditions=tuple(map(Condition.parse, each.healthy)),
            interval=each.interval,
            lasting=each.lasting,
        )
        for each in section.profiles
    )
    return FailoverPolicy(rules=rules, within=section.within, cooldown=section.cooldown)
