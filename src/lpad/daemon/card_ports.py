"""Convert the cards in the settings to the engine's form, each with a function that opens its link."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.guard_condition import Condition
from lpad.base.identifiers import Aid, Imei, Tac, profile_target
from lpad.base.server_address import ServerAddress
from lpad.card.link.isdr_aids import isdr_aids
from lpad.card.link.port_of_two_euiccs import SharedPort
from lpad.card.link.remembered_links import LinkMemory
from lpad.card.port.hotplug import PortWatch
from lpad.card.port_kinds import LINKS, ModemPort, ReaderPort
from lpad.daemon.network_policy_from_settings import network_policy
from lpad.engine.change.params import GuardParams
from lpad.engine.policy.discovery import DiscoveryPolicy, Install
from lpad.engine.policy.health_rules import FailoverPolicy, HealthRule
from lpad.engine.policy.provisioning import ProvisioningPolicy
from lpad.engine.policy.switching import SwitchPolicy
from lpad.engine.running.card.card_with_open_link import OWN_PORT, CardPort
from lpad.settings import device_capabilities

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lpad.card.port_kinds import Port, Way
    from lpad.settings import EuiccSection, Settings
    from lpad.settings.sections.euiccs.failover import FailoverSection
    from lpad.settings.sections.euiccs.switching import SwitchingSection
    from lpad.settings.sections.modem_manager import ModemManagerSection
    from lpad.settings.sections.sources.discovery import DiscoverySection


class CardPorts:
    """The ports to all cards; a reload keeps the functions that open an unchanged port."""

    def __init__(self, state_folder: Path, *, observe: Callable[[str, float], None] | None = None) -> None:
        """Create an empty set of ports; nothing is opened.

        Args:
            observe: called with a card's name and the seconds that a command to its ISD-R took.
        """
        self._links = state_folder / LINKS
        self._memory = LinkMemory(self._links)
        self._port_watch = PortWatch()
        self._observe = observe
        self._ways: list[tuple[Port, bool, Way]] = []

    def of(self, settings: Settings) -> list[CardPort]:
        """Return a port for each card in the settings; cards at the same place share one link."""
        sections = settings.euiccs
        places = Counter(section.place for section in sections.values())
        ways: list[tuple[Port, bool, Way]] = []
        ports = []
        network = network_policy(settings.network)
        for name, section in sections.items():
            where, shared = _port_of(section, settings.modem_manager), places[section.place] > 1
            way = self._way(where, [*ways, *self._ways], shared=shared)
            ways.append((where, shared, way))
            port = _card_port(name, section, where, way)
            several = bool(section.fallback_ports)
            port = replace(port, network=network, device=section.port, several_ports=several)
            provisioning = _provisioning(settings, section)
            port = replace(port, provisioning=provisioning, discovery=_discovery(settings.discovery))
            if port.failover is not None and provisioning.on_failover is not None:
                port = replace(port, failover=replace(port.failover, provisioning=provisioning))
            if self._observe is not None:
                port = replace(port, observe=partial(self._observe, name))
            ports.append(port)
        self._ways = ways
        return ports

    def _way(self, port: Port, known: list[tuple[Port, bool, Way]], *, shared: bool) -> Way:
        """Return the existing way to a port, so that the card stays open, or a new one."""
        for each, was_shared, way in known:
            if (each, was_shared) == (port, shared):
                return way
        way = port.way(memory=self._memory, folder=self._links, watch=self._port_watch)
        return replace(way, open_link=SharedPort(way.open_link, name=port.name).open_link) if shared else way


def _port_of(section: EuiccSection, modem_manager: ModemManagerSection) -> Port:
    if section.reader is not None:
        return ReaderPort(reader=section.reader, shared=section.shared)
    assert section.port is not None, "the settings name either a port or a reader"
    hold = modem_manager.hold if modem_manager.inhibit == "auto" else None
    return ModemPort(
        path=section.port,
        fallbacks=tuple(section.fallback_ports),
        baud=section.baud,
        fast_baud=section.fast_baud,
        quirks=section.quirks,
        hold=hold,
    )


def _card_port(name: str, section: EuiccSection, port: Port, way: Way) -> CardPort:
    only = (Aid.parse(section.aid),) if section.aid else None
    return CardPort(
        name=name,
        transport=port.transport,
        open_link=way.open_link,
        loan=way.loan or OWN_PORT,
        watch=way.watch,
        aids=only or isdr_aids(map(Aid.parse, section.aids)),
        block_size=section.block_size,
        refresh=section.refresh,
        imei=Imei.parse(section.imei) if section.imei else None,
        tac=Tac.parse(section.tac) if section.tac else None,
        capabilities=device_capabilities(section.device_capabilities),
        default_smdp=ServerAddress.parse(section.default_smdp) if section.default_smdp else None,
        policy=_policy(section.switching),
        failover=_failover(section.failover),
    )


def _policy(section: SwitchingSection) -> SwitchPolicy:
    return SwitchPolicy(
        protected=tuple(str(profile_target(iccid)) for iccid in section.protected),
        keep_enabled=section.keep_enabled,
        fallback=tuple(str(profile_target(iccid)) for iccid in section.fallback),
        per_day=section.per_day,
        default_guard=None
        if section.default_guard is None
        else GuardParams(until=tuple(section.default_guard.until), within=section.default_guard.within),
        accept_offline=section.accept_offline,
    )


def _provisioning(settings: Settings, section: EuiccSection) -> ProvisioningPolicy:
    told = settings.provisioning
    return ProvisioningPolicy(
        on_empty=settings.sources(section),
        on_failover=None if section.provision == "never" else told.on_failover,
        most_orders=told.most_orders,
        until=tuple(told.until),
        within=told.within,
    )


def _discovery(section: DiscoverySection) -> DiscoveryPolicy:
    return DiscoveryPolicy(
        every=section.every,
        jitter=section.jitter,
        servers=tuple(map(ServerAddress.parse, section.servers)),
        install=Install(section.install),
    )


def _failover(section: FailoverSection) -> FailoverPolicy | None:
    if not section.profiles:
        return None
    rules = tuple(
        HealthRule(
            iccid=str(profile_target(each.iccid)),
            conditions=tuple(map(Condition.parse, each.healthy)),
            interval=each.interval,
            lasting=each.lasting,
        )
        for each in section.profiles
    )
    return FailoverPolicy(rules=rules, within=section.within, cooldown=section.cooldown)
