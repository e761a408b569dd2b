"""The cards in the settings, as the engine wants them: each with what opens the link to it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from lpad.base.condition import Condition
from lpad.base.identifiers import Aid, Imei, Tac, profile_target
from lpad.base.server_address import ServerAddress
from lpad.card.at.at_link import open_at_link
from lpad.card.link.isdr_aids import isdr_aids
from lpad.card.link.memory import LinkMemory
from lpad.card.link.shared_port import SharedPort
from lpad.card.pcsc.pcsc_link import open_pcsc_link
from lpad.card.pcsc.reader_watch import watch_reader
from lpad.card.port.hotplug import PortWatch
from lpad.card.port.modem_manager_loan import PortLoan
from lpad.card.port.names import PortNames
from lpad.daemon.network_policy import network_policy
from lpad.engine.policy.health_rules import FailoverPolicy, HealthRule
from lpad.engine.policy.switching import SwitchPolicy
from lpad.engine.running.held_card import CardPort
from lpad.settings import device_capabilities

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lpad.base.deadline import Deadline
    from lpad.card.link.link import Link
    from lpad.engine.running.held_card import Watch
    from lpad.settings import EuiccSection, Settings
    from lpad.settings.sections.failover import FailoverSection
    from lpad.settings.sections.modem_manager import ModemManagerSection
    from lpad.settings.sections.switching import SwitchingSection

LINKS = "links"
"""The folder in the state folder where it is kept what worked with which modem."""


@dataclass(frozen=True, slots=True)
class _Way:
    """What leads to a card: kept as long as the settings say the same of it, so that the card stays open."""

    opens: Callable[[Deadline], Link]
    watch: Watch
    loan: PortLoan | None


class CardPorts:
    """The ways to all cards; what did not change from one reading of the settings to the next is the same."""

    def __init__(self, state_folder: Path, *, observe: Callable[[str, float], None] | None = None) -> None:
        """Prepare; nothing is opened.

        Args:
            state_folder: where it is kept what worked with which modem.
            observe: told a card's name and the seconds that a command to its ISD-R took.
        """
        self._links = state_folder / LINKS
        self._memory = LinkMemory(self._links)
        self._port_watch = PortWatch()
        self._observe = observe
        self._ways: dict[bytes, _Way] = {}

    def of(self, settings: Settings) -> list[CardPort]:
        """Return the cards in the settings; those in one place share what leads there."""
        sections = settings.euiccs
        places = Counter(section.place for section in sections.values())
        ways: dict[bytes, _Way] = {}
        ports = []
        network = network_policy(settings.network)
        for name, section in sections.items():
            shared = places[section.place] > 1
            key = _key(section, settings.modem_manager, shared=shared)
            way = (
                ways.get(key)
                or self._ways.get(key)
                or self._made(section, settings.modem_manager, shared=shared)
            )
            ways[key] = way
            port = _card_port(name, section, way)
            port = replace(port, network=network)
            port = replace(port, provision=(section.provision or settings.provision) == "on_empty")
            if self._observe is not None:
                port = replace(port, observe=partial(self._observe, name))
            ports.append(port)
        self._ways = ways
        return ports

    def _made(self, section: EuiccSection, modem_manager: ModemManagerSection, *, shared: bool) -> _Way:
        loan = None
        if section.port is not None:
            names = PortNames(section.port, folder=self._links)
            if modem_manager.inhibit == "auto":
                loan = PortLoan(section.port, hold=modem_manager.hold)
            opens = self._at_opener(section, names, loan)
            watch: Watch = partial(self._port_watch.watch, names.there)
        else:
            assert section.reader is not None
            opens = self._reader_opener(section.reader, shared=section.shared)
            watch = partial(watch_reader, section.reader)
        if shared:
            opens = SharedPort(opens, name=section.place).open_link
        return _Way(opens, watch, loan)

    def _reader_opener(self, reader: str | int, *, shared: bool) -> Callable[[Deadline], Link]:
        return lambda deadline: open_pcsc_link(reader, shared=shared, memory=self._memory, deadline=deadline)

    def _at_opener(
        self, section: EuiccSection, names: PortNames, loan: PortLoan | None
    ) -> Callable[[Deadline], Link]:
        open_link = partial(open_at_link, baud=section.baud, memory=self._memory, overrides=section.quirks)
        if loan is None:
            return lambda deadline: names.open(open_link, deadline=deadline)
        return lambda deadline: names.open(
            partial(open_link, open_line=partial(loan.open_line, deadline=deadline)), deadline=deadline
        )


def _key(section: EuiccSection, modem_manager: ModemManagerSection, *, shared: bool) -> bytes:
    """Return all in the settings that makes the way to a card what it is."""
    at_modem = modem_manager if section.port is not None else None
    quirks = section.quirks
    return msgspec.json.encode(
        (section.port, section.reader, section.shared, section.baud, quirks, at_modem, shared), order="sorted"
    )


def _card_port(name: str, section: EuiccSection, way: _Way) -> CardPort:
    only = (Aid.parse(section.aid),) if section.aid else None
    at_modem = section.port is not None
    return CardPort(
        name=name,
        transport=f"AT modem on {section.port}" if at_modem else f"card in the {section.place}",
        open_link=way.opens,
        loan=way.loan,
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
